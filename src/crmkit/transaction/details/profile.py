"""All that is known about a contact in one view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from uuid import UUID

import attrs

from crmkit.contacts import Contact, Note, PersonalFact, Preference, Relation
from crmkit.events import LogEntry
from crmkit.expressions.custom import Value
from crmkit.transaction.roles import OrderPart

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction


@attrs.frozen(kw_only=True)
class Profile:
    """A contact with what is known besides its fields.

    Args:
        contact: its fields and points.
        tags: in alphabetical order.
        values: custom fields, by name.
        preferences: by kind and value.
        relations: those that stand, from either side.
        facts: personal facts, by day.
        notes: as they stand, the newest first.
        roles: the orders in which the contact has a role besides the buyer's, the latest order first.
        timeline: the latest events, the newest first.
    """

    contact: Contact
    tags: tuple[str, ...]
    values: Mapping[str, Value]
    preferences: tuple[Preference, ...]
    relations: tuple[Relation, ...]
    facts: tuple[PersonalFact, ...]
    notes: tuple[Note, ...]
    roles: tuple[OrderPart, ...]
    timeline: tuple[LogEntry, ...]


def profile(tx: Transaction, contact_id: UUID, *, limit: int = 50) -> Profile:
    """Return all that is known about a contact.

    Args:
        tx: the transaction.
        contact_id: whose.
        limit: at most how many notes and events.
    """
    contact = tx.contacts.get(contact_id)
    with tx.contacts.known(contact):
        return Profile(
            contact=contact,
            tags=tx.contacts.tags.of(contact.id),
            values=tx.contacts.values.of(contact.id),
            preferences=tuple(tx.contacts.preferences.of(contact.id)),
            relations=tuple(tx.contacts.relations.of(contact.id)),
            facts=tuple(tx.contacts.facts.of(contact.id)),
            notes=tuple(tx.contacts.notes.of(contact.id, limit=limit)),
            roles=tuple(tx.orders.parts_of(contact.id, limit=limit)),
            timeline=tuple(tx.events.timeline(contact.id, limit=limit)),
        )
