"""Whom something new is written about."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
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


def just_after(now: datetime, rivals: Iterable[Any]) -> datetime:
    """Return the instant of a last word: now, or just after what others who are the same person said no earlier.

    Args:
        now: the present instant.
        rivals: their rows.
    """
    latest = max((row.set_at for row in rivals), default=None)
    return now if latest is None or latest < now else latest + timedelta(microseconds=1)
