"""What rules give besides points and prices stands in the gift log as well."""

from __future__ import annotations

from crmkit import Effect, LogEntry, Reaction, Transaction
from crmkit_loyalty.events import RewardIssued
from crmkit_loyalty.offers.gifts import GiftLog

_WORDS = {
    Effect.COUPON: "{amount} x coupon {item}",
    Effect.FREE_PRODUCT: "{amount} x {item}",
    Effect.GIFT_CARD: "gift card",
}


def reactions() -> list[Reaction]:
    """Return what fills the gift log."""
    return [Reaction(RewardIssued, on_issued, essential=True)]


def on_issued(tx: Transaction, entry: LogEntry) -> None:
    """Write down what was given; a price is none that is given by hand to somebody."""
    event = entry.event
    assert isinstance(event, RewardIssued)
    words = _WORDS.get(Effect(event.effect))
    if words is None or entry.contact_id is None:
        return
    what = words.format(amount=event.amount, item=event.item)
    GiftLog(tx).record(
        entry.contact_id,
        what,
        f"reward:{entry.id}",
        why=event.rule,
        cost=event.cost,
        at=entry.occurred_at,
        cause=entry,
    )
