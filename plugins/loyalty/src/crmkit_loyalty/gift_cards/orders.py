"""What the life of an order does to gift cards: those that paid get their money back, those bought are disabled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from crmkit import (
    Effect,
    LogEntry,
    Order,
    OrderAmended,
    OrderCancelled,
    OrderRefunded,
    Reaction,
    Transaction,
)
from crmkit_loyalty.configured import settings_of
from crmkit_loyalty.events import RewardRevoked
from crmkit_loyalty.gift_cards.card import GiftCard, Move, MoveKind, due_back, undone
from crmkit_loyalty.gift_cards.payments import Payments
from crmkit_loyalty.gift_cards.service import GiftCards
from crmkit_loyalty.gift_cards.settings import RestorePolicy
from crmkit_loyalty.gift_cards.store import CardStore
from crmkit_loyalty.keyed import by_key


def reactions() -> list[Reaction]:
    """Return what changes gift cards; it is essential, a refund stands with its restorations or not at all."""
    return [
        Reaction(OrderRefunded, on_refunded, essential=True),
        Reaction(OrderCancelled, on_cancelled, essential=True),
        Reaction(OrderAmended, on_amended, essential=True),
        Reaction(RewardRevoked, on_revoked, essential=True),
    ]


def on_refunded(tx: Transaction, entry: LogEntry) -> None:
    """Give the cards that paid their part of a refund, and disable those whose purchase was given back."""
    event = entry.event
    assert isinstance(event, OrderRefunded)
    _restore(tx, entry, event.order_key, sum(part.minor for part in event.returned.values()))
    cards = CardStore(tx, locked=True).bought_with(event.order_key)
    if not cards:
        return
    order = tx.orders.get(event.order_key).order
    gone = (
        cards
        if event.whole
        else [card for line in order.lines for card in _given_back(line.id, order, event, cards)]
    )
    _disable(tx, gone, "refunded", entry)


def on_cancelled(tx: Transaction, entry: LogEntry) -> None:
    """Give the cards that paid everything back, and disable those that were bought."""
    event = entry.event
    assert isinstance(event, OrderCancelled)
    _restore(tx, entry, event.order_key, None)
    _disable(tx, CardStore(tx, locked=True).bought_with(event.order_key), "cancelled", entry)


def on_amended(tx: Transaction, entry: LogEntry) -> None:
    """Disable the cards whose line the order has no more."""
    event = entry.event
    assert isinstance(event, OrderAmended)
    lines = {"", *(line.id for line in event.order.lines)}
    bought = CardStore(tx, locked=True).bought_with(event.order.key)
    _disable(tx, [card for card in bought if card.line_id not in lines], "amended", entry)


def on_revoked(tx: Transaction, entry: LogEntry) -> None:
    """Disable the card that was issued under the key of a reward that is void."""
    event = entry.event
    assert isinstance(event, RewardRevoked)
    cards = CardStore(tx, locked=True)
    if event.effect == Effect.GIFT_CARD and (row := by_key(tx, cards.cards, event.issued)):
        GiftCards(tx).disable(row["id"], because=event.because, cause=entry)


def _given_back(
    line_id: str, order: Order, event: OrderRefunded, cards: Sequence[GiftCard]
) -> Sequence[GiftCard]:
    done = event.returned.get(line_id)
    if done is None:
        return ()
    share = order.shares[line_id]
    count = next(line.quantity for line in order.lines if line.id == line_id)
    part = Fraction(done.minor, share) if share else Fraction(done.quantity, count)
    return undone([card for card in cards if card.line_id == line_id], part)


def _disable(tx: Transaction, cards: Iterable[GiftCard], because: str, entry: LogEntry) -> None:
    for card in sorted(cards, key=lambda card: card.id):
        GiftCards(tx).disable(card.id, because=because, cause=entry)


def _restore(tx: Transaction, entry: LogEntry, order_key: str, refunded: int | None) -> None:
    """Give cards what is theirs of all refunds so far, the last payment first; `None` is everything."""
    store, policy = CardStore(tx, locked=True), settings_of(tx, "GiftCards").gift_cards.restore
    paid_by = {move.card_id for move in store.paid_for(order_key)}
    if not paid_by or (policy is RestorePolicy.BY_HAND and refunded is not None):
        return
    payments = Payments(tx)
    payments.lock(sorted(paid_by), order_key)
    moves = store.paid_for(order_key)
    captured = sum(move.amount for move in moves if move.kind is MoveKind.CAPTURE)
    restored = sum(move.amount for move in moves if move.kind is MoveKind.RESTORE)
    total = tx.orders.get(order_key).order.total.minor
    due = captured if refunded is None else due_back(policy, captured, total, refunded)
    for capture, part in _parts(moves, due - restored):
        payments.give_back(capture, part, f"restore:{entry.id}:{capture.id}", entry)


def _parts(moves: Sequence[Move], amount: int) -> list[tuple[Move, int]]:
    """Return how much goes back of which capture: the latest first."""
    left = {move.id: move.amount for move in moves if move.kind is MoveKind.CAPTURE}
    for move in moves:
        if move.capture_id is not None:
            left[move.capture_id] -= move.amount
    parts = []
    for capture in reversed([move for move in moves if move.kind is MoveKind.CAPTURE]):
        part = min(left[capture.id], amount)
        if part > 0:
            parts.append((capture, part))
            amount -= part
    return parts
