"""The secret under which an installation's digests are made, where the settings give none."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, Table, select

from crmkit.digests import new_secret
from crmkit.errors import RetryTransaction
from crmkit.settings import Secret
from crmkit.sql.connection import Sql

SECRET = "secret"


class InstallationSecret:
    """Finds the secret of one database, and makes it where there is none yet.

    Args:
        given: the settings' secret; it wins, and the database is not asked.
        installation: the table that holds the database's own.
    """

    __slots__ = ("_given", "_made", "_seen", "_table")

    def __init__(self, given: Secret, installation: Table) -> None:
        self._given = given
        self._table = installation
        self._seen: Secret | None = None
        self._made = False

    @property
    def known(self) -> Secret | None:
        """The secret if it can be told without asking the database."""
        return self._given or self._seen

    def read(self, connection: Connection) -> Secret | None:
        """Return the committed secret, read on a connection that has written nothing; None if there is none."""
        if self.known is None:
            found = connection.execute(_statement(self._table)).scalar()
            self._seen = Secret(found) if found else None
        return self.known

    def within(self, sql: Sql) -> Secret:
        """Return the secret inside a transaction, which makes it if nobody has.

        Raises:
            RetryTransaction: if another transaction made it that this one cannot see yet.
        """
        if self.known is not None:
            return self.known
        found = sql.execute(_statement(self._table)).scalar()
        if not found:
            # what this transaction makes may be rolled back: from now on only committed secrets are remembered
            self._made = True
            stamp_secret(sql)
            found = sql.execute(_statement(self._table).with_for_update(read=True)).scalar()
            if not found:
                raise RetryTransaction("the installation's secret was made by a transaction not visible yet")
        if not self._made:
            self._seen = Secret(found)
        return Secret(found)

    def __repr__(self) -> str:
        return f"<the installation's secret, {'known' if self.known else 'not read yet'}>"


def stamp_secret(sql: Sql) -> None:
    """Stamp the database with a random secret unless it has one."""
    sql.claim(sql.tables["installation"], {"name": SECRET, "value": new_secret().reveal()})


def _statement(installation: Table) -> Select[Any]:
    return select(installation.c.value).where(installation.c.name == SECRET)
