"""Rows that a key names for ever: the same call again finds the stored row, other content is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, bindparam, select

from crmkit import KeyConflict, RetryTransaction, Transaction, ValueRefused
from crmkit.sql import prepared

Row = Mapping[str, Any]

KEY_LIMIT = 200


def key_of(value: object) -> str:
    """Return a caller's key.

    Raises:
        ValueRefused: if it is no text of 1 to 200 characters.
    """
    if not isinstance(value, str) or not 1 <= len(value) <= KEY_LIMIT:
        raise ValueRefused(f"key is {value!r}; it must be a text of 1 to {KEY_LIMIT} characters")
    return value


def by_key(tx: Transaction, table: Table, key: str, *, locked: bool = False) -> Row | None:
    """Return the row with a key, or None; `locked` reads past the transaction's snapshot."""

    def build(table: Table) -> Any:
        statement = select(table).where(table.c.key == bindparam("key"))
        return statement.with_for_update(read=True) if locked else statement

    row = tx.sql.execute(prepared(table, f"by key {locked}", build), {"key": key}).mappings().first()
    return None if row is None else dict(row)


def stored(tx: Transaction, table: Table, key: str, given: Row, *, locked: bool = False) -> Row | None:
    """Return the row that stands under a key, or None.

    Args:
        tx: the transaction.
        table: it has a unique column `key`.
        key: the key.
        given: what the row must say, by column; a `contact_id` may be any of the contact's.
        locked: whether to read past the transaction's snapshot.

    Raises:
        KeyConflict: if the row says something else.
    """
    found = by_key(tx, table, key, locked=locked)
    if found is not None:
        refuse_other(tx, key, found, given)
    return found


def once(tx: Transaction, table: Table, row: Row, same: Sequence[str]) -> tuple[Row, bool]:
    """Insert a row unless its key is taken; return what stands there, and whether it was inserted now.

    Args:
        tx: the transaction.
        table: as for `stored`.
        row: all columns.
        same: the columns in which a stored row must agree.

    Raises:
        KeyConflict: if it does not.
        RetryTransaction: if the row is not to be seen yet.
    """
    if tx.sql.claim(table, row):
        return row, True
    found = by_key(tx, table, row["key"], locked=True)
    if found is None:
        raise RetryTransaction(
            f"key {row['key']!r} was written by a transaction that this one cannot see yet"
        )
    refuse_other(tx, row["key"], found, {name: row[name] for name in same})
    return found, False


def refuse_other(tx: Transaction, key: str, found: Row, given: Row) -> None:
    """Refuse a row that says something else than what is given.

    Raises:
        KeyConflict: if it does.
    """
    for name, value in given.items():
        same = found[name] == value
        if name == "contact_id" and not same and None not in (found[name], value):
            same = found[name] in tx.contacts.ids(value)
        if not same:
            raise KeyConflict(key, stored={name: found[name] for name in given}, given=dict(given))
