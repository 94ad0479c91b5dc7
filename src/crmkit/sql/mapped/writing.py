"""Writing about contacts whose rows are the host's: to the side tables, and to the host's where that is allowed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs
from sqlalchemy import and_, delete, func, select, update

from crmkit.contacts import EDITABLE, Contact, ContactPoint, HostKey
from crmkit.errors import NotFound, PointTaken, RetryTransaction, ValueRefused
from crmkit.sql.contacts import OwnContacts, contact_row, point_row, same_address
from crmkit.sql.mapped.inserting import insert_row
from crmkit.sql.mapped.side import DETAILS
from crmkit.sql.mapped.table import HostRow
from crmkit.sql.mapped.values import blank, column_value, point_values
from crmkit.sql.primary import demote_points

if TYPE_CHECKING:
    from crmkit.sql.mapped.store import MappedContacts
    from crmkit.transaction import Transaction

_OWN = OwnContacts()
_FIELDS = {field.name: field.default for field in attrs.fields(Contact) if field.name in EDITABLE}


class Writing:
    """What is written in one transaction.

    Args:
        store: the mapping.
        tx: the transaction.
    """

    def __init__(self, store: MappedContacts, tx: Transaction) -> None:
        self._store = store
        self._tx = tx
        self._host = store.host(tx.sql)

    def holder(self, point: ContactPoint) -> Contact | None:
        """Return the first contact that has a point which no column of the host's holds."""
        table = self._tx.sql.tables["contact_points"]
        held = select(table.c.contact_id).where(same_address(table, point), table.c.ordinal >= 0)
        ids = self._tx.sql.execute(held.order_by(table.c.rank)).scalars().all()
        found = self._store.get(self._tx, ids)
        return next((found[id] for id in ids if id in found and point in found[id].points), None)

    def add(self, contact: Contact) -> Contact:
        """Keep a new contact, or return the one that has a point already."""
        for point in contact.points:
            if rows := self._host.having(self._tx.sql, point):
                return self._known(rows[0])
        values, placed = self._row_of(contact)
        numbered = sorted(enumerate(contact.points), key=lambda p: (p[1].kind, p[1].scope, p[1].key))
        for ordinal, point in numbered:
            owner = self._claim(contact.id, point, DETAILS if point in placed else ordinal)
            if owner is not None:
                self._unclaim(contact.id)
                return owner
        if self._store.read_only:
            self._insert_side(contact)
            return contact
        return self._insert_host(contact, values, placed)

    def update(self, id: UUID, changes: Mapping[str, Any]) -> None:
        """Change fields of a contact, each where it is kept."""
        mapped = self._mapped(id, changes)
        if mapped:
            self._refuse_read_only(mapped)
            self._update_host(id, {name: changes[name] for name in mapped})
        own = {name: value for name, value in changes.items() if name not in mapped}
        if own:
            self._ensure_side(id)
            _OWN.update(self._tx, id, own)

    def add_points(self, id: UUID, points: Sequence[ContactPoint], shared: bool) -> tuple[ContactPoint, ...]:
        """Give a contact further points, kept in the side table; return those that it did not have."""
        had = self._contact(id).points
        wanted = [point for point in dict.fromkeys(points) if point not in had]
        if not wanted:
            return ()
        self._ensure_side(id)
        ordinal = self._next_ordinal(id)
        added = sorted(wanted, key=lambda p: (p.kind, p.scope, p.key))
        for place, point in enumerate(added):
            others = [] if shared else self._host.having(self._tx.sql, point)
            owner = self._known(others[0]) if others else self._claim(id, point, ordinal + place, shared)
            if owner is not None:
                raise PointTaken(point, owner.id)
        demote_points(self._tx, [(id, point) for point in added if point.primary])
        return tuple(added)

    def set_point(self, id: UUID, point: ContactPoint) -> None:
        """Keep the details of a point in the side table, whichever table holds the point."""
        row = self._row(id)
        if row is not None and point in row.points:
            self._ensure_side(id)
            self._claim(id, point, DETAILS, shared=True)
        _OWN.set_point(self._tx, id, point)

    def remove_point(self, id: UUID, point: ContactPoint) -> None:
        """Take a point away from a contact, out of the host's column too."""
        row = self._row(id)
        if row is not None and point in row.points:
            places = self._places(row, point)
            self._refuse_read_only({str(point.kind): name for name in places})
            self._set(row.pk, {name: blank(self._host.column(name)) for name in places})
        _OWN.remove_point(self._tx, id, point)

    def columns_left(self, id: UUID) -> tuple[str, ...]:
        """Return the host's mapped columns that hold something of a contact."""
        row = self._raw(id)
        return tuple(
            f"{self._host.table.fullname}.{name}" for name, value in row.items() if value not in (None, "")
        )

    def clear(self, id: UUID) -> tuple[str, ...]:
        """Clear the mapped columns, where that is allowed; return those that hold something still."""
        row = None if self._store.read_only else self._row(id)
        if row is not None:
            key = {column.name for column in self._host.keys.columns}
            names = [name for name in self._raw(id) if name not in key]
            self._set(
                row.pk, {n: blank(c) for n in names if (c := self._host.column(n)).nullable or _is_text(c)}
            )
        return self.columns_left(id)

    def _raw(self, id: UUID) -> dict[str, Any]:
        row = self._row(id)
        if row is None:
            return {}
        names = self._host.columns.names()
        columns = [self._host.column(name) for name in names]
        values = self._tx.sql.execute(select(*columns).where(self._host.is_row(row.pk))).one()
        return dict(zip(names, values, strict=True))

    def _known(self, row: HostRow) -> Contact:
        found = self._store.at(self._tx, HostKey(self._store.name, row.pk))
        assert found is not None
        return found

    def _contact(self, id: UUID) -> Contact:
        found = self._store.get(self._tx, [id]).get(id)
        if found is None:
            raise NotFound(f"no contact has the id {id}")
        return found

    def _row(self, id: UUID) -> HostRow | None:
        """Return the host's row of a contact; None of a guest, or where it is gone."""
        host = self._contact(id).host
        return None if host is None else self._host.by_keys(self._tx.sql, [host.pk]).get(host.pk)

    def _row_of(self, contact: Contact) -> tuple[dict[str, Any], tuple[ContactPoint, ...]]:
        """Return what a new row of the host's is to hold, and which points that are."""
        if self._store.read_only:
            return {}, ()
        return point_values(self._host, contact.points)

    def _claim(self, id: UUID, point: ContactPoint, ordinal: int, shared: bool = False) -> Contact | None:
        """Keep a point in the side table, or return who has it; what a host's column no longer holds stands aside."""
        table = self._tx.sql.tables["contact_points"]
        rank = 0
        while not self._tx.sql.claim(table, point_row(id, point, ordinal, rank, self._tx.now)):
            held = select(table.c.contact_id, table.c.rank, table.c.ordinal).where(same_address(table, point))
            rows = self._tx.sql.execute(held.order_by(table.c.rank).with_for_update(read=True)).all()
            if not rows or rows[-1].rank < rank:
                raise _hidden(point)
            if id in [row.contact_id for row in rows]:
                own = and_(same_address(table, point), table.c.contact_id == id, table.c.ordinal < 0)
                self._tx.sql.execute(update(table).where(own).values(ordinal=ordinal))
                return None
            for row in () if shared else rows:
                if owner := self._owner(row.contact_id, point, details=row.ordinal < 0):
                    return owner
            rank = rows[-1].rank + 1
        return None

    def _owner(self, id: UUID, point: ContactPoint, details: bool) -> Contact | None:
        """Return the contact of a row of the side table, unless the host's row that it stands beside is gone."""
        found = self._store.get(self._tx, [id]).get(id)
        if found is None:
            raise _hidden(point)
        row = None if found.host is None else self._host.by_keys(self._tx.sql, [found.host.pk])
        gone = row is not None and (not row or (details and point not in found.points))
        return None if gone else found

    def _unclaim(self, id: UUID) -> None:
        table = self._tx.sql.tables["contact_points"]
        self._tx.sql.execute(delete(table).where(table.c.contact_id == id))

    def _insert_host(
        self, contact: Contact, values: dict[str, Any], placed: tuple[ContactPoint, ...]
    ) -> Contact:
        for field, name in self._host.columns.fields.items():
            values[name] = column_value(self._host.column(name), getattr(contact, field))
        pk = insert_row(self._store, self._tx, contact, values)
        if pk is None:
            self._unclaim(contact.id)
            return next(self._known(r[0]) for p in placed if (r := self._host.having(self._tx.sql, p)))
        self._store.keep_row(self._tx, pk, contact.id)
        own = _without(contact, self._host.columns.fields)
        rest = [point for point in contact.points if point not in placed or _is_detailed(point)]
        if rest or any(getattr(own, field) != default for field, default in _FIELDS.items()):
            self._insert_side(own)
        return self._contact(contact.id)

    def _update_host(self, id: UUID, changes: Mapping[str, Any]) -> None:
        row = self._row(id)
        if row is None:
            raise NotFound(f"the row of {self._host.table.fullname} that contact {id} had is gone")
        names = self._host.columns.fields
        columns = {names[field]: self._host.column(names[field]) for field in changes}
        self._set(
            row.pk, {names[field]: column_value(columns[names[field]], changes[field]) for field in changes}
        )

    def _set(self, pk: str, values: Mapping[str, Any]) -> None:
        named = {self._host.column(name): value for name, value in values.items()}
        if named:
            self._tx.sql.execute(update(self._host.table).where(self._host.is_row(pk)).values(named))

    def _mapped(self, id: UUID, changes: Mapping[str, Any]) -> dict[str, str]:
        """Return which of the changes belong in which column of the host's."""
        fields = self._host.columns.fields
        mapped = {name: fields[name] for name in changes if name in fields}
        parts = [part for part in ("given_name", "family_name") if part in fields]
        makes_name = "name" in changes and "name" not in fields and bool(parts)
        contact = self._contact(id) if mapped or makes_name else None
        if makes_name and any(getattr(contact, part) for part in parts):
            mapped["name"] = " and ".join(fields[part] for part in parts)
        return mapped if contact is not None and contact.host is not None else {}

    def _refuse_read_only(self, mapped: Mapping[str, str]) -> None:
        made = [name for name in mapped if name == "name" and name not in self._host.columns.fields]
        if not self._store.read_only and not made:
            return
        what = ", ".join(f"{name} (column {column})" for name, column in mapped.items())
        hint = "change given_name and family_name" if made else "change it there, or map with read_only=False"
        raise ValueRefused(f"the host's table {self._host.table.fullname} holds {what}; {hint}")

    def _places(self, row: HostRow, point: ContactPoint) -> list[str]:
        found = self._raw(self._store.id_of(self._tx, row))
        return self._host.places(found, point)

    def _ensure_side(self, id: UUID) -> None:
        contacts = self._tx.sql.tables["contacts"]
        now = self._tx.now
        self._tx.sql.claim(contacts, {**contact_row(Contact(id=id)), "created_at": now, "updated_at": now})

    def _insert_side(self, contact: Contact) -> None:
        now = self._tx.now
        row = {**contact_row(contact), "created_at": now, "updated_at": now}
        self._tx.sql.insert(self._tx.sql.tables["contacts"], [row])

    def _next_ordinal(self, id: UUID) -> int:
        table = self._tx.sql.tables["contact_points"]
        last = select(func.max(table.c.ordinal)).where(table.c.contact_id == id)
        return max(int(self._tx.sql.execute(last).scalar_one() or 0), 0) + 1


def _hidden(point: ContactPoint) -> RetryTransaction:
    return RetryTransaction(f"{point} was given to a contact that this transaction cannot see yet")


def _without(contact: Contact, fields: Iterable[str]) -> Contact:
    values: dict[str, Any] = {field: _FIELDS[field] for field in fields}
    return attrs.evolve(contact, **values)


def _is_detailed(point: ContactPoint) -> bool:
    return bool(point.label or point.source or point.verified_at or point.primary or point.parts)


def _is_text(column: Any) -> bool:
    return bool(blank(column) == "")
