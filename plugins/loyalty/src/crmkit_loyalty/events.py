"""What the ledger tells the log: each event says what one cause did to one unit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import attrs

from crmkit import Event, Money, personal


@attrs.frozen(kw_only=True)
class PointsEarned(Event):
    """Awards for an order were posted.

    Args:
        order_key: the order.
        unit: what was earned.
        amount: how many units.
        rules: of them by `rule@version`.
    """

    order_key: str
    unit: str
    amount: int
    rules: Mapping[str, int]


@attrs.frozen(kw_only=True)
class PointsClawedBack(Event):
    """Awards for an order were taken back, in part or whole.

    Args:
        order_key: the order.
        unit: what was taken back.
        amount: how many units.
        because: what happened to the order: "refunded", "cancelled" or "amended".
    """

    order_key: str
    unit: str
    amount: int
    because: str


@attrs.frozen(kw_only=True)
class PointsGranted(Event):
    """Units were granted by hand.

    Args:
        key: the caller's key.
        unit: what was granted.
        amount: how many units.
        reason: the shop's words.
    """

    key: str
    unit: str
    amount: int
    reason: str = personal(default="")


@attrs.frozen(kw_only=True)
class PointsRedeemed(Event):
    """Units were spent.

    Args:
        key: the caller's key.
        unit: what was spent.
        amount: how many units.
        reason: the shop's words.
    """

    key: str
    unit: str
    amount: int
    reason: str = personal(default="")


@attrs.frozen(kw_only=True)
class PointsReturned(Event):
    """A redemption was cancelled and its units went back to their lots.

    Args:
        key: the redemption's key.
        unit: what went back.
        amount: how many units.
    """

    key: str
    unit: str
    amount: int


@attrs.frozen(kw_only=True)
class PointsOpened(Event):
    """A balance was taken over from elsewhere.

    Args:
        key: the caller's key.
        unit: of which unit.
        amount: how many units.
        reason: the shop's words.
    """

    key: str
    unit: str
    amount: int
    reason: str = personal(default="")


@attrs.frozen(kw_only=True)
class PointsAdjusted(Event):
    """A balance was corrected by hand.

    Args:
        key: the caller's key.
        unit: of which unit.
        amount: how many units came in, or minus those that went.
        reason: the shop's words.
    """

    key: str
    unit: str
    amount: int
    reason: str = personal(default="")


@attrs.frozen(kw_only=True)
class PointsTransferred(Event):
    """Units were handed from one contact to another; each has an event of its own.

    Args:
        key: the caller's key.
        unit: of which unit.
        amount: how many units came in, or minus those that went.
        other: the other contact.
        reason: the shop's words.
    """

    key: str
    unit: str
    amount: int
    other: UUID
    reason: str = personal(default="")


@attrs.frozen(kw_only=True)
class PointsReserved(Event):
    """Units were set aside to be spent.

    Args:
        key: the caller's key.
        unit: of which unit.
        amount: how many units.
        until: before when that must be committed.
        reason: the shop's words.
    """

    key: str
    unit: str
    amount: int
    until: datetime
    reason: str = personal(default="")


@attrs.frozen(kw_only=True)
class PointsReleased(Event):
    """A reservation ended without being spent.

    Args:
        key: the reservation's key.
        unit: of which unit.
        amount: how many units.
        because: "released", or "ran out" if its time did.
    """

    key: str
    unit: str
    amount: int
    because: str


@attrs.frozen(kw_only=True)
class PointsActivated(Event):
    """The hold of units ended.

    Args:
        unit: of which unit.
        amount: how many units.
    """

    unit: str
    amount: int


@attrs.frozen(kw_only=True)
class PointsExpired(Event):
    """Units lapsed unspent.

    Args:
        unit: of which unit.
        amount: how many units.
    """

    unit: str
    amount: int


@attrs.frozen(kw_only=True)
class RewardIssued(Event):
    """A rule granted something that is no points.

    Args:
        effect: what: "coupon", "gift_card", "free_product" or "price".
        item: the coupon's name, or the product's code.
        amount: how many, or how many minor units of money.
        unit: of money the currency.
        rule: `name@version`.
        programme: `name@version`, if a programme states the rule.
        cost: what it costs the shop, if anybody said.
    """

    effect: str
    item: str
    amount: int
    unit: str
    rule: str
    programme: str = ""
    cost: Money | None = None


@attrs.frozen(kw_only=True)
class RewardRevoked(Event):
    """The order was cancelled, refunded whole or amended for which something was granted.

    Args:
        issued: the key of the `RewardIssued`.
        effect: what was granted.
        item: the coupon's name, or the product's code.
        because: "cancelled", "refunded" or "amended".
    """

    issued: str
    effect: str
    item: str
    because: str


#: The event types of the ledger.
EVENTS: tuple[type[Event], ...] = (
    PointsActivated,
    PointsAdjusted,
    PointsClawedBack,
    PointsEarned,
    PointsExpired,
    PointsGranted,
    PointsOpened,
    PointsRedeemed,
    PointsReleased,
    PointsReserved,
    PointsReturned,
    PointsTransferred,
    RewardIssued,
    RewardRevoked,
)
