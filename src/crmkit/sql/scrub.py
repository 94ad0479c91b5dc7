"""What was erased is taken out of the database's files, on a connection outside any transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.exc import DBAPIError

from crmkit.errors import ConfigError, TransactionError
from crmkit.sql.types import family


def scrub(engine: Engine, tables: Collection[Table], *, full: bool = False) -> list[str]:
    """Let the database give up the space in which deleted and changed rows stood; return the statements that did it.

    SQLite rewrites its whole file, the host's tables in it included. PostgreSQL and MariaDB go table by table.

    Args:
        engine: where the tables are.
        tables: the CRM's.
        full: on PostgreSQL, rewrite the tables, which locks them meanwhile, instead of freeing space in them.

    Raises:
        TransactionError: if somebody else's transaction keeps the bytes where they are.
        ConfigError: if the database is in memory.
    """
    database = family(engine.dialect)
    if database == "sqlite":
        return list(_sqlite(engine, tables))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        names = sorted(connection.dialect.identifier_preparer.format_table(table) for table in tables)
        verb = "OPTIMIZE TABLE" if database == "mariadb" else "VACUUM (FULL)" if full else "VACUUM"
        statements = [f"{verb} {name}" for name in names]
        for statement in statements:
            connection.exec_driver_sql(statement)
    return statements


def _sqlite(engine: Engine, tables: Collection[Table]) -> Iterator[str]:
    if engine.url.database in (None, "", ":memory:"):
        raise ConfigError("the database is in memory: there is no file to scrub")
    schema = next((f"{table.schema}." for table in tables if table.schema), "")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # what stands in the write-ahead log of deleted rows is overwritten by VACUUM, and then cut off
        statements = [*_rebuilds(connection, tables, schema), f"VACUUM {schema.rstrip('.')}".strip()]
        for statement in statements:
            try:
                connection.exec_driver_sql(statement)
            except DBAPIError as error:
                raise TransactionError(
                    f"{statement} failed, another connection is at work; run it again: {error.orig}"
                ) from error
            yield statement
        checkpoint = f"PRAGMA {schema}wal_checkpoint(TRUNCATE)"
        busy = connection.exec_driver_sql(checkpoint).first()
        if busy is not None and busy[0]:
            raise TransactionError(
                f"{checkpoint} could not cut the write-ahead log off: another connection is reading; run it again"
            )
        yield checkpoint


def _rebuilds(connection: Connection, tables: Collection[Table], schema: str) -> Iterator[str]:
    """Rebuild full-text indexes over the CRM's tables: they keep the words of deleted rows."""
    made = connection.exec_driver_sql(
        f"SELECT name, sql FROM {schema}sqlite_master WHERE sql LIKE 'CREATE VIRTUAL TABLE%USING fts%'"
    )
    names = {table.name for table in tables}
    for name, statement in made.all():
        if any(one in statement for one in names):
            yield f'INSERT INTO {schema}"{name}"("{name}") VALUES (\'rebuild\')'
