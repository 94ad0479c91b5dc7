"""Contacts set-wise: who has which points, found by one statement a kind; many contacts, one statement a table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs
from sqlalchemy import Select, Table, Text, and_, bindparam, func, select, true, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import IntegrityError

from crmkit.contacts import Contact, ContactPoint
from crmkit.errors import RetryTransaction
from crmkit.sql.aliases import read_many_ids
from crmkit.sql.connection import Sql, prepared
from crmkit.sql.contacts import columns_of, contact_columns, point_columns
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
    wanted = prepared(table, f"holders {sql.database}", _BUILD.get(sql.database, _holders))
    found: dict[Identity, Holders] = {}
    for (kind, scope), keys in _grouped(points).items():
        for page in _pages(keys):
            values = {"kind": kind, "scope": scope, "keys": page}
            for row in sql.execute(wanted, values):
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


def _holders_one_by_one(table: Table) -> Select[Any]:
    """Look each key up by itself: without statistics PostgreSQL reads every point of the kind for each list of keys."""
    wanted = (
        func.unnest(bindparam("keys", type_=ARRAY(Text())))
        .table_valued("key", name="wanted")
        .render_derived()
    )
    c = table.c
    own = and_(c.kind == bindparam("kind"), c.scope == bindparam("scope"), c.key == wanted.c.key)
    # an offset is never planned away
    point = select(c.key, c.contact_id, c.rank).where(own).offset(0).lateral()
    return select(point).select_from(wanted.join(point, true())).order_by(point.c.key, point.c.rank)


_BUILD = {"postgresql": _holders_one_by_one}


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
    if contacts:
        stamps = [tx.now] * len(contacts)
        _insert(tx, "contacts", contact_columns(contacts) | {"created_at": stamps, "updated_at": stamps})
        write_keys(tx, contacts)


def write_points(tx: Transaction, points: Sequence[NewPoint]) -> None:
    """Write points that nobody has at these ranks, in the order of their key, which keeps two from a deadlock.

    Raises:
        RetryTransaction: if another transaction has given one of them away since they were looked up.
    """
    ordered = sorted(points, key=lambda new: (*identity(new.point), new.rank))
    if not ordered:
        return
    places: dict[str, list[Any]] = {
        "rank": [new.rank for new in ordered],
        "contact_id": [new.contact_id for new in ordered],
        "ordinal": [new.ordinal for new in ordered],
        "added_at": [tx.now] * len(ordered),
    }
    _insert(tx, "contact_points", point_columns([new.point for new in ordered]) | places)


def write_changes(tx: Transaction, changed: Iterable[tuple[Contact, Collection[str]]]) -> None:
    """Write fields of contacts that are there already.

    Args:
        tx: the transaction.
        changed: contacts with the fields that changed; another transaction may have changed others of them.
    """
    table = tx.sql.tables["contacts"]
    groups: dict[tuple[str, ...], list[Contact]] = {}
    for contact, fields in changed:
        groups.setdefault(tuple(sorted(fields)), []).append(contact)
    for fields, contacts in groups.items():
        rows = [
            {"b_id": contact.id, "updated_at": tx.now}
            | columns_of({field: getattr(contact, field) for field in fields})
            for contact in contacts
        ]
        statement = prepared(table, f"change {' '.join(fields)}", partial(_change, names=list(rows[0])[1:]))
        tx.sql.execute(statement, rows)
        refresh_keys(tx, contacts)


def _change(table: Table, names: Sequence[str]) -> Any:
    values: dict[str, Any] = {name: bindparam(name) for name in names}
    return update(table).where(table.c.id == bindparam("b_id")).values(values)


def _insert(tx: Transaction, table: str, columns: Mapping[str, Sequence[Any]]) -> None:
    try:
        tx.sql.insert_columns(tx.sql.tables[table], columns)
    except IntegrityError as error:
        raise RetryTransaction(f"a row of {table!r} was written by another transaction") from error
