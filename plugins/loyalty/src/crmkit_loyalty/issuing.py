"""Awards that are no points: the log tells what was issued, and what of it is void."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from crmkit import Award, Effect, Event, LogEntry, Transaction
from crmkit_loyalty.events import RewardIssued, RewardRevoked


def issue(tx: Transaction, entry: LogEntry, awards: Sequence[Award]) -> None:
    """Tell the log what an event has granted besides points: each once, keyed by the event.

    Args:
        tx: the transaction.
        entry: the event.
        awards: what it granted.
    """
    others = [award for award in awards if award.effect is not Effect.POINTS]
    for number, award in enumerate(others, 1):
        event = RewardIssued(
            effect=award.effect,
            item=award.item,
            amount=award.amount,
            unit=award.unit,
            rule=award.rule,
            programme=award.programme,
            cost=award.cost,
        )
        _tell(tx, entry, f"{entry.key}:issued:{number}", event)


def revoke(tx: Transaction, entry: LogEntry, because: str) -> None:
    """Tell the log that what was issued for an order is void, for the part that it has not told before.

    Args:
        tx: the transaction.
        entry: what happened to the order.
        because: that in a word.
    """
    for issued in standing(tx, entry.subject_id):
        event = issued.event
        assert isinstance(event, RewardIssued)
        told = RewardRevoked(issued=issued.key, effect=event.effect, item=event.item, because=because)
        _tell(tx, entry, f"{issued.key}:revoked", told)


def standing(tx: Transaction, order_id: UUID | None) -> list[LogEntry]:
    """Return what was issued for an order and is not void."""
    if order_id is None:
        return []
    entries = tx.events.of_subject(order_id, locked=True)
    void = {entry.event.issued for entry in entries if isinstance(entry.event, RewardRevoked)}
    return [entry for entry in entries if isinstance(entry.event, RewardIssued) and entry.key not in void]


def _tell(tx: Transaction, entry: LogEntry, key: str, event: Event) -> None:
    tx.events.append(
        event,
        key=key,
        contact_id=entry.contact_id,
        subject_id=entry.subject_id,
        cause=entry,
        occurred_at=entry.occurred_at,
    )
