"""What gift cards tell the log; no code stands in it."""

from __future__ import annotations

from uuid import UUID

import attrs

from crmkit import Event, Money, personal


@attrs.frozen(kw_only=True)
class GiftCardIssued(Event):
    """A gift card was issued.

    Args:
        card_id: which.
        face: what it is worth.
        order_key: the order with which it was bought, or empty.
    """

    card_id: UUID
    face: Money
    order_key: str = ""


@attrs.frozen(kw_only=True)
class GiftCardCaptured(Event):
    """A gift card paid for an order, in part or whole.

    Args:
        card_id: which.
        amount: how much.
        order_key: the order.
        payment: the caller's key of the payment.
    """

    card_id: UUID
    amount: Money
    order_key: str
    payment: str


@attrs.frozen(kw_only=True)
class GiftCardRestored(Event):
    """Money that a gift card had paid went back to it.

    Args:
        card_id: which.
        amount: how much.
        payment: the key of the payment.
    """

    card_id: UUID
    amount: Money
    payment: str


@attrs.frozen(kw_only=True)
class GiftCardDisabled(Event):
    """A gift card buys nothing any more.

    Args:
        card_id: which.
        lost: what it still held.
        spent: what it had paid for, which is not taken back.
        because: "refunded", "cancelled", "amended", or "by hand".
        reason: the shop's words.
    """

    card_id: UUID
    lost: Money
    spent: Money
    because: str
    reason: str = personal(default="")


EVENTS: tuple[type[Event], ...] = (GiftCardCaptured, GiftCardDisabled, GiftCardIssued, GiftCardRestored)
