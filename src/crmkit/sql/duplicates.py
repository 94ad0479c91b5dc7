"""Duplicates in the database: the keys of contacts, whom they lead to, and all contacts as records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from json import loads
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, bindparam, func, select, type_coerce
from sqlalchemy.types import NullType

from crmkit.contacts import Contact, PointKind
from crmkit.duplicates.folding import fold_email
from crmkit.duplicates.keys import KEY_LIMIT, keys_of
from crmkit.duplicates.pages import Page
from crmkit.duplicates.record import Place, Record, distinct, names_of, place_of, record_of
from crmkit.sql.aliases import is_merged
from crmkit.sql.connection import Sql, insert_or_ignore, prepared
from crmkit.sql.types import Text

if TYPE_CHECKING:
    from crmkit.transaction import Transaction

#: The most contacts that one check compares; those that share the most keys come first.
CANDIDATES = 100

#: The fields of a contact from which its keys are made, beside its points.
KEYED = frozenset(("name", "given_name", "family_name", "kind", "name_order", "birth_date"))
KEYED_POINTS = frozenset((PointKind.EMAIL, PointKind.PHONE, PointKind.POSTAL))

_AT_ONCE = 1000
_PAGE = 10_000
_FEW = 8  # most contacts have no more keys
_NAMES = ("name", "given_name", "family_name", "kind", "name_order", "birth_date")
_POINT = ("kind", "key", "value", "scope", "parts")


def secret(tx: Transaction) -> bytes:
    """Return the secret under which keys are made."""
    return tx.digest("duplicate keys", "1")


def write_keys(tx: Transaction, contacts: Iterable[Contact]) -> None:
    """Write the keys of contacts that were just added.

    Args:
        tx: the transaction.
        contacts: as their rows are, not as one with others.
    """
    under = secret(tx)
    ids: list[UUID] = []
    keys: list[int] = []
    for contact in contacts:
        found = keys_of(record_of(contact), under)
        ids += [contact.id] * len(found)
        keys += found
    tx.sql.insert_columns(tx.sql.tables["duplicate_keys"], {"contact_id": ids, "key": keys})


def refresh_keys(tx: Transaction, contacts: Sequence[Contact]) -> int:
    """Make the keys of contacts what they should be; return how many were wrong.

    Args:
        tx: the transaction.
        contacts: as their rows are now.
    """
    table, under = tx.sql.tables["duplicate_keys"], secret(tx)
    changed = 0
    for start in range(0, len(contacts), _AT_ONCE):
        page = contacts[start : start + _AT_ONCE]
        have = read_keys(tx.sql, [contact.id for contact in page])
        want = {contact.id: set(keys_of(record_of(contact), under)) for contact in page}
        gone = [(id, key) for id, keys in want.items() for key in sorted(have.get(id, set()) - keys)]
        fresh = [(id, key) for id, keys in want.items() for key in sorted(keys - have.get(id, set()))]
        for id, key in gone:
            tx.sql.execute(prepared(table, "drop key", _drop_key), {"of": id, "gone": key})
        if fresh:  # another transaction may have written the same for the same contact
            rows = [{"contact_id": id, "key": key} for id, key in fresh]
            tx.sql.execute(insert_or_ignore(table, tx.sql.database), rows)
        changed += len(gone) + len(fresh)
    return changed


def read_keys(sql: Sql, ids: Sequence[UUID]) -> dict[UUID, set[int]]:
    """Return the keys of contacts, at most 1000 of them."""
    found: dict[UUID, set[int]] = {}
    table = sql.tables["duplicate_keys"]
    for row in sql.execute(prepared(table, "keys of", _keys_of), {"ids": list(ids)}):
        found.setdefault(row.contact_id, set()).add(row.key)
    return found


def _keys_of(table: Table) -> Select[Any]:
    ids = bindparam("ids", expanding=True, type_=table.c.contact_id.type)
    return select(table.c.contact_id, table.c.key).where(table.c.contact_id.in_(ids))


def _drop_key(table: Table) -> Any:
    return table.delete().where(table.c.contact_id == bindparam("of"), table.c.key == bindparam("gone"))


def candidate_ids(sql: Sql, keys: Sequence[int]) -> list[UUID]:
    """Return the contacts that share a key, those that share the most first; at most a hundred."""
    if not keys:
        return []
    table = sql.tables["duplicate_keys"]
    values, name = _padded(keys)
    statement = prepared(table, f"sharing {name}", lambda table: _sharing(table, len(values)))
    return list(sql.execute(statement, values).scalars())


def candidates(sql: Sql, keys: Sequence[int]) -> tuple[dict[UUID, Record], set[UUID]]:
    """Return the contacts in crmkit's own tables that share a key, as records, and those of them that were merged.

    Args:
        sql: the transaction's connection.
        keys: of the contact that is checked.
    """
    if not keys:
        return {}, set()
    table, values = sql.tables["contacts"], _padded(keys)[0]
    statement = prepared(table, f"candidates {len(values)}", lambda _: _candidates(sql.tables, len(values)))
    grouped: dict[UUID, list[Any]] = {}
    for row in sql.execute(statement, values).all():
        grouped.setdefault(row[0], []).append(row)
    merged = {id for id, rows in grouped.items() if rows[0][-1]}
    return {id: _record(rows) for id, rows in grouped.items()}, merged


def _padded(keys: Sequence[int]) -> tuple[dict[str, int], int]:
    """Return the keys as parameters of one of two statements; the last one stands there as often as it takes."""
    size = _FEW if len(keys) <= _FEW else KEY_LIMIT
    filled = [*keys, *[keys[-1]] * (size - len(keys))]
    return {f"k{number}": key for number, key in enumerate(filled)}, size


def _sharing(table: Table, size: int) -> Select[Any]:
    wanted = [bindparam(f"k{number}", type_=table.c.key.type) for number in range(size)]
    shared = func.count()
    return (
        select(table.c.contact_id)
        .where(table.c.key.in_(wanted))
        .group_by(table.c.contact_id)
        .order_by(shared.desc(), table.c.contact_id)
        .limit(CANDIDATES)
    )


def _candidates(tables: Mapping[str, Table], size: int) -> Select[Any]:
    contacts, points = tables["contacts"], tables["contact_points"]
    sharing = _sharing(tables["duplicate_keys"], size).subquery("sharing")
    merged = is_merged(tables["contact_aliases"], contacts.c.id)
    return (
        select(
            contacts.c.id,
            *(contacts.c[name] for name in _NAMES),
            *(points.c[name].label(f"point_{name}") for name in _POINT),
            points.c.ordinal,
            merged.label("merged"),
        )
        .select_from(sharing)
        .join(contacts, contacts.c.id == sharing.c.contact_id)
        .outerjoin(points, points.c.contact_id == contacts.c.id)
    )


def _record(rows: list[Any]) -> Record:
    if len(rows) > 1:
        rows.sort(key=lambda row: row[12])
    _, name, given, family, kind, order, birth, *_ = rows[0]
    return _as_record(
        (name, given, family, kind, order, birth), [row[7:12] for row in rows if row[7] is not None]
    )


def _as_record(names: Sequence[Any], points: Iterable[Sequence[Any]]) -> Record:
    name, given, family, kind, order, birth = names
    emails: list[str] = []
    phones: list[str] = []
    places: list[Place] = []
    for what, key, value, scope, parts in points:
        if what == "email":
            emails.append(fold_email(key))
        elif what == "phone":
            phones.append(key)
        elif what == "postal":
            places.append(place_of(loads(parts) if isinstance(parts, str) else parts, value, scope))
    found = names_of(name, given, family, kind, order)
    return Record(*found, birth, distinct(emails), distinct(phones), distinct(places))


def read_pages(sql: Sql) -> Iterator[Page]:
    """Yield the contacts in crmkit's own tables that were not merged into another, by id.

    One with which others were merged is left out as well; `tx.contacts` makes them one.
    """
    after, merged = UUID(int=0), {id.bytes for id in _merged(sql)}
    statement = prepared(sql.tables["contacts"], "of a page", lambda _: _names_page(sql))
    points = prepared(sql.tables["contact_points"], "of a page", lambda _: _points_page(sql))
    while rows := sql.execute(statement, {"after": after, "page": _PAGE}).all():
        last = UUID(bytes=bytes(rows[-1][0]))
        of = sql.execute(points, {"after": after, "last": last}).all()
        yield Page([row for row in rows if bytes(row[0]) not in merged], of)
        after = last


def _bytes(sql: Sql, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return an id as 16 bytes."""
    return func.uuid_send(column) if sql.database == "postgresql" else type_coerce(column, NullType())


def _raw(sql: Sql, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a text as the driver gives it, where that is what we want: a million rows are read with this."""
    return type_coerce(column, Text() if sql.database == "mariadb" else NullType())


def _names_page(sql: Sql) -> Select[Any]:
    c = sql.tables["contacts"].c
    return (
        select(_bytes(sql, c.id), *(_raw(sql, c[name]) for name in _NAMES))
        .where(c.id > bindparam("after"))
        .order_by(c.id)
        .limit(bindparam("page"))
    )


def _points_page(sql: Sql) -> Select[Any]:
    c = sql.tables["contact_points"].c
    return (
        select(_bytes(sql, c.contact_id), *(_raw(sql, c[name]) for name in _POINT))
        .where(c.contact_id > bindparam("after"), c.contact_id <= bindparam("last"))
        .order_by(c.contact_id, c.ordinal)
    )


def merged_survivors(sql: Sql) -> list[UUID]:
    """Return the contacts with which others were merged."""
    aliases = sql.tables["contact_aliases"]
    found = select(aliases.c.survivor_id).distinct().order_by(aliases.c.survivor_id)
    return list(sql.execute(found).scalars())


def _merged(sql: Sql) -> set[UUID]:
    aliases = sql.tables["contact_aliases"]
    return {id for row in sql.execute(select(aliases.c.contact_id, aliases.c.survivor_id)) for id in row}
