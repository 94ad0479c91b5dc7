"""tx.contacts: who the customers are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs

from crmkit.contacts import EDITABLE, Contact, ContactPoint, FirstNamePermission
from crmkit.errors import NotFound, PointTaken, ValueRefused
from crmkit.events import ContactAdded, ContactPointsAdded, ContactUpdated, Event
from crmkit.settings import did_you_mean
from crmkit.stores import ContactStore

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction


class Contacts:
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
            points: addresses that nobody else has.
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
        """Return a contact.

        Raises:
            NotFound: if there is none with that id.
        """
        if self._known is not None and self._known.id == id:
            return self._known
        found = self._store.get(self._tx, [id]).get(id)
        if found is None:
            raise NotFound(f"no contact has the id {id}")
        return found

    def get_many(self, ids: Sequence[UUID]) -> dict[UUID, Contact]:
        """Return contacts by id; those that do not exist are left out."""
        return self._store.get(self._tx, list(dict.fromkeys(ids)))

    def ids(self, contact_id: UUID) -> tuple[UUID, ...]:
        """Return every id under which this contact's rows are recorded."""
        return (contact_id,)

    def find(self, *points: ContactPoint) -> Contact | None:
        """Return the contact that has the first of the points that anybody has, or None."""
        return self._store.find(self._tx, points)

    def resolve(self, points: Sequence[ContactPoint]) -> Contact | None:
        """Return whose points these are: a plugin's answer to `crmkit_resolve_contact`, or as `find`."""
        answered = self._tx.crm.hooks.resolve_contact(self._tx, points)
        return answered if answered is not None else self.find(*points)

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
            ValueRefused: if a field is unknown or a value is refused; nothing changes.
        """
        _refuse_unknown(changes)
        self._known = None
        before = self.get(id)
        after = attrs.evolve(before, **changes)
        changed = [field for field in EDITABLE if getattr(before, field) != getattr(after, field)]
        if not changed:
            return before
        event = ContactUpdated(
            fields=tuple(changed),
            before={field: _written(getattr(before, field)) for field in changed},
            after={field: _written(getattr(after, field)) for field in changed},
        )
        with self._tx.sql.isolated():
            self._store.update(self._tx, id, {field: getattr(after, field) for field in changed})
            self._append(event, id)
        return after

    def remember(self, id: UUID, *points: ContactPoint, shared: bool = False) -> Contact:
        """Give a contact further points and return it as it is then; points it has are left alone.

        Args:
            id: whose.
            points: addresses.
            shared: whether they may be another contact's too; mail and orders go on resolving to that one.

        Raises:
            NotFound: if there is no such contact.
            PointTaken: if a point is another contact's and `shared` is false; nothing changes.
        """
        self._known = None
        self.get(id)
        with self._tx.sql.isolated():
            added = self._store.add_points(self._tx, id, points, shared=shared)
            if added:
                self._append(ContactPointsAdded(points=tuple(str(point) for point in added)), id)
        return self.get(id)

    def _add(self, wanted: Contact, at: datetime | None = None) -> Contact:
        with self._tx.sql.isolated():
            kept = self._store.add(self._tx, wanted)
            if kept.id == wanted.id:
                points = tuple(str(point) for point in wanted.points)
                self._append(ContactAdded(name=wanted.name, points=points), kept.id, at)
        return kept

    def _append(self, event: Event, id: UUID, at: datetime | None = None) -> None:
        events = self._tx.events
        events.append_new([events.entry(event, contact_id=id, subject_id=id, occurred_at=at)])

    @property
    def _store(self) -> ContactStore:
        return self._tx.crm.store


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
