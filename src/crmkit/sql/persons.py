"""The rows that belong to one person, found, read and cleared by what the tables declare."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import attrs
from sqlalchemy import (
    Column,
    ColumnElement,
    Table,
    and_,
    bindparam,
    delete,
    false,
    or_,
    select,
    true,
    update,
)

from crmkit.clock import FOREVER
from crmkit.contacts import ContactPoint, PointKind
from crmkit.contacts.keys import address_key
from crmkit.messages import DeliveryState
from crmkit.sql.connection import Sql
from crmkit.sql.layout.outbox import BY_ERASURE
from crmkit.sql.privacy import Declared, declarations
from crmkit.sql.tables import ERASED
from crmkit.sql.types import Id, Instant, Json, Minor

_AT_ONCE = 1000

#: What becomes of deliveries whose recipient is erased; of one that was handed off nobody will know.
_FATES = {
    DeliveryState.QUEUED: DeliveryState.SUPPRESSED,
    DeliveryState.CLAIMED: DeliveryState.SUPPRESSED,
    DeliveryState.HELD: DeliveryState.SUPPRESSED,
    DeliveryState.HANDED: DeliveryState.UNKNOWN,
    DeliveryState.PENDING: DeliveryState.UNKNOWN,
}


@attrs.frozen
class Person:
    """Under what a person's rows are found.

    Args:
        ids: every id of the contact.
        addresses: every address that is theirs.
    """

    ids: tuple[UUID, ...]
    addresses: tuple[str, ...] = ()


def person(sql: Sql, ids: Sequence[UUID], *, addresses: Iterable[str] = (), own: bool = False) -> Person:
    """Return a person with the addresses under which rows of theirs may stand that name no contact.

    Args:
        sql: the transaction's connection.
        ids: every id of the contact.
        addresses: those that a store outside the CRM's tables knows.
        own: leave out addresses that another contact has as well.
    """
    points = sql.tables["contact_points"]
    known = Person(tuple(ids))
    found: set[str] = set(addresses)
    for one in declarations(sql.tables):
        for name in one.addresses:
            for clause in _clauses(sql, one, known):
                found.update(sql.execute(select(one.table.c[name]).where(clause)).scalars())
    mine = select(points.c.kind, points.c.scope, points.c.key, points.c.value)
    held = sql.execute(mine.where(points.c.contact_id.in_(ids))).all()
    told = _told(sql, known)
    found |= {text for row in held for text in (row.key, row.value)} | {text for _, _, text in told}
    found -= {"", *map(str, ids)}
    if own and found:
        kinds = {("email", ""), ("phone", ""), *((row.kind, row.scope) for row in held)}
        kinds |= {(kind, scope) for kind, scope, _ in told}
        found -= _shared(sql, ids, found, sorted(kinds))
    return Person(known.ids, tuple(sorted(found)))


def _told(sql: Sql, whose: Person) -> set[tuple[str, str, str]]:
    """Return the addresses that the log tells of, those that were removed among them, with their kind and scope."""
    found: set[tuple[str, str, str]] = set()
    for row in rows_of(sql, Declared.of("event_personal", sql.tables["event_personal"]), whose):
        points = row.data.get("points", ())
        for point in [*points, row.data.get("point", "")]:
            found.update(_forms(str(point)))
    return found


def _forms(point: str) -> Iterator[tuple[str, str, str]]:
    """Yield the kind, the scope and each form of the address of a point, as `str` tells it."""
    kind, _, text = point.partition(":")
    if kind not in tuple(PointKind):
        return
    scope, colon, rest = text.partition(":")
    scoped = bool(colon) and kind not in (PointKind.EMAIL, PointKind.PHONE)
    for within, address in (("", text), (scope, rest)) if scoped else (("", text),):
        for form in (address, address.casefold(), address_key(PointKind(kind), address)):
            yield kind, within, form


def _shared(
    sql: Sql, ids: Sequence[UUID], addresses: Collection[str], kinds: Sequence[tuple[str, str]]
) -> set[str]:
    """Return which addresses are another contact's as well: what went there is not one person's alone."""
    c = sql.tables["contact_points"].c
    folded = sorted({*addresses, *(text.casefold() for text in addresses)})
    keys: set[str] = set()
    for kind, scope in kinds:
        for page in _pages(folded):
            theirs = select(c.key).where(c.kind == kind, c.scope == scope, c.key.in_(page))
            keys.update(sql.execute(theirs.where(c.contact_id.not_in(ids))).scalars())
    return {text for text in addresses if text in keys or text.casefold() in keys}


def is_shared(sql: Sql, point: ContactPoint, ids: Sequence[UUID]) -> bool:
    """Return whether a point is another contact's as well."""
    c = sql.tables["contact_points"].c
    same = and_(c.kind == point.kind, c.scope == point.scope, c.key == point.key)
    return sql.execute(select(c.key).where(same, c.contact_id.not_in(ids)).limit(1)).first() is not None


def belongs(one: Declared, whose: Person, tables: Mapping[str, Table]) -> ColumnElement[bool]:
    """Return the clause that a table's rows belong to a person."""
    c = one.table.c
    clauses: list[ColumnElement[bool]] = [c[name].in_(whose.ids) for name in one.subjects]
    nobody = [c[name].is_(None) for name in one.subjects]
    if whose.addresses:
        clauses += [and_(true(), *nobody, c[name].in_(whose.addresses)) for name in one.addresses]
    for name, parent in one.parents:
        above = Declared.of(parent, tables[parent])
        clauses.append(c[name].in_(select(above.table.c.id).where(belongs(above, whose, tables))))
    return or_(false(), *clauses)


def rows_of(sql: Sql, one: Declared, whose: Person, *, lock: bool = False) -> Sequence[Any]:
    """Return the rows of a table that belong to a person, in the order of its primary key.

    Args:
        sql: the transaction's connection.
        one: the table.
        whose: the person.
        lock: see what was committed since the transaction's snapshot, and keep others from it.
    """
    keys = [column.name for column in one.table.primary_key]
    found = {}
    for clause in _clauses(sql, one, whose):
        statement = select(one.table).where(clause)
        for row in sql.execute(statement.with_for_update() if lock else statement):
            found[tuple(getattr(row, name) for name in keys) or tuple(row)] = row
    return [found[key] for key in sorted(found)]


def _clauses(sql: Sql, one: Declared, whose: Person) -> Iterator[ColumnElement[bool]]:
    """Return by what a person's rows are found, each with an index of its own: together they would have none."""
    c = one.table.c
    for name in one.subjects:
        yield c[name].in_(whose.ids)
    nobody = [c[name].is_(None) for name in one.subjects]
    for name in one.addresses:
        for page in _pages(whose.addresses):
            yield and_(true(), *nobody, c[name].in_(page))
    for name, parent in one.parents:
        for page in _pages(_ids(sql, Declared.of(parent, sql.tables[parent]), whose)):
            yield c[name].in_(page)


def _ids(sql: Sql, one: Declared, whose: Person) -> Sequence[UUID]:
    found: set[UUID] = set()
    for clause in _clauses(sql, one, whose):
        found.update(sql.execute(select(one.table.c.id).where(clause)).scalars())
    return sorted(found)


def clear(sql: Sql, one: Declared, whose: Person) -> int:
    """Delete a person's rows or clear what they hold of the person; return how many rows changed."""
    if one.keeps:
        return 0
    rows = rows_of(sql, one, whose, lock=True)
    if one.deletes:
        return delete_rows(sql, one.table, rows)
    return clear_rows(sql, one, rows)


def clear_rows(sql: Sql, one: Declared, rows: Sequence[Any]) -> int:
    """Clear what rows hold of a person; return how many rows changed."""
    changed = would_clear(one, rows)
    if changed:
        c = one.table.c
        written = {name: bindparam(f"v_{name}", type_=c[name].type) for name in one.personal}
        sql.execute(update(one.table).where(_is_row(one.table)).values(written), changed)
    return len(changed)


def would_clear(one: Declared, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Return for the rows that hold something of a person their key, and what stays of the values."""
    changed = []
    for row in rows:
        values = {name: _left(one.table.c[name], row) for name in one.personal}
        if any(getattr(row, name) != value for name, value in values.items()):
            key = {f"k_{column.name}": getattr(row, column.name) for column in one.table.primary_key}
            changed.append(key | {f"v_{name}": value for name, value in values.items()})
    return changed


def delete_rows(sql: Sql, table: Table, rows: Sequence[Any]) -> int:
    """Delete rows; return how many there were."""
    names = [column.name for column in table.primary_key]
    if len(names) == 1:
        for page in _pages(rows):
            ids = [getattr(row, names[0]) for row in page]
            sql.execute(delete(table).where(table.c[names[0]].in_(ids)))
    elif rows:
        keys = [{f"k_{name}": getattr(row, name) for name in names} for row in rows]
        sql.execute(delete(table).where(_is_row(table)), keys)
    return len(rows)


def _is_row(table: Table) -> ColumnElement[bool]:
    return and_(*(column == bindparam(f"k_{column.name}", type_=column.type) for column in table.primary_key))


def _left(column: Column[Any], row: Any) -> Any:
    """Return what erasure leaves of a value."""
    function = column.info.get(ERASED)
    if function is not None:
        return function(row)
    return None if column.nullable else empty(column)


def empty(column: Column[Any]) -> Any:
    """Return the value that says nothing, of a column that cannot be NULL."""
    kinds: tuple[tuple[type, Any], ...] = ((Json, {}), (Instant, FOREVER), (Minor, 0), (Id, UUID(int=0)))
    return next((value for kind, value in kinds if isinstance(column.type, kind)), "")


def _pages(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]


def clear_mentions(sql: Sql, values: Collection[str]) -> int:
    """Clear the words of failures that repeat one of these values; return how many.

    What code failed at may be about nobody in particular and still repeat an address.
    """
    failures, cleared = sql.tables["failures"], 0
    for value in sorted(values):
        mentioned = failures.c.error.icontains(value, autoescape=True)
        cleared += sql.execute(update(failures).where(mentioned).values(error="")).rowcount
    return cleared


def delete_points(sql: Sql, ids: Sequence[UUID]) -> int:
    """Delete a contact's points; those that others share resolve to the next of them. Return how many."""
    points = sql.tables["contact_points"]
    mine = select(points).where(points.c.contact_id.in_(ids)).with_for_update()
    rows = sql.execute(mine).all()
    delete_rows(sql, points, rows)
    for row in rows:
        same = and_(points.c.kind == row.kind, points.c.scope == row.scope, points.c.key == row.key)
        ranks = select(points.c.rank).where(same).order_by(points.c.rank).limit(1).with_for_update()
        heir = sql.execute(ranks).scalar()
        if heir:
            sql.execute(update(points).where(same, points.c.rank == heir).values(rank=0))
    return len(rows)


def cancel_deliveries(sql: Sql, whose: Person) -> int:
    """End deliveries to a person that are not settled, also those that a worker is sending; return how many."""
    deliveries = sql.tables["deliveries"]
    waiting = {row.id: row for row in rows_of(sql, Declared.of("deliveries", deliveries), whose, lock=True)}
    ended = 0
    for state, fate in _FATES.items():
        ids = [id for id, row in waiting.items() if row.state == state]
        for page in _pages(ids):
            values = {"state": fate, "reason": BY_ERASURE, "due_at": FOREVER, "claim": None}
            sql.execute(update(deliveries).where(deliveries.c.id.in_(page)).values(values))
        ended += len(ids)
    return ended
