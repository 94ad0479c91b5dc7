"""MappedSuite: the storage suite over a mapping of a table of yours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from sqlalchemy import Table, insert, select, update

from crmkit.contacts import HostKey, PointKind
from crmkit.errors import ConfigError
from crmkit.sql.connection import Sql
from crmkit.sql.mapped import MappedContacts
from crmkit.sql.mapped.table import HostTable
from crmkit.testing.storage.suite import StorageSuite


class MappedSuite(StorageSuite):
    """Tests a `MappedContacts` against the laws of `docs/reference/storage-suite.md`.

    Subclass it and write `make_crm`, which gives a CRM with your mapping on a database where your table stands empty.

    Args (class attributes):
        visible: values of further columns in the rows that the tests insert.
        hidden: values that make a row one that the mapping's `where` leaves out.
    """

    __test__ = False

    visible: ClassVar[Mapping[str, Any]] = {}
    hidden: ClassVar[Mapping[str, Any]] = {}

    def host_key(self) -> Mapping[str, Any]:
        """Return the primary key of a new row, by column, where the database does not give it."""
        return {}

    def host_add(self, name: str, email: str) -> HostKey:
        """Insert a row."""
        row = {**self._columns(name, email), **self.visible, **self.host_key()}
        table, keys = self._table, self._host.keys
        with self.crm.engine.begin() as connection:
            made = connection.execute(insert(table).values(row)).inserted_primary_key
        given = dict(zip((column.name for column in table.primary_key), made or (), strict=False))
        return HostKey(keys.store, keys.text([given.get(c.name, row.get(c.name)) for c in keys.columns]))

    def host_change(self, key: HostKey, name: str, email: str) -> None:
        """Change a row."""
        self._set(key, self._columns(name, email))

    def host_hide(self, key: HostKey) -> None:
        """Hide a row."""
        if not self.hidden:
            raise ConfigError(
                f"{type(self).__name__} needs hidden={{...}}, which the mapping's where leaves out"
            )
        self._set(key, self.hidden)

    def host_delete(self, key: HostKey) -> None:
        """Delete a row."""
        delete = self._table.delete().where(self._host.is_row(key.pk))
        with self.crm.engine.begin() as connection:
            connection.execute(delete)

    def host_rows(self) -> Sequence[Any]:
        """Return every row."""
        rows = select(self._table).order_by(*self._host.keys.columns)
        with self.crm.engine.connect() as connection:
            return connection.execute(rows).all()

    def _columns(self, name: str, email: str) -> dict[str, Any]:
        columns = self._store_mapped.columns
        points = columns.by_kind(PointKind.EMAIL, "")
        return {columns.fields["name"]: name, points[0].column: email}

    def _set(self, key: HostKey, values: Mapping[str, Any]) -> None:
        change = update(self._table).where(self._host.is_row(key.pk)).values(dict(values))
        with self.crm.engine.begin() as connection:
            connection.execute(change)

    @cached_property
    def _host(self) -> HostTable:
        with self.crm.engine.connect() as connection:
            return self._store_mapped.host(Sql(connection, self.crm.tables))

    @property
    def _table(self) -> Table:
        return self._host.table

    @property
    def _store_mapped(self) -> MappedContacts:
        assert isinstance(self.crm.store, MappedContacts)
        return self.crm.store
