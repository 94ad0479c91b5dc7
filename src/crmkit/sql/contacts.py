"""The contact store over crmkit's own tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs
from sqlalchemy import ColumnElement, Select, Table, and_, bindparam, exists, func, select, update

from crmkit.clock import FOREVER
from crmkit.contacts import (
    EDITABLE,
    Contact,
    ContactPoint,
    FirstNamePermission,
    PointKind,
    PostalAddress,
)
from crmkit.errors import PointTaken, RetryTransaction
from crmkit.sql.aliases import is_merged
from crmkit.sql.connection import Row, Sql, prepared
from crmkit.sql.duplicates import KEYED, KEYED_POINTS, refresh_keys, write_keys
from crmkit.sql.primary import demote_points
from crmkit.sql.source import ContactSource
from crmkit.stores import StoreCapabilities

if TYPE_CHECKING:
    from crmkit.transaction import Transaction


_PERMISSION = ("first_name_at", "first_name_by", "first_name_how")
_CONTACT = ("id", *(field for field in EDITABLE if field != "first_name"), *_PERMISSION)
#: The columns of `contacts` that hold a contact's fields.
FIELD_COLUMNS = _CONTACT[1:]
_POINT = ("kind", "scope", "key", "value", "label", "source", "verified_at", "is_primary", "parts", "ordinal")
_POINTS = len(_CONTACT) + 1  # behind what the contact is, and whether it was merged
_PLACE = ("country", "city", "postcode")
_PARTS = tuple(field.name for field in attrs.fields(PostalAddress))
_POINT_KINDS = {kind.value: kind for kind in PointKind}

_AT_ONCE = 1000  # databases take some ten thousand parameters, not any number


@attrs.frozen(eq=False)
class OwnContacts:
    """Keeps contacts in `crm_contacts` and their points in `crm_contact_points`."""

    capabilities: StoreCapabilities = attrs.field(
        factory=lambda: StoreCapabilities(points_elsewhere=frozenset())
    )

    def for_tenant(self, name: str, schema: str | None) -> OwnContacts:
        """Return itself: it keeps nothing, and every statement is over the transaction's own tables."""
        return self

    def get(self, tx: Transaction, ids: Iterable[UUID]) -> dict[UUID, Contact]:
        """Return the contacts with these ids; those that do not exist are left out."""
        wanted = list(ids)
        if len(wanted) == 1:
            return _read(tx.sql, "by id", _by_id, {"id": wanted[0]})
        found: dict[UUID, Contact] = {}
        for start in range(0, len(wanted), _AT_ONCE):
            found |= _read(tx.sql, "by ids", _by_ids, {"ids": wanted[start : start + _AT_ONCE]})
        return found

    def find(self, tx: Transaction, points: Sequence[ContactPoint]) -> Contact | None:
        """Return the contact that has the first point that anybody has, or None."""
        for point in points:
            address = {"kind": point.kind, "scope": point.scope, "key": point.key}
            if found := _read(tx.sql, "by point", _by_point, address):
                return next(iter(found.values()))
        return None

    def add(self, tx: Transaction, contact: Contact) -> Contact:
        """Keep a new contact with its points, or return the one that owns a point already."""
        points = tx.sql.tables["contact_points"]
        # the points come first: whoever claims them adds the contact; index order keeps two claims from a deadlock
        numbered = sorted(enumerate(contact.points), key=lambda p: (p[1].kind, p[1].scope, p[1].key))
        claimed: list[ContactPoint] = []
        for ordinal, point in numbered:
            if not tx.sql.claim(points, point_row(contact.id, point, ordinal, 0, tx.now)):
                _unclaim(tx, claimed)
                return self._owner(tx, point)
            claimed.append(point)
        tx.sql.insert(
            tx.sql.tables["contacts"],
            [{**contact_row(contact), "created_at": tx.now, "updated_at": tx.now}],
        )
        write_keys(tx, [contact])
        return contact

    def update(self, tx: Transaction, contact_id: UUID, changes: Mapping[str, Any]) -> None:
        """Change fields of a contact."""
        contacts = tx.sql.tables["contacts"]
        tx.sql.execute(
            update(contacts)
            .where(contacts.c.id == contact_id)
            .values(**columns_of(changes), updated_at=tx.now)
        )
        if KEYED & changes.keys():
            self._refresh_keys(tx, contact_id)

    def add_points(
        self, tx: Transaction, contact_id: UUID, points: Sequence[ContactPoint], *, shared: bool = False
    ) -> tuple[ContactPoint, ...]:
        """Give a contact further points; return those that it did not have."""
        table = tx.sql.tables["contact_points"]
        count = select(func.count()).where(table.c.contact_id == contact_id)
        ordinal = int(tx.sql.execute(count).scalar_one())
        added: list[ContactPoint] = []
        for point in sorted(dict.fromkeys(points), key=lambda p: (p.kind, p.scope, p.key)):
            if self._add_point(tx, contact_id, point, ordinal + len(added), shared):
                added.append(point)
        demote_points(tx, [(contact_id, point) for point in added if point.primary])
        if KEYED_POINTS & {point.kind for point in added}:
            self._refresh_keys(tx, contact_id)
        return tuple(added)

    def set_point(self, tx: Transaction, contact_id: UUID, point: ContactPoint) -> None:
        """Give a point that the contact has the details of this one; a primary point is its kind's only one."""
        table = tx.sql.tables["contact_points"]
        row = point_row(contact_id, point, 0, 0, tx.now)
        if point.primary:
            demote_points(tx, [(contact_id, point)])
        details = ("value", "label", "source", "verified_at", "is_primary", "parts", *_PLACE)
        own = and_(same_address(table, point), table.c.contact_id == contact_id)
        tx.sql.execute(update(table).where(own).values({name: row[name] for name in details}))
        if point.kind is PointKind.POSTAL:
            self._refresh_keys(tx, contact_id)

    def remove_point(self, tx: Transaction, contact_id: UUID, point: ContactPoint) -> None:
        """Take a point away from a contact; where others share it, it resolves to the next of them."""
        table = tx.sql.tables["contact_points"]
        holders = (
            select(table.c.contact_id, table.c.rank).where(same_address(table, point)).order_by(table.c.rank)
        )
        rows = tx.sql.execute(holders.with_for_update()).all()
        tx.sql.execute(table.delete().where(same_address(table, point), table.c.contact_id == contact_id))
        left = [row for row in rows if row.contact_id != contact_id]
        if left and left[0].rank != 0:
            heir = and_(same_address(table, point), table.c.rank == left[0].rank)
            tx.sql.execute(update(table).where(heir).values(rank=0))
        if point.kind in KEYED_POINTS:
            self._refresh_keys(tx, contact_id)

    def _refresh_keys(self, tx: Transaction, contact_id: UUID) -> None:
        refresh_keys(tx, list(self.get(tx, [contact_id]).values()))

    def scan(self, tx: Transaction, *, after: UUID | None = None, limit: int = 1000) -> list[Contact]:
        """Return contacts in the order of their ids, for whoever has to see them all."""
        contacts = tx.sql.tables["contacts"]
        page = select(contacts.c.id).where(goes_on(tx, contacts.c.id)).order_by(contacts.c.id).limit(limit)
        ids = tx.sql.execute(page if after is None else page.where(contacts.c.id > after)).scalars().all()
        found = self.get(tx, ids)
        return [found[id] for id in ids if id in found]

    def source(self, tx: Transaction) -> ContactSource | None:
        """Return where the contacts can be asked in SQL."""
        columns = tx.sql.tables["contacts"].c
        fields = {name: columns[name] for name in (*FIELD_COLUMNS, "created_at", "updated_at")}
        return ContactSource(columns.id.table, columns.id, columns.id, fields, goes_on(tx, columns.id))

    def _add_point(
        self, tx: Transaction, contact_id: UUID, point: ContactPoint, ordinal: int, shared: bool
    ) -> bool:
        table = tx.sql.tables["contact_points"]
        rank = 0
        while not tx.sql.claim(table, point_row(contact_id, point, ordinal, rank, tx.now)):
            holders = (
                select(table.c.contact_id, table.c.rank)
                .where(same_address(table, point))
                .order_by(table.c.rank)
            )
            rows = tx.sql.execute(holders.with_for_update(read=True)).all()
            if contact_id in [row.contact_id for row in rows]:
                return False
            if not rows or rows[-1].rank < rank:
                raise RetryTransaction(f"{point} was given to a contact that this transaction cannot see yet")
            if not shared:
                raise PointTaken(point, rows[0].contact_id)
            rank = rows[-1].rank + 1
        return True

    def _owner(self, tx: Transaction, point: ContactPoint) -> Contact:
        table = tx.sql.tables["contact_points"]
        holder = select(table.c.contact_id).where(_is(table, point)).with_for_update(read=True)
        contact_id = tx.sql.execute(holder).scalar()
        found = self.get(tx, [contact_id]) if contact_id else {}
        if contact_id not in found:
            raise RetryTransaction(f"{point} was given to a contact that this transaction cannot see yet")
        return found[contact_id]


def goes_on(tx: Transaction, id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that a contact does not go on as another one after a merge."""
    aliases = tx.sql.tables["contact_aliases"]
    return ~exists().where(aliases.c.contact_id == id)


def _unclaim(tx: Transaction, points: Sequence[ContactPoint]) -> None:
    table = tx.sql.tables["contact_points"]
    for point in points:
        tx.sql.execute(table.delete().where(_is(table, point)))


def contact_row(contact: Contact) -> dict[str, Any]:
    """Return the columns of a contact, but for the instants of its row."""
    return {"id": contact.id, **columns_of({field: getattr(contact, field) for field in EDITABLE})}


def contact_columns(contacts: Sequence[Contact]) -> dict[str, list[Any]]:
    """Return what `contact_row` returns for each of many contacts, column by column."""
    columns: dict[str, list[Any]] = {"id": [contact.id for contact in contacts]}
    for name in FIELD_COLUMNS:
        if name not in _PERMISSION:
            columns[name] = list(map(attrgetter(name), contacts))
    for name in ("business", "internal"):
        columns[name] = list(map(int, columns[name]))
    columns["birth_date"] = [born.isoformat() if born else "" for born in columns["birth_date"]]
    given = [contact.first_name for contact in contacts]
    columns["first_name_at"] = [one.at if one else FOREVER for one in given]
    columns["first_name_by"] = [one.by if one else "" for one in given]
    columns["first_name_how"] = [one.how if one else "" for one in given]
    return columns


def columns_of(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of a contact as the columns that hold them."""
    columns = {name: _plain(value) for name, value in changes.items() if name != "first_name"}
    if "birth_date" in columns and columns["birth_date"] is None:
        columns["birth_date"] = ""
    if "first_name" in changes:
        given: FirstNamePermission | None = changes["first_name"]
        columns |= {
            "first_name_at": given.at if given else FOREVER,
            "first_name_by": given.by if given else "",
            "first_name_how": given.how if given else "",
        }
    return columns


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return value.isoformat() if isinstance(value, date) else value


def point_row(contact_id: UUID, point: ContactPoint, ordinal: int, rank: int, at: datetime) -> dict[str, Any]:
    """Return the row of a contact point.

    Args:
        contact_id: whose.
        point: the address.
        ordinal: its place among the contact's own.
        rank: 0 for the contact that the point resolves to; others who share it count up.
        at: when it was added.
    """
    return {
        "kind": point.kind,
        "scope": point.scope,
        "key": point.key,
        "rank": rank,
        "contact_id": contact_id,
        "ordinal": ordinal,
        "value": point.value,
        "label": point.label,
        "source": point.source,
        "verified_at": point.verified_at or FOREVER,
        "is_primary": int(point.primary),
        "parts": _told(point.parts) if point.parts else None,
        "country": point.scope if point.kind is PointKind.POSTAL else "",
        "city": point.parts.locality if point.parts else "",
        "postcode": point.parts.postcode if point.parts else "",
        "added_at": at,
    }


def point_columns(points: Sequence[ContactPoint]) -> dict[str, list[Any]]:
    """Return what `point_row` says of each of many points themselves, column by column."""
    parts = [point.parts for point in points]
    return {
        "kind": [str.__str__(point.kind) for point in points],
        "scope": [point.scope for point in points],
        "key": [point.key for point in points],
        "value": [point.value for point in points],
        "label": [point.label for point in points],
        "source": [point.source for point in points],
        "verified_at": [point.verified_at or FOREVER for point in points],
        "is_primary": [int(point.primary) for point in points],
        "parts": [_told(one) if one else None for one in parts],
        "country": [point.scope if point.kind is PointKind.POSTAL else "" for point in points],
        "city": [one.locality if one else "" for one in parts],
        "postcode": [one.postcode if one else "" for one in parts],
    }


def _told(parts: PostalAddress) -> dict[str, str]:
    return {name: value for name in _PARTS if (value := getattr(parts, name))}


def same_address(table: Any, point: ContactPoint) -> Any:
    """Return the condition that a row of `contact_points` is the same address as a point."""
    return and_(table.c.kind == point.kind, table.c.scope == point.scope, table.c.key == point.key)


def _is(table: Any, point: ContactPoint) -> Any:
    return and_(same_address(table, point), table.c.rank == 0)


def _by_id(contacts: Table, points: Table, aliases: Table) -> Select[Any]:
    return _with_points(contacts, points, aliases).where(contacts.c.id == bindparam("id"))


def _by_ids(contacts: Table, points: Table, aliases: Table) -> Select[Any]:
    return _with_points(contacts, points, aliases).where(contacts.c.id.in_(bindparam("ids", expanding=True)))


def _by_point(contacts: Table, points: Table, aliases: Table) -> Select[Any]:
    c = points.alias("wanted").c
    wanted = and_(c.kind == bindparam("kind"), c.scope == bindparam("scope"), c.key == bindparam("key"))
    owner = select(c.contact_id).where(wanted, c.rank == 0).scalar_subquery()
    return _with_points(contacts, points, aliases).where(contacts.c.id == owner)


def _with_points(contacts: Table, points: Table, aliases: Table) -> Select[Any]:
    owner = [contacts.c[name] for name in _CONTACT]
    point = [points.c[name].label(f"point_{name}") for name in _POINT]
    joined = contacts.outerjoin(points, points.c.contact_id == contacts.c.id)
    return select(*owner, is_merged(aliases, contacts.c.id).label("is_merged"), *point).select_from(joined)


def read_rows(sql: Sql, ids: Sequence[UUID]) -> dict[UUID, list[Any]]:
    """Return the rows of contacts, one for each point, by contact; `read_contact` makes the contact of them."""
    found: dict[UUID, list[Any]] = {}
    for start in range(0, len(ids), _AT_ONCE):
        found |= _rows(sql, "by ids", _by_ids, {"ids": ids[start : start + _AT_ONCE]})
    return found


def _read(
    sql: Sql, name: str, build: Callable[[Table, Table, Table], Select[Any]], values: Row
) -> dict[UUID, Contact]:
    return {id: read_contact(group) for id, group in _rows(sql, name, build, values).items()}


def _rows(
    sql: Sql, name: str, build: Callable[[Table, Table, Table], Select[Any]], values: Row
) -> dict[UUID, list[Any]]:
    contacts, points, aliases = (
        sql.tables[name] for name in ("contacts", "contact_points", "contact_aliases")
    )
    statement = prepared(contacts, name, lambda contacts: build(contacts, points, aliases))
    rows: dict[UUID, list[Any]] = {}
    for row in sql.execute(statement, values):
        rows.setdefault(row[0], []).append(row)
    return rows


def read_contact(rows: list[Any]) -> Contact:
    """Return the contact of its rows, which are in any order and are put into that of its points."""
    # lists of thousands are read with this: a row's places are found much faster than its names
    if len(rows) > 1:
        rows.sort(key=itemgetter(-1))
    columns = dict(zip(_CONTACT, rows[0], strict=False))
    at, by, how = (columns.pop(name) for name in _PERMISSION)
    return Contact(
        **columns,
        first_name=None if at == FOREVER else FirstNamePermission(by=by or "system", at=at, how=how or "?"),
        points=[read_point(row[_POINTS:]) for row in rows if row[_POINTS] is not None],
        # whom it was merged with is asked only of those that were: nearly nobody
        merged=None if rows[0][len(_CONTACT)] else (),
    )


def read_point(row: Sequence[Any]) -> ContactPoint:
    """Return the contact point of a row's columns, in the order in which they are selected here."""
    kind, scope, key, value, label, source, verified_at, primary, parts, _ = row
    return ContactPoint(
        _POINT_KINDS[kind],
        scope,
        key,
        value,
        label=label,
        source=source,
        verified_at=None if verified_at == FOREVER else verified_at,
        primary=primary,
        parts=PostalAddress(**parts) if parts else None,
    )
