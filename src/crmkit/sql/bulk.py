"""Contacts set-wise: who has which points, found by one statement a kind; many contacts, one statement a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs
from sqlalchemy import Select, Table, and_, bindparam, select, update
from sqlalchemy.exc import IntegrityError

from crmkit.contacts import EDITABLE, Contact, ContactPoint
from crmkit.errors import RetryTransaction
from crmkit.sql.aliases import read_many_ids
from crmkit.sql.connection import Sql, prepared
from crmkit.sql.contacts import columns_of, contact_row, point_row
from crmkit.sql.duplicates import refresh_keys, write_keys

if TYPE_CHECKING:
    from crmkit.transaction import Transaction

AT_ONCE = 1000  # databases take some ten thousand parameters, not any number

#: What tells points apart: kind, scope and key. Cheaper to compare than the points themselves.
Identity = tuple[str, str, str]


@attrs.define
class Holders:
    """Who has a point.

    Args:
        owner: the contact that it resolves to.
        last: the highest rank among those who share it.
        ids: all of them, by the ids under which they are recorded.
    """

    owner: UUID
    last: int
    ids: set[UUID]


def identity(point: ContactPoint) -> Identity:
    """Return what tells a point from others."""
    return (point.kind, point.scope, point.key)


def read_holders(sql: Sql, points: Iterable[ContactPoint]) -> dict[Identity, Holders]:
    """Return who has which of the points; those that nobody has are left out. Merges are followed.

    Args:
        sql: the transaction's connection.
        points: any number.
    """
    table = sql.tables["contact_points"]
    found: dict[Identity, Holders] = {}
    for (kind, scope), keys in _grouped(points).items():
        for page in _pages(keys):
            values = {"kind": kind, "scope": scope, "keys": page}
            for row in sql.execute(prepared(table, "holders", _holders), values):
                holders = found.setdefault((kind, scope, row.key), Holders(row.contact_id, row.rank, set()))
                holders.ids.add(row.contact_id)
                holders.last = row.rank
    _follow_merges(sql, found)
    return found


def _grouped(points: Iterable[ContactPoint]) -> dict[tuple[str, str], list[str]]:
    groups: dict[tuple[str, str], dict[str, None]] = {}
    for point in points:
        groups.setdefault((point.kind, point.scope), {})[point.key] = None
    return {group: list(keys) for group, keys in groups.items()}


def _pages(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), AT_ONCE):
        yield values[start : start + AT_ONCE]


def _holders(table: Table) -> Select[Any]:
    c = table.c
    one = and_(c.kind == bindparam("kind"), c.scope == bindparam("scope"))
    keys = c.key.in_(bindparam("keys", expanding=True))
    return select(c.key, c.contact_id, c.rank).where(one, keys).order_by(c.key, c.rank)


def _follow_merges(sql: Sql, found: Mapping[Identity, Holders]) -> None:
    merged = read_many_ids(sql, {id for holders in found.values() for id in holders.ids})
    for holders in found.values() if merged else ():
        holders.owner = merged.get(holders.owner, (holders.owner,))[0]
        holders.ids = {id for one in holders.ids for id in merged.get(one, (one,))}


@attrs.frozen
class NewPoint:
    """A point to be written.

    Args:
        contact_id: whose.
        point: the address.
        ordinal: its place among the contact's own.
        rank: 0 for the contact that it resolves to; others who share it count up.
    """

    contact_id: UUID
    point: ContactPoint
    ordinal: int
    rank: int


def write_contacts(tx: Transaction, contacts: Sequence[Contact]) -> None:
    """Write the rows of new contacts, their points not among them."""
    stamps = {"created_at": tx.now, "updated_at": tx.now}
    _insert(tx, "contacts", [contact_row(contact) | stamps for contact in contacts])
    write_keys(tx, contacts)


def write_points(tx: Transaction, points: Sequence[NewPoint]) -> None:
    """Write points that nobody has at these ranks, in the order of their key, which keeps two from a deadlock.

    Raises:
        RetryTransaction: if another transaction has given one of them away since they were looked up.
    """
    ordered = sorted(points, key=lambda new: (*identity(new.point), new.rank))
    now = tx.now
    _insert(
        tx,
        "contact_points",
        [point_row(new.contact_id, new.point, new.ordinal, new.rank, now) for new in ordered],
    )


def write_changes(tx: Transaction, contacts: Sequence[Contact]) -> None:
    """Write the fields of contacts that are there already, in the order of their ids."""
    if not contacts:
        return
    table = tx.sql.tables["contacts"]
    rows = [
        {"b_id": contact.id, "updated_at": tx.now}
        | columns_of({field: getattr(contact, field) for field in EDITABLE})
        for contact in sorted(contacts, key=lambda contact: contact.id)
    ]
    tx.sql.execute(prepared(table, "change many", _change), rows)
    refresh_keys(tx, contacts)


def _change(table: Table) -> Any:
    names = [column.name for column in table.columns if column.name not in ("id", "created_at")]
    values: dict[str, Any] = {name: bindparam(name) for name in names}
    return update(table).where(table.c.id == bindparam("b_id")).values(values)


def _insert(tx: Transaction, table: str, rows: Sequence[dict[str, Any]]) -> None:
    try:
        tx.sql.insert(tx.sql.tables[table], rows)
    except IntegrityError as error:
        raise RetryTransaction(f"a row of {table!r} was written by another transaction") from error
