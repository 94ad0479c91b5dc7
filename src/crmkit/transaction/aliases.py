"""Contacts as the merges make them, whatever store they are kept in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from uuid import UUID

import attrs

from crmkit.contacts import Contact
from crmkit.contacts.merged import merged_contact
from crmkit.sql.aliases import read_ids, read_many_ids

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction


def follow(tx: Transaction, found: Mapping[UUID, Contact]) -> dict[UUID, Contact]:
    """Return contacts as one with those they were merged with, by the ids that were asked for.

    Args:
        tx: the transaction.
        found: as the store answered; a store that knows a contact was never merged says so by `merged=()`.
    """
    families = _families(tx, [id for id, contact in found.items() if contact.merged is None])
    wanted = {member for family in families.values() for member in family} - found.keys()
    known = {**found, **(tx.crm.store.get(tx, sorted(wanted)) if wanted else {})}
    return {
        id: _as_one(known, families.get(id, (id,))) if contact.merged is None else contact
        for id, contact in found.items()
    }


def _families(tx: Transaction, ids: list[UUID]) -> dict[UUID, tuple[UUID, ...]]:
    if len(ids) == 1:
        return {ids[0]: read_ids(tx.sql, ids[0])}
    return read_many_ids(tx.sql, ids) if ids else {}


def _as_one(known: Mapping[UUID, Contact], family: tuple[UUID, ...]) -> Contact:
    survivor, *others = family
    first = known.get(survivor) or Contact(id=survivor)
    if not others:
        return attrs.evolve(first, merged=())
    return merged_contact(first, [known[id] for id in others if id in known], others)
