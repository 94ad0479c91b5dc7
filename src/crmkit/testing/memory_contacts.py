"""A contact store in memory, for tests: as right as the others, and no faster to write than a dict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs
from sqlalchemy import Select, Table, bindparam, select, update

from crmkit.clock import FOREVER
from crmkit.contacts import Contact, ContactPoint
from crmkit.contacts.primary import with_further
from crmkit.errors import ConfigError, PointTaken
from crmkit.sql.connection import prepared
from crmkit.sql.source import ContactSource
from crmkit.stores import StoreCapabilities

if TYPE_CHECKING:
    from crmkit.transaction import Transaction

_CURSOR = "memory contacts"


@attrs.frozen
class _State:
    """Every contact, and who holds each point: first whom it resolves to."""

    contacts: Mapping[UUID, Contact] = attrs.field(factory=dict)
    holders: Mapping[ContactPoint, tuple[UUID, ...]] = attrs.field(factory=dict)

    def owner(self, point: ContactPoint) -> Contact | None:
        held = self.holders.get(point)
        return self.contacts[held[0]] if held else None

    def with_contact(self, contact: Contact) -> _State:
        """Return the state with a contact as it is now."""
        before = self.contacts.get(contact.id)
        holders = dict(self.holders)
        for point in before.points if before else ():
            holders[point] = tuple(id for id in holders[point] if id != contact.id or point in contact.points)
        for point in contact.points:
            held = holders.pop(point, ())  # so that the key is the point with its new details
            holders[point] = held if contact.id in held else (*held, contact.id)
        return _State(
            {**self.contacts, contact.id: contact}, {point: ids for point, ids in holders.items() if ids}
        )


class MemoryContacts:
    """Keeps contacts in this process: a public fake, for the tests of whoever needs a store.

    Each change makes a new state; the number of the one that holds is a row of the database, written in the same
    transaction. So a rollback, of a savepoint too, brings the state of before back. States are kept as long as the
    store is, which suits a test.
    """

    capabilities = StoreCapabilities()

    def __init__(self) -> None:
        self._states: dict[int, _State] = {0: _State()}
        self._numbers = count(1)

    def for_tenant(self, name: str, schema: str | None) -> MemoryContacts:
        """Return another one, for a tenant alone."""
        return type(self)()

    def get(self, tx: Transaction, ids: Iterable[UUID]) -> dict[UUID, Contact]:
        """Return the contacts with these ids; those that do not exist are left out."""
        contacts = self._read(tx).contacts
        return {id: contacts[id] for id in ids if id in contacts}

    def find(self, tx: Transaction, points: Sequence[ContactPoint]) -> Contact | None:
        """Return the contact that has the first point that anybody has, or None."""
        state = self._read(tx)
        return next((found for point in points if (found := state.owner(point))), None)

    def add(self, tx: Transaction, contact: Contact) -> Contact:
        """Keep a new contact with its points, or return the one that owns a point already."""
        state = self._lock(tx)
        for point in contact.points:
            if owner := state.owner(point):
                return owner
        self._write(tx, state.with_contact(contact))
        return contact

    def update(self, tx: Transaction, contact_id: UUID, changes: Mapping[str, Any]) -> None:
        """Change fields of a contact."""
        state = self._lock(tx)
        self._write(tx, state.with_contact(attrs.evolve(state.contacts[contact_id], **changes)))

    def add_points(
        self, tx: Transaction, contact_id: UUID, points: Sequence[ContactPoint], *, shared: bool = False
    ) -> tuple[ContactPoint, ...]:
        """Give a contact further points; return those that it did not have."""
        state = self._lock(tx)
        contact = state.contacts[contact_id]
        added = tuple(point for point in dict.fromkeys(points) if point not in contact.points)
        for point in added:
            owner = None if shared else state.owner(point)
            if owner is not None:
                raise PointTaken(point, owner.id)
        if added:
            points = with_further(contact.points, added)
            self._write(tx, state.with_contact(attrs.evolve(contact, points=points)))
        return added

    def set_point(self, tx: Transaction, contact_id: UUID, point: ContactPoint) -> None:
        """Give a point that the contact has the details of this one; a primary point is its kind's only one."""
        state = self._lock(tx)
        contact = state.contacts[contact_id]
        points = tuple(_detailed(one, point) for one in contact.points)
        self._write(tx, state.with_contact(attrs.evolve(contact, points=points)))

    def remove_point(self, tx: Transaction, contact_id: UUID, point: ContactPoint) -> None:
        """Take a point away from a contact; where others share it, it resolves to the next of them."""
        state = self._lock(tx)
        contact = state.contacts[contact_id]
        points = tuple(one for one in contact.points if one != point)
        self._write(tx, state.with_contact(attrs.evolve(contact, points=points)))

    def scan(self, tx: Transaction, *, after: UUID | None = None, limit: int = 1000) -> list[Contact]:
        """Return contacts in the order of their ids."""
        contacts = self._read(tx).contacts
        gone = set(tx.sql.execute(select(tx.sql.tables["contact_aliases"].c.contact_id)).scalars())
        ids = sorted(id for id in contacts if id not in gone and (after is None or id > after))
        return [contacts[id] for id in ids[:limit]]

    def source(self, tx: Transaction) -> ContactSource | None:
        """Return None: there is nothing to be asked in SQL."""
        return None

    def _read(self, tx: Transaction) -> _State:
        statement = prepared(tx.sql.tables["cursors"], "memory contacts", _version)
        return self._state(tx.sql.execute(statement, {"name": _CURSOR}).scalar() or 0)

    def _lock(self, tx: Transaction) -> _State:
        cursors = tx.sql.tables["cursors"]
        statement = prepared(
            cursors, "memory contacts, locked", lambda table: _version(table).with_for_update()
        )
        version = tx.sql.execute(statement, {"name": _CURSOR}).scalar()
        if version is None:
            tx.sql.claim(cursors, {"name": _CURSOR, "position": 0, "lease_until": FOREVER, "holder": None})
            version = tx.sql.execute(statement, {"name": _CURSOR}).scalar() or 0
        return self._state(version)

    def _write(self, tx: Transaction, state: _State) -> None:
        version = next(self._numbers)
        self._states[version] = state
        cursors = tx.sql.tables["cursors"]
        tx.sql.execute(update(cursors).where(cursors.c.name == _CURSOR).values(position=version))

    def _state(self, version: int) -> _State:
        if version not in self._states:
            raise ConfigError(
                "the database refers to contacts in the memory of another MemoryContacts; begin with an empty one"
            )
        return self._states[version]


def _version(table: Table) -> Select[Any]:
    return select(table.c.position).where(table.c.name == bindparam("name"))


def _detailed(one: ContactPoint, given: ContactPoint) -> ContactPoint:
    if one == given:
        return given
    return one.with_(primary=False) if given.primary and one.kind is given.kind else one
