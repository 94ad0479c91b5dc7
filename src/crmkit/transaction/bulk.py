"""Many contacts at once: looked up together, decided one after another, written together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

import attrs

from crmkit.contacts import Contact, ContactPoint, PointKind
from crmkit.contacts.primary import refuse_two_primaries, with_further
from crmkit.errors import AlreadyErased
from crmkit.events import ContactAdded, ContactPointsAdded, Event, LogEntry
from crmkit.sql import bulk
from crmkit.sql.bulk import Holders, Identity, NewPoint, identity
from crmkit.sql.contacts import OwnContacts
from crmkit.sql.erasures import lock_as_read, read_erasures
from crmkit.sql.primary import demote_points
from crmkit.transaction.contacts import changed_fields, updated

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction


@attrs.frozen(kw_only=True)
class Change:
    """What became of a contact that was there.

    Args:
        contact: as it is now.
        fields: those that have another value than before.
        points: those that it did not have.
        shared: those of them that are another contact's too.
    """

    contact: Contact
    fields: tuple[str, ...] = ()
    points: tuple[ContactPoint, ...] = ()
    shared: tuple[ContactPoint, ...] = ()


class Batch(Protocol):
    """Adds and changes many contacts; what is added first is found by what comes later, before it is written."""

    def look_up(self, points: Iterable[ContactPoint], ids: Iterable[UUID] = ()) -> None:
        """Read who has these points, and who has these ids."""
        ...

    def owner(self, point: ContactPoint) -> UUID | None:
        """Return whom a point resolves to that was looked up; None if it is nobody's."""
        ...

    def get(self, id: UUID) -> Contact | None:
        """Return a contact that was looked up or added, as it is by now."""
        ...

    def add(self, contact: Contact) -> Change:
        """Add a contact; points that are another's are shared with it.

        Raises:
            ValueRefused: if two of its points of one kind are primary.
        """
        ...

    def change(self, id: UUID, fields: Mapping[str, Any], points: Sequence[ContactPoint]) -> Change:
        """Change a contact and give it the points that it lacks; those that are another's are shared.

        Raises:
            ValueRefused: if two of the points, of one kind, are primary.
        """
        ...

    def write(self) -> None:
        """Write everything that was added and changed.

        Raises:
            RetryTransaction: if another transaction has given one of the points away in between.
        """
        ...


def batch(tx: Transaction) -> Batch:
    """Return a batch for the transaction's store."""
    return SetBatch(tx) if isinstance(tx.crm.store, OwnContacts) else SingleBatch(tx)


class SetBatch:
    """A batch over crmkit's own tables.

    Args:
        tx: the transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._holders: dict[Identity, Holders] = {}
        self._contacts: dict[UUID, Contact] = {}
        self._goes_on: dict[UUID, UUID] = {}  # as whom, by the ids of those who were merged
        self._added: dict[UUID, None] = {}
        self._changed: dict[UUID, set[str]] = {}
        self._points: list[NewPoint] = []
        self._preferred: dict[tuple[UUID, PointKind], ContactPoint] = {}  # the last one of each that changed
        self._entries: list[LogEntry] = []
        self._erased: dict[UUID, datetime] = {}

    def look_up(self, points: Iterable[ContactPoint], ids: Iterable[UUID] = ()) -> None:
        """Read who has these points, and who has these ids."""
        found = bulk.read_holders(self._tx.sql, points)
        self._holders |= found
        wanted = dict.fromkeys([*ids, *(holders.owner for holders in found.values())])
        fresh = [id for id in wanted if id not in self._contacts and id not in self._goes_on]
        self._refuse_erased(fresh)  # it locks them: what is read now stays true until it is written
        for id, contact in self._tx.contacts.get_many(fresh).items():
            self._contacts.setdefault(contact.id, contact)
            if id != contact.id:
                self._goes_on[id] = contact.id

    def owner(self, point: ContactPoint) -> UUID | None:
        """Return whom a point resolves to that was looked up; None if it is nobody's."""
        holders = self._holders.get(identity(point))
        return holders.owner if holders else None

    def get(self, id: UUID) -> Contact | None:
        """Return a contact that was looked up or added, as it is by now."""
        return self._contacts.get(self._goes_on.get(id, id))

    def add(self, contact: Contact) -> Change:
        """Add a contact; points that are another's are shared with it."""
        refuse_two_primaries(contact.points)
        self._open(contact.id)
        self._contacts[contact.id] = contact
        self._added[contact.id] = None
        shared = [point for n, point in enumerate(contact.points) if self._claim(contact.id, point, n)]
        points = tuple(str(point) for point in contact.points)
        self._append(ContactAdded(name=contact.name, points=points), contact.id)
        return Change(contact=contact, points=contact.points, shared=tuple(shared))

    def change(self, id: UUID, fields: Mapping[str, Any], points: Sequence[ContactPoint]) -> Change:
        """Change a contact and give it the points that it lacks; those that are another's are shared."""
        self._open(id)
        before = self._contacts[id]
        if before.merged:
            return self._change_merged(id, fields, points)
        refuse_two_primaries(points)
        own = set(before.points)
        fresh = tuple(point for point in dict.fromkeys(points) if point not in own)
        after = before
        if fields or fresh:
            after = attrs.evolve(before, **fields, points=with_further(before.points, fresh))
        self._preferred |= {(id, point.kind): point for point in fresh if point.primary}
        changed = changed_fields(before, after) if fields else ()
        count = len(before.points)
        shared = [point for n, point in enumerate(fresh) if self._claim(id, point, count + n)]
        if changed:
            self._append(updated(before, after, changed), id)
        if fresh:
            self._append(ContactPointsAdded(points=tuple(str(point) for point in fresh)), id)
        if changed or fresh:
            self._contacts[id] = after
            self._changed.setdefault(id, set()).update(changed)
        return Change(contact=after, fields=changed, points=fresh, shared=tuple(shared))

    def _change_merged(self, id: UUID, fields: Mapping[str, Any], points: Sequence[ContactPoint]) -> Change:
        """Change a contact that several were merged into: its fields may stand in any of their rows."""
        self.write()
        change = SingleBatch(self._tx).change(id, fields, points)
        self._contacts[id] = change.contact
        self.look_up(points)
        return change

    def write(self) -> None:
        """Write everything that was added and changed."""
        added = [self._contacts[id] for id in self._added]
        changed = [
            (self._contacts[id], fields) for id, fields in self._changed.items() if id not in self._added
        ]
        with self._tx.sql.isolated():
            demote_points(self._tx, [(id, point) for (id, _), point in self._preferred.items()])
            settled = [self._settled(new) for new in self._points] if self._preferred else self._points
            bulk.write_points(self._tx, settled)
            bulk.write_contacts(self._tx, added)
            bulk.write_changes(self._tx, changed)
            self._tx.events.append_new(self._entries)
        self._points, self._entries = [], []
        self._preferred.clear()
        self._added.clear()
        self._changed.clear()

    def _refuse_erased(self, ids: Sequence[UUID]) -> None:
        """Note who was erased, and keep the others from being erased until the transaction ends."""
        for start in range(0, len(ids), bulk.AT_ONCE):
            page = ids[start : start + bulk.AT_ONCE]
            lock_as_read(self._tx.sql, page)
            for row in read_erasures(self._tx.sql, page, locked=True):
                self._erased[row["contact_id"]] = row["erased_at"]

    def _open(self, id: UUID) -> None:
        if id in self._erased:
            raise AlreadyErased(id, self._erased[id])

    def _claim(self, id: UUID, point: ContactPoint, ordinal: int) -> bool:
        """Note a point to be written; return whether it is another contact's too."""
        name = identity(point)
        holders = self._holders.get(name)
        if holders is None:
            self._holders[name] = Holders(id, 0, {id})
            self._points.append(NewPoint(id, point, ordinal, 0))
            return False
        if id not in holders.ids:
            holders.last += 1
            holders.ids.add(id)
            self._points.append(NewPoint(id, point, ordinal, holders.last))
        return True

    def _settled(self, new: NewPoint) -> NewPoint:
        """Return a point as it is by now: one that came later may be primary in its place."""
        last = self._preferred.get((new.contact_id, new.point.kind), new.point)
        return new if last == new.point else attrs.evolve(new, point=new.point.with_(primary=False))

    def _append(self, event: Event, id: UUID) -> None:
        self._entries.append(self._tx.events.entry(event, contact_id=id, subject_id=id))


class SingleBatch:
    """A batch over any other store, which is asked contact by contact.

    Args:
        tx: the transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def look_up(self, points: Iterable[ContactPoint], ids: Iterable[UUID] = ()) -> None:
        """Do nothing: the store is asked when it matters."""

    def owner(self, point: ContactPoint) -> UUID | None:
        """Return whom a point resolves to; None if it is nobody's."""
        found = self._tx.contacts.find(point)
        return found.id if found else None

    def get(self, id: UUID) -> Contact | None:
        """Return a contact as it is by now."""
        return self._tx.contacts.get_many([id]).get(id)

    def add(self, contact: Contact) -> Change:
        """Add a contact; points that are another's are shared with it."""
        refuse_two_primaries(contact.points)
        free = [point for point in contact.points if self.owner(point) is None]
        shared = [point for point in contact.points if point not in free]
        kept = self._tx.contacts.keep(attrs.evolve(contact, points=free))
        if shared:
            kept = self._tx.contacts.remember(kept.id, *shared, shared=True)
        return Change(contact=kept, points=contact.points, shared=tuple(shared))

    def change(self, id: UUID, fields: Mapping[str, Any], points: Sequence[ContactPoint]) -> Change:
        """Change a contact and give it the points that it lacks; those that are another's are shared."""
        contacts, before = self._tx.contacts, self._tx.contacts.get(id)
        fresh = tuple(point for point in dict.fromkeys(points) if point not in before.points)
        shared = tuple(point for point in fresh if self.owner(point) is not None)
        after = contacts.update(id, **fields) if fields else before
        after = contacts.remember(id, *fresh, shared=True) if fresh else after
        return Change(contact=after, fields=changed_fields(before, after), points=fresh, shared=shared)

    def write(self) -> None:
        """Do nothing: it is written."""


def add_many(tx: Transaction, wanted: Sequence[Contact]) -> list[Contact]:
    """Add contacts at once; return for each the one that is kept.

    Args:
        tx: the transaction.
        wanted: made with `tx.new_id()`.
    """
    at_once = batch(tx)
    kept: list[UUID] = []
    with tx.sql.isolated():
        at_once.look_up((point for contact in wanted for point in contact.points), [one.id for one in wanted])
        for contact in wanted:
            owners = (at_once.owner(point) for point in contact.points)
            owner = next((id for id in owners if id is not None), None)
            if owner is None and at_once.get(contact.id) is None:
                owner = at_once.add(attrs.evolve(contact, points=dict.fromkeys(contact.points))).contact.id
            kept.append(owner or contact.id)
        found = [at_once.get(id) for id in kept]
        at_once.write()
    return [contact for contact in found if contact is not None]
