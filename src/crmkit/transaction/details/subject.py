"""Whom something new is written about."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction


def open_to(tx: Transaction, contact_id: UUID) -> tuple[UUID, ...]:
    """Return every id of a contact about whom something may be written; nobody else writes until the commit.

    Raises:
        NotFound: if there is no such contact.
        AlreadyErased: if the contact was erased.
    """
    ids = tx.contacts.get(contact_id).ids
    tx.privacy.refuse_erased(contact_id)
    return ids
