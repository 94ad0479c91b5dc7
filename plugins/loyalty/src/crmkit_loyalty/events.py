"""What the ledger tells the log: each event says what one cause did to one unit."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from crmkit import Event, personal


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


#: The event types of this plugin.
EVENTS: tuple[type[Event], ...] = (
    PointsClawedBack,
    PointsEarned,
    PointsGranted,
    PointsRedeemed,
    PointsReturned,
)
