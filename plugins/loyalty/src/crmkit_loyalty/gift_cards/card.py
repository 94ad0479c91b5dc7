"""A gift card as a fold of its moves, and the arithmetic of what it may pay."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from math import floor
from uuid import UUID

import attrs

from crmkit import Conflict, LineKind, Money, Order
from crmkit_loyalty.gift_cards.settings import RestorePolicy


class CardAccount(StrEnum):
    """Where the money of a gift card is."""

    ISSUED = "issued"  #: where it comes from
    BALANCE = "balance"  #: on the card
    CAPTURED = "captured"  #: with the shop, for an order
    DISABLED = "disabled"  #: gone because the card's purchase was undone
    EXPIRED = "expired"  #: lapsed


class MoveKind(StrEnum):
    """What a move of a gift card's money is."""

    ISSUE = "issue"
    CAPTURE = "capture"
    RESTORE = "restore"
    DISABLE = "disable"
    EXPIRE = "expire"


@attrs.frozen(kw_only=True)
class Move:
    """Money of a gift card that went from one account to another.

    Args:
        id: its id.
        key: unique among moves.
        kind: what it is.
        card_id: of which card.
        source: from where.
        target: to where.
        amount: minor units, 0 or more.
        order_key: the order that was paid, or empty.
        capture_id: of a restoration: the capture that it takes back.
        at: when.
        cause_id: the event that caused it, if any.
    """

    id: UUID
    key: str
    kind: MoveKind = attrs.field(converter=MoveKind)
    card_id: UUID
    source: CardAccount = attrs.field(converter=CardAccount)
    target: CardAccount = attrs.field(converter=CardAccount)
    amount: int
    order_key: str = ""
    capture_id: UUID | None = None
    at: datetime
    cause_id: UUID | None = None


@attrs.frozen(kw_only=True)
class GiftCard:
    """A gift card as it stands.

    Args:
        id: its id.
        key: the caller's key of its issue.
        hint: the last four characters of its code.
        face: what it was worth when it was issued.
        balance: what is on it, usable or not.
        captured: what it has paid for and was not given back.
        disabled: whether it buys nothing any more because its purchase was undone, or somebody said so.
        contact_id: whose it is, if that is known.
        order_key: the order with which it was bought, or empty.
        line_id: the line of that order, or empty.
        issued_at: since when it is valid.
        expires_at: until before when.
    """

    id: UUID
    key: str
    hint: str
    face: Money
    balance: Money
    captured: Money
    disabled: bool
    contact_id: UUID | None
    order_key: str
    line_id: str
    issued_at: datetime
    expires_at: datetime

    def usable(self, at: datetime) -> Money:
        """Return what it can pay at an instant."""
        valid = not self.disabled and at < self.expires_at
        return self.balance if valid else Money(0, self.face.currency)


class GiftCardShort(Conflict):
    """A gift card cannot pay as much as asked for.

    Args:
        card: the card.
        wanted: what was asked for.
        usable: what it can pay now.
        why: why that is less than its balance, or empty.
    """

    def __init__(self, card: GiftCard, wanted: Money, usable: Money, why: str) -> None:
        super().__init__(
            f"gift card ...{card.hint} cannot pay {wanted}: {usable} can be used now"
            + (f", {why}" if why else "")
            + "; nothing was taken"
        )
        self.card = card
        self.wanted = wanted
        self.usable = usable


class StoredValueRefused(Conflict):
    """Stored value was to buy stored value, or to pay more than there is to pay.

    Args:
        order_key: the order.
        total: what it costs.
        payable: how much of that gift cards may pay.
        wanted: what they would have paid in all.
    """

    def __init__(self, order_key: str, total: Money, payable: Money, wanted: Money) -> None:
        super().__init__(
            f"gift cards would pay {wanted} of order {order_key!r}, which costs {total}; they may pay {payable}, "
            "for a gift card cannot buy another one"
        )
        self.order_key = order_key
        self.payable = payable
        self.wanted = wanted


def totals(moves: Iterable[tuple[str, str, int]]) -> dict[CardAccount, int]:
    """Return what each account holds after moves, given as source, target and amount."""
    sums = dict.fromkeys(CardAccount, 0)
    for source, target, amount in moves:
        sums[CardAccount(source)] -= amount
        sums[CardAccount(target)] += amount
    return sums


def payable(order: Order) -> Money:
    """Return how much of an order gift cards may pay: all but its gift cards."""
    stored = sum(order.shares[line.id] for line in order.lines if line.kind is LineKind.GIFT_CARD)
    return Money(order.total.minor - stored, order.currency)


def due_back(policy: RestorePolicy, captured: int, total: int, refunded: int) -> int:
    """Return how much of what gift cards paid for an order goes back to them, in all.

    It is counted from the sum of all refunds, so that it does not matter in how many parts they came.

    Args:
        policy: which part of a refund is theirs.
        captured: what they paid, in minor units.
        total: what the order costs.
        refunded: what was given back so far.
    """
    if policy is RestorePolicy.CARDS_FIRST:
        return min(captured, refunded)
    if policy is RestorePolicy.CARDS_LAST:
        return max(0, min(captured, refunded - (total - captured)))
    return 0


def undone(cards: Sequence[GiftCard], part: Fraction) -> Sequence[GiftCard]:
    """Return which cards of a line are to be disabled: as many as were given back, those least spent first.

    Args:
        cards: all that were bought with the line.
        part: how much of the line was given back, from 0 to 1.
    """
    ranked = sorted(cards, key=lambda card: (not card.disabled, card.captured.minor, card.id))
    return [card for card in ranked[: floor(len(cards) * part)] if not card.disabled]
