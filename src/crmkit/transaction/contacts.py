"""tx.contacts: who the customers are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs

from crmkit.contacts import EDITABLE, Contact, ContactPoint, FirstNamePermission
from crmkit.contacts.merged import emptied, is_empty, named, together
from crmkit.contacts.primary import refuse_two_primaries
from crmkit.errors import NotFound, PointTaken, ValueRefused
from crmkit.events import ContactAdded, ContactPointsAdded, ContactUpdated, Event
from crmkit.settings import did_you_mean
from crmkit.sql.aliases import read_ids
from crmkit.stores import ContactStore
from crmkit.transaction.aliases import follow
from crmkit.transaction.details import Attached

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction


class Contacts(Attached):
    """Adds, finds and changes contacts.

    Args:
        tx: the transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._known: Contact | None = None

    @contextmanager
    def known(self, contact: Contact | None) -> Iterator[None]:
        """Spare the block the reading of a contact that was just read, until something of it is changed.

        Args:
            contact: as the store answered.
        """
        before, self._known = self._known, contact
        try:
            yield
        finally:
            self._known = before

    def add(self, name: str = "", *, points: Sequence[ContactPoint] = (), **fields: Any) -> Contact:
        """Add a contact.

        Args:
            name: the whole name as it is written.
            points: addresses that nobody else has, of each kind at most one primary.
            fields: any other field of a `Contact`, such as given_name, kind, locale or source.

        Raises:
            PointTaken: if another contact has one of the points; nothing is added.
            ValueRefused: if a field is unknown or a value is refused; nothing is added.
        """
        _refuse_unknown(fields)
        wanted = Contact(id=self._tx.new_id(), name=name, points=_distinct(points), **fields)
        kept = self._add(wanted)
        if kept.id != wanted.id:
            taken = next((point for point in wanted.points if point in kept.points), wanted.points[0])
            raise PointTaken(taken, kept.id)
        return kept

    def get(self, id: UUID) -> Contact:
        """Return a contact; of one that was merged, whom it goes on as.

        Raises:
            NotFound: if there is none with that id.
        """
        if self._known is not None and id in self._known.ids:
            return self._known
        found = self._store.get(self._tx, [id]).get(id)
        if found is None:
            raise NotFound(f"no contact has the id {id}")
        return self._as_one(found)

    def get_many(self, ids: Sequence[UUID]) -> dict[UUID, Contact]:
        """Return contacts by id; those that do not exist are left out, those that were merged are as one."""
        return follow(self._tx, self._store.get(self._tx, list(dict.fromkeys(ids))))

    def ids(self, contact_id: UUID) -> tuple[UUID, ...]:
        """Return every id under which this contact's rows are recorded, that of whom it goes on as first.

        Args:
            contact_id: any of them.
        """
        if self._known is not None and self._known.merged is not None and contact_id in self._known.ids:
            return self._known.ids
        return read_ids(self._tx.sql, contact_id)

    def page(self, *, after: UUID | None = None, limit: int = 1000) -> list[Contact]:
        """Return contacts in the order of their ids; those that go on as another one are left out.

        Args:
            after: the last id of the page before; None from the beginning.
            limit: at most how many.
        """
        page = self._store.scan(self._tx, after=after, limit=limit)
        found = follow(self._tx, {contact.id: contact for contact in page})
        return [contact for id, contact in found.items() if contact.id == id]

    def find(self, *points: ContactPoint) -> Contact | None:
        """Return the contact that has the first of the points that anybody has, or None."""
        found = self._store.find(self._tx, points)
        return None if found is None else self._as_one(found)

    def resolve(self, points: Sequence[ContactPoint]) -> Contact | None:
        """Return whose points these are: a plugin's answer to `crmkit_resolve_contact`, or as `find`."""
        answered = self._tx.crm.hooks.resolve_contact(self._tx, points)
        return self._as_one(answered) if answered is not None else self.find(*points)

    def addressed(self, contact: Contact, points: Sequence[ContactPoint]) -> UUID:
        """Return under which of a contact's ids to record what came by these points: the id that has them.

        Args:
            contact: as it was resolved.
            points: by which it was found.
        """
        if not contact.merged or not points:
            return contact.id
        holder = self._store.find(self._tx, points)
        return holder.id if holder is not None and holder.id in contact.ids else contact.id

    def holders(self, contact_id: UUID, point: ContactPoint) -> tuple[UUID, ...]:
        """Return under which ids of a contact a point is recorded, for whoever changes the point there."""
        found = self._store.get(self._tx, self.ids(contact_id))
        return tuple(id for id, contact in found.items() if point in contact.points)

    def find_or_add(
        self, points: Sequence[ContactPoint], *, name: str = "", at: datetime | None = None
    ) -> Contact:
        """Return whose points these are, or add a contact that has them; at most one, however many ask at once.

        Args:
            points: one or more.
            name: for a contact that is added.
            at: when a contact that is added became known; now by default.
        """
        if not points:
            raise ValueRefused("find_or_add needs at least one contact point")
        return self.resolve(points) or self.admit(points, name=name, at=at)

    def admit(self, points: Sequence[ContactPoint], *, name: str = "", at: datetime | None = None) -> Contact:
        """Add a contact nobody was found for; if somebody else adds one of its points first, return that one.

        Args:
            points: its addresses, if any.
            name: its name.
            at: when it became known; now by default.
        """
        return self._add(Contact(id=self._tx.new_id(), name=name, points=_distinct(points)), at)

    def update(self, id: UUID, **changes: Any) -> Contact:
        """Change fields of a contact and return it as it is then.

        Args:
            id: whose.
            changes: any field of a `Contact` but its id and points; see `crmkit.contacts.EDITABLE`.

        Raises:
            NotFound: if there is no such contact.
            AlreadyErased: if the contact was erased.
            ValueRefused: if a field is unknown or a value is refused; nothing changes.
        """
        _refuse_unknown(changes)
        self._known = None
        before = self.get(id)
        after = attrs.evolve(before, **changes)
        changed = changed_fields(before, after)
        if not changed:
            return before
        with self._tx.sql.isolated():
            self._tx.privacy.refuse_erased(id)
            if "stage" in changed:
                self.stages.set(id, after.stage)
                changed = tuple(field for field in changed if field != "stage")
            if changed:
                self._write(after, changed)
                self._append(updated(before, after, changed), id)
        # a host's name may be made of its parts
        return self.get(id) if self._store.capabilities.host else after

    def _write(self, after: Contact, changed: Sequence[str]) -> None:
        """Write changed fields to the contact that goes on; what is emptied is emptied in those that fill it too."""
        if not after.merged:
            self._store.update(self._tx, after.id, {field: getattr(after, field) for field in changed})
            return
        fields = together(changed)
        parts = self._store.get(self._tx, after.ids)
        for id, mine in _places(after, fields, [parts[id] for id in after.ids if id in parts]).items():
            news = {
                field: getattr(after, field)
                for field in mine
                if _is_news(field, changed, parts.get(id), after)
            }
            self._store.update(self._tx, id, news)
        for other in [parts[id] for id in after.merged if id in parts]:
            filling = [
                field
                for field in fields
                if not is_empty(getattr(other, field)) and (field != "first_name" or field in changed)
            ]
            cleared = emptied(after, filling)
            if cleared:
                self._store.update(self._tx, other.id, cleared)

    def remember(self, id: UUID, *points: ContactPoint, shared: bool = False) -> Contact:
        """Give a contact further points and return it as it is then; points it has are left alone.

        Args:
            id: whose.
            points: addresses; a primary one takes over from the one of its kind until then.
            shared: whether they may be another contact's too; mail and orders go on resolving to that one.

        Raises:
            NotFound: if there is no such contact.
            AlreadyErased: if the contact was erased.
            PointTaken: if a point is another contact's and `shared` is false; nothing changes.
            ValueRefused: if two points of one kind are primary; nothing changes.
        """
        refuse_two_primaries(points)
        self._known = None
        contact = self.get(id)
        # what others who are the same person have stays with them after an undo: it is given to this id as well
        shares = contact.merged and self._store.capabilities.shared_points
        theirs = [point for point in points if point in contact.points] if shares else []
        new = [point for point in points if point not in contact.points]
        with self._tx.sql.isolated():
            if new or theirs:
                self._tx.privacy.refuse_erased(id)
            added = (*self._give(id, new, shared), *self._give(id, theirs, True))
            if added:
                self.points.let_prefer(contact, added)
                self._append(ContactPointsAdded(points=tuple(str(point) for point in added)), id)
        return self.get(id)

    def _give(self, id: UUID, points: Sequence[ContactPoint], shared: bool) -> tuple[ContactPoint, ...]:
        return self._store.add_points(self._tx, id, points, shared=shared) if points else ()

    def _add(self, wanted: Contact, at: datetime | None = None) -> Contact:
        refuse_two_primaries(wanted.points)
        with self._tx.sql.isolated():
            kept = self._store.add(self._tx, wanted)
            if kept.id == wanted.id:
                points = tuple(str(point) for point in wanted.points)
                self._append(ContactAdded(name=wanted.name, points=points), kept.id, at)
        return self._as_one(kept)

    def _as_one(self, contact: Contact) -> Contact:
        return contact if contact.merged == () else follow(self._tx, {contact.id: contact})[contact.id]

    def refresh(self) -> None:
        """Read anew what was read before, because others were merged into it."""
        self._known = None

    def add_many(self, wanted: Sequence[Contact]) -> list[Contact]:
        """Add many contacts at once, much faster than one by one; return for each the contact that is kept.

        Where one of the points is another contact's already, or an earlier one's of these, that one is returned
        and nothing is added for it.

        Args:
            wanted: made with `tx.new_id()`.
        """
        from crmkit.transaction.bulk import add_many

        self._known = None
        return add_many(self._tx, wanted)

    def keep(self, wanted: Contact) -> Contact:
        """Add a contact that was made with `tx.new_id()`, or return the one that has one of its points."""
        return self._add(wanted)

    def _append(self, event: Event, id: UUID, at: datetime | None = None) -> None:
        events = self._tx.events
        events.append_new([events.entry(event, contact_id=id, subject_id=id, occurred_at=at)])

    @property
    def _store(self) -> ContactStore:
        return self._tx.crm.store


def changed_fields(before: Contact, after: Contact) -> tuple[str, ...]:
    """Return the fields in which a contact differs from what it was."""
    return tuple(field for field in EDITABLE if getattr(before, field) != getattr(after, field))


def updated(before: Contact, after: Contact, fields: Sequence[str]) -> ContactUpdated:
    """Return the event of a change of these fields."""
    return ContactUpdated(
        fields=tuple(fields),
        before={field: _written(getattr(before, field)) for field in fields},
        after={field: _written(getattr(after, field)) for field in fields},
    )


def _places(after: Contact, fields: Sequence[str], parts: Sequence[Contact]) -> dict[UUID, tuple[str, ...]]:
    """Return where fields are written: to the contact that goes on, a permission to whoever has the name it is for."""
    named_by = named(parts)
    if "first_name" not in fields or "name" in fields or named_by is None or named_by.id == after.id:
        return {after.id: tuple(fields)}
    rest = tuple(field for field in fields if field != "first_name")
    return {named_by.id: ("first_name",)} | ({after.id: rest} if rest else {})


def _is_news(field: str, changed: Sequence[str], before: Contact | None, after: Contact) -> bool:
    return field in changed or before is None or getattr(before, field) != getattr(after, field)


def _refuse_unknown(fields: Iterable[str]) -> None:
    for field in fields:
        if field not in EDITABLE:
            raise ValueRefused(f"a contact has no field {field!r}{did_you_mean(field, list(EDITABLE))}")


def _written(value: Any) -> str:
    """Return a field's value as the log keeps it."""
    if isinstance(value, FirstNamePermission):
        return f"{value.by}, {value.at.isoformat()}, {value.how}"
    return "" if value is None else str(value)


def _distinct(points: Sequence[ContactPoint]) -> tuple[ContactPoint, ...]:
    return tuple(dict.fromkeys(points))
