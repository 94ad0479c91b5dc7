"""Events of orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from crmkit.events.log import Event, personal
from crmkit.money import Money
from crmkit.orders import Order, OrderState, Returned
from crmkit.rewards import Award, NoAward


def _awards(value: Iterable[Award]) -> tuple[Award, ...]:
    return tuple(value)


def _refusals(value: Iterable[NoAward]) -> tuple[NoAward, ...]:
    return tuple(value)


@attrs.frozen(kw_only=True)
class OrderRecorded(Event):
    """An order was recorded: what was ordered, without the buyer's addresses."""

    order: Order
    state: OrderState = OrderState.PLACED


@attrs.frozen(kw_only=True)
class OrderPaid(Event):
    """An order was paid, and the rules decided about it."""

    order_key: str
    amount: Money
    awards: tuple[Award, ...] = attrs.field(default=(), converter=_awards)
    refusals: tuple[NoAward, ...] = attrs.field(default=(), converter=_refusals)


@attrs.frozen(kw_only=True)
class OrderShipped(Event):
    """An order left the house."""

    order_key: str
    tracking: str = personal(default="")


@attrs.frozen(kw_only=True)
class OrderAmended(Event):
    """The lines of an order were replaced; if it was paid, the rules decided anew."""

    order: Order
    awards: tuple[Award, ...] = attrs.field(default=(), converter=_awards)
    refusals: tuple[NoAward, ...] = attrs.field(default=(), converter=_refusals)


@attrs.frozen(kw_only=True)
class OrderRefunded(Event):
    """Money was given back.

    Args:
        order_key: the order.
        refund_key: the shop's id of the refund.
        amount: this refund's money.
        parts: what this refund gives back, by line id.
        returned: what all refunds so far give back, by line id.
        whole: whether nothing is left after it.
        reason: the shop's words.
    """

    order_key: str
    refund_key: str
    amount: Money
    parts: Mapping[str, Returned]
    returned: Mapping[str, Returned]
    whole: bool
    reason: str = personal(default="")


@attrs.frozen(kw_only=True)
class OrderCancelled(Event):
    """An order was cancelled; what was paid for it is given back."""

    order_key: str
    reason: str = personal(default="")
