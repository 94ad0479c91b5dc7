"""Names that are locked until the transaction ends, and reads that look past its snapshot."""

from __future__ import annotations

from typing import Any

from sqlalchemy import MetaData, PrimaryKeyConstraint, Select, Table
from sqlalchemy.dialects import mysql, postgresql, sqlite

from crmkit import Transaction
from crmkit.sql import Minor, Text, column, prepared, table

LOCKS = "loyalty_locks"


def define_tables(metadata: MetaData) -> None:
    """Add the table to the CRM's metadata."""
    table(
        metadata,
        LOCKS,
        column("name", Text(200)),
        # counts up with each lock, so that no two transactions work on the same thing unseen
        column("revision", Minor()),
        PrimaryKeyConstraint("name"),
    )


def lock(tx: Transaction, *names: str) -> None:
    """Lock names until the transaction ends, in their order, so that whoever locks several meets no circle.

    Args:
        tx: the transaction.
        names: what is worked on, such as "gift card:ID".
    """
    found, database = tx.table(LOCKS), tx.sql.database
    statement = prepared(found, f"touch {database}", lambda found: _touch(found, database))
    for name in sorted(set(names)):
        tx.sql.execute(statement, {"name": name, "revision": 1})


def latest(tx: Transaction, statement: Select[Any], locked: bool = True) -> Select[Any]:
    """Return a statement that reads what is committed, whatever the snapshot shows.

    Args:
        tx: the transaction.
        statement: reads what the caller has locked by its name.
        locked: whether it has; if not the statement stays as it is, for it would lock what nobody works on.
    """
    # PostgreSQL refuses a stale snapshot when the name is locked; MariaDB must be told to look past it
    return statement.with_for_update(read=True) if locked and tx.sql.database == "mariadb" else statement


def _touch(locks: Table, database: str) -> Any:
    more = {"revision": locks.c.revision + 1}
    if database == "mariadb":
        return mysql.insert(locks).on_duplicate_key_update(more)
    insert = sqlite.insert if database == "sqlite" else postgresql.insert
    return insert(locks).on_conflict_do_update(index_elements=["name"], set_=more)
