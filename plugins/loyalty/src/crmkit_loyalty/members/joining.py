"""Whoever pays for an order becomes a member, if the settings say so."""

from __future__ import annotations

from crmkit import LogEntry, OrderPaid, Reaction, Transaction
from crmkit_loyalty.members.service import Members
from crmkit_loyalty.members.settings import MemberSettings


def reactions(settings: MemberSettings) -> list[Reaction]:
    """Return what makes members."""
    return [Reaction(OrderPaid, on_paid, essential=True)] if settings.join_on_order else []


def on_paid(tx: Transaction, entry: LogEntry) -> None:
    """Make the buyer a member, since the order."""
    if entry.contact_id is not None:
        Members(tx).join(entry.contact_id, at=entry.occurred_at, cause=entry)
