"""The tables in the database: who owns them, and which installation they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from hmac import compare_digest

from sqlalchemy import Connection, Inspector, MetaData, Table, inspect, select, update
from sqlalchemy.schema import CreateSchema

from crmkit.clock import FOREVER
from crmkit.errors import SchemaError
from crmkit.sql.connection import Sql
from crmkit.sql.events import CURSOR
from crmkit.sql.secret import stamp_secret

OWNER, PLACE, VERSION, SECRET_MARK = "owner", "place", "schema_version", "secret_mark"
SCHEMA_VERSION = "1"
BY_CRM, BY_MIGRATE, BY_HOST = "crm.create_tables()", "crmkit migrate", "the host's own migrations"


def create_tables(
    connection: Connection, metadata: MetaData, tables: Mapping[str, Table], place: str
) -> None:
    """Create the tables that are missing and stamp the database with their owner and its place.

    Args:
        connection: in a transaction that the caller commits.
        metadata: holds the tables.
        tables: ours by name; other tables in the metadata are left to the host.
        place: what the installation is known by.

    Raises:
        SchemaError: if another owner keeps the tables.
    """
    installation = tables["installation"]
    if installation.schema and connection.dialect.name != "sqlite":
        connection.execute(CreateSchema(installation.schema, if_not_exists=True))
    sql = Sql(connection, tables)
    # asked once: asking for each table by itself takes longer than making them
    there = inspect(connection)
    existing = set(there.get_table_names(schema=installation.schema))
    if installation.name in existing:
        refuse_other_owner(sql, BY_CRM)
        _refuse_older(there, tables["contacts"])
    missing = [one for one in tables.values() if one.name not in existing]
    metadata.create_all(connection, tables=missing, checkfirst=False)
    stamp(sql, BY_CRM, place)


def _refuse_older(there: Inspector, table: Table) -> None:
    has = {column["name"] for column in there.get_columns(table.name, schema=table.schema)}
    for column in table.columns:
        if column.name not in has:
            raise SchemaError(
                f"table {table.name} has no column {column.name}: an older crmkit made it; "
                "to bring it up to date: crmkit migrate --adopt"
            )


def stamp(sql: Sql, owner: str, place: str) -> None:
    """Stamp the database with the tables' owner and, unless it has one, its place."""
    for name, value in {OWNER: owner, PLACE: place, VERSION: SCHEMA_VERSION}.items():
        sql.claim(sql.tables["installation"], {"name": name, "value": value})
    stamp_secret(sql)
    ensure_cursor(sql, CURSOR)


def refuse_other_owner(sql: Sql, owner: str) -> None:
    """Refuse to touch tables that another way of migrating keeps.

    Raises:
        SchemaError: naming that way.
    """
    found = read_stamp(sql, OWNER)
    if found not in ("", owner):
        raise SchemaError(f"the tables are kept by {found}; {owner} would contradict it, use {found} instead")


def read_stamp(sql: Sql, name: str) -> str:
    """Return a stamp of the installation, or empty text.

    Args:
        sql: a transaction's connection.
        name: which stamp.
    """
    installation = sql.tables["installation"]
    return str(sql.execute(select(installation.c.value).where(installation.c.name == name)).scalar() or "")


def adopt(sql: Sql, owner: str, place: str) -> None:
    """Stamp the database with a new place: messages are sent from there from now on."""
    stamp(sql, owner, place)
    installation = sql.tables["installation"]
    sql.execute(update(installation).where(installation.c.name == PLACE).values(value=place))


def hand_over(sql: Sql, owner: str) -> None:
    """Stamp the database with another owner of its tables."""
    installation = sql.tables["installation"]
    sql.execute(update(installation).where(installation.c.name == OWNER).values(value=owner))


def same_secret(sql: Sql, mark: str) -> bool:
    """Tell whether digests are made under the secret under which they always were.

    Args:
        sql: a transaction's connection.
        mark: what shows the secret without telling it; the first one that is seen is kept.
    """
    found = read_stamp(sql, SECRET_MARK)
    if not found:
        sql.claim(sql.tables["installation"], {"name": SECRET_MARK, "value": mark})
    return not found or compare_digest(found, mark)


def mark_secret(sql: Sql, mark: str) -> None:
    """Take another secret for the right one from now on."""
    if not same_secret(sql, mark):
        installation = sql.tables["installation"]
        sql.execute(update(installation).where(installation.c.name == SECRET_MARK).values(value=mark))


def ensure_cursor(sql: Sql, name: str) -> None:
    """Add a cursor at position 0 if there is none of that name."""
    row = {"name": name, "position": 0, "lease_until": FOREVER, "holder": None}
    sql.claim(sql.tables["cursors"], row)
