"""Inserting a new contact's row in the host's table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, insert
from sqlalchemy.exc import IntegrityError

from crmkit.contacts import Contact
from crmkit.errors import ConfigError, RetryTransaction, ValueRefused
from crmkit.sql.mapped.keys import is_uuid
from crmkit.sql.mapped.table import HostTable

if TYPE_CHECKING:
    from crmkit.sql.mapped.store import MappedContacts
    from crmkit.transaction import Transaction

_UNIQUE_STATES = {"23505"}
_UNIQUE_NUMBERS = {1062}
_UNIQUE_CODES = {1555, 2067}  # SQLite's extended codes of a primary key and a unique key


def insert_row(
    store: MappedContacts, tx: Transaction, contact: Contact, values: dict[str, Any]
) -> str | None:
    """Insert a row and return its primary key as text; None if a row that came first has one of the points.

    Args:
        store: the mapping.
        tx: the transaction.
        contact: the new contact.
        values: what is known of the row, by column.

    Raises:
        ConfigError: if the host's table needs values that nobody gave, or the new row does not fulfil `where`.
        ValueRefused: if the host's table refuses the row.
        RetryTransaction: if a row that this transaction cannot see yet has one of its unique values.
    """
    host = store.host(tx.sql)
    given = {**_equalities(store.where), **values, **store.defaults}
    given |= {name: key for name, key in _key(store, host, contact).items() if name not in given}
    _refuse_missing(host, given)
    named = {host.column(name): value for name, value in given.items()}
    try:
        with tx.sql.isolated():
            done = tx.sql.execute(insert(host.table).values(named))
    except IntegrityError as error:
        if any(host.having(tx.sql, point) for point in contact.points):
            return None
        raise _refused(host, error) from None  # the driver's words tell the values
    made = done.inserted_primary_key
    by_name = dict(zip((c.name for c in host.table.primary_key.columns), made or (), strict=False))
    pk = host.keys.text([by_name.get(c.name, given.get(c.name)) for c in host.keys.columns])
    if pk not in host.by_keys(tx.sql, [pk]):
        raise ConfigError(
            f"a new row of {host.table.fullname} does not fulfil the mapping's where=; "
            "give the values of its columns as defaults={...}"
        )
    return pk


def _equalities(where: Any) -> dict[str, Any]:
    if not isinstance(where, Mapping):
        return {}
    return {
        name: value for name, value in where.items() if not isinstance(value, (list, tuple, set, frozenset))
    }


def _key(store: MappedContacts, host: HostTable, contact: Contact) -> dict[str, Any]:
    if len(host.keys.columns) != 1:
        return {}
    column = host.keys.columns[0]
    if store.new_key is not None:
        return {column.name: store.new_key(contact)}
    fills_itself = column.default is not None or column.server_default is not None
    if is_uuid(column) and not fills_itself:
        return {column.name: contact.id if getattr(column.type, "as_uuid", True) else str(contact.id)}
    return {}


def _refuse_missing(host: HostTable, given: Mapping[str, Any]) -> None:
    missing = [
        column.name for column in host.table.c if _is_needed(host, column) and given.get(column.name) is None
    ]
    if missing:
        raise ConfigError(
            f"a new row of {host.table.fullname} needs a value of {', '.join(missing)}; "
            f"give defaults={{{missing[0]!r}: ...}} (new_key=... for a primary key), or map with read_only=True"
        )


def _is_needed(host: HostTable, column: Column[Any]) -> bool:
    if column.nullable or column.default is not None or column.server_default is not None:
        return False
    return (
        column.computed is None and column.identity is None and column is not host.table.autoincrement_column
    )


def _refused(host: HostTable, error: IntegrityError) -> Exception:
    original: Any = error.orig
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    code = getattr(original, "sqlite_errorcode", None)
    number = original.args[0] if getattr(original, "args", ()) else None
    if state in _UNIQUE_STATES or number in _UNIQUE_NUMBERS or code in _UNIQUE_CODES:
        return RetryTransaction(
            f"a row of {host.table.fullname} that this transaction cannot see yet, or that the mapping's where= "
            "hides, has one of the new row's unique values"
        )
    return ValueRefused(
        f"the host's table {host.table.fullname} refused the new row: a constraint of its own"
    )
