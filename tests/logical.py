"""What a CRM answers about contacts, read through every public call, in a form that can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import attrs
from sqlalchemy import select

from crmkit import CRM, ContactPoint, Transaction
from crmkit_loyalty import Loyalty

#: What tells of the merges themselves: they are facts, and stay in the log.
TOLD = ("ContactsMerged", "ContactsUnmerged")

View = dict[str, Any]


def view_of(tx: Transaction, contact_id: UUID, *, told: Sequence[str] = TOLD) -> View:
    """Return all that is known about a contact.

    Args:
        tx: the transaction.
        contact_id: whose.
        told: event types that are left out.
    """
    found = tx.contacts.profile(contact_id)
    loyalty = Loyalty(tx)
    timeline = [entry for entry in tx.events.timeline(contact_id, limit=1000) if entry.type not in told]
    return {
        "contact": {
            field.name: getattr(found.contact, field.name)
            for field in attrs.fields(type(found.contact))
            if field.name not in ("points", "merged", "host")
        },
        "points": [(str(point), point.primary, point.label) for point in found.contact.points],
        "ids": tx.contacts.ids(contact_id),
        "tags": found.tags,
        "values": dict(found.values),
        "preferences": found.preferences,
        "relations": found.relations,
        "facts": found.facts,
        "notes": tx.contacts.notes.of(contact_id),
        "roles": found.roles,
        "timeline": timeline,
        "orders": {
            entry.event.order.key: _order(tx, entry.event.order.key)
            for entry in timeline
            if entry.type == "OrderRecorded"
        },
        "consents": tx.consents.history(contact_id),
        "may send": [type(tx.consents.may_send(contact_id, "news", "email")).__name__],
        "balance": loyalty.balance(contact_id),
        "spendable": loyalty.spendable(contact_id),
        "lots": loyalty.lots(contact_id),
        "statement": loyalty.statement(contact_id, limit=1000),
    }


def _order(tx: Transaction, key: str) -> Any:
    record = tx.orders.get(key)
    return record, tx.orders.history(key)


def views(tx: Transaction, ids: Sequence[UUID], points: Sequence[ContactPoint] = ()) -> View:
    """Return what is known about contacts by their ids, by their points, and by looking through all of them."""
    by_point = {str(point): found.id if (found := tx.contacts.find(point)) else None for point in points}
    many = tx.contacts.get_many(ids)
    return {
        "by id": {id: view_of(tx, id) for id in ids},
        "by point": by_point,
        "many": {id: (many[id].id, many[id].points) for id in ids},
        "page": [contact.id for contact in tx.contacts.page(limit=100_000) if contact.id in set(ids)],
    }


def images(crm: CRM) -> Mapping[str, list[str]]:
    """Return every row of every table of a CRM as text, sorted."""
    with crm.engine.connect() as connection:
        return {
            name: sorted(repr(tuple(row)) for row in connection.execute(select(table)))
            for name, table in crm.tables.items()
        }


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Return where two views differ, one line for each place."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = [*one, *(name for name in other if name not in one)]
        return [
            line for name in names for line in differences(one.get(name), other.get(name), f"{path}/{name}")
        ]
    return [] if one == other else [f"{path}: {one!r} is not {other!r}"]
