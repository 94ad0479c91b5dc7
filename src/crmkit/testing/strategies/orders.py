"""Orders, their lines, and the facts that rules see."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache

from hypothesis import strategies as st

from crmkit.contacts import Contact
from crmkit.money import Money
from crmkit.orders import LineKind, Order, OrderLine
from crmkit.rewards import COUNTERS, Facts
from crmkit.testing.strategies.money import currencies, minors
from crmkit.testing.strategies.people import shoppers
from crmkit.testing.strategies.time import instants

# Strategies are built once and reused: to build them for each draw costs more than the drawing.
_GOODS = st.tuples(st.sampled_from(("TEA", "COFFEE", "ჩაი")), st.sampled_from(("", "tea", "coffee", "ყავა")))
_EXTRA = st.sampled_from((LineKind.SHIPPING, LineKind.FEE, LineKind.GIFT_CARD))
_QUANTITY = st.integers(1, 12)
#: Tax as a divisor of the total: none, a half and a fifth of the price, or all of it.
_TAX = st.sampled_from((0, 6, 2, 1, 11))
_COUNTS = st.fixed_dictionaries({name: st.integers(0, 12) for name in sorted(COUNTERS)})
_LATER = st.sampled_from((timedelta(0), timedelta(seconds=1), timedelta(days=3)))


def order_lines(
    currency: str | None = None, *, kind: LineKind | str = LineKind.PRODUCT, least: int = 0
) -> st.SearchStrategy[OrderLine]:
    """Return a strategy for lines of an order.

    Args:
        currency: its code; any by default.
        kind: what the line is; not a discount, which only an order can bound.
        least: the least total in minor units.
    """
    if currency is None:
        return currencies().flatmap(lambda code: order_lines(code, kind=kind, least=least))
    return _lines(currency, LineKind(kind), least)


@cache
def _lines(currency: str, kind: LineKind, least: int) -> st.SearchStrategy[OrderLine]:
    named = _GOODS if kind is LineKind.PRODUCT else st.just((kind.value.upper(), ""))
    return st.builds(_line, st.just(currency), st.just(kind), minors(least, 100_000), _TAX, _QUANTITY, named)


def _line(
    currency: str, kind: LineKind, total: int, tax: int, quantity: int, named: tuple[str, str]
) -> OrderLine:
    sku, category = named
    held = Money(total // tax, currency) if tax else None
    return OrderLine(sku, quantity, Money(total, currency), tax=held, kind=kind, category=category)


def orders(
    currency: str | None = None, *, most: int = 4, extras: bool = True, discounts: bool = True
) -> st.SearchStrategy[Order]:
    """Return a strategy for orders.

    Args:
        currency: their code; any by default.
        most: at most how many product lines; there is at least one.
        extras: whether shipping, fees and gift cards may be among the lines.
        discounts: whether a discount line may be among them.
    """
    if currency is None:
        return currencies().flatmap(lambda code: orders(code, most=most, extras=extras, discounts=discounts))
    return _orders(currency, most, extras, discounts)


@cache
def _orders(currency: str, most: int, extras: bool, discounts: bool) -> st.SearchStrategy[Order]:
    goods = st.lists(_lines(currency, LineKind.PRODUCT, 0), min_size=1, max_size=most)
    beside = st.lists(_EXTRA.flatmap(lambda kind: _lines(currency, kind, 0)), max_size=2)
    return st.builds(
        _order,
        st.integers(1, 999),
        goods,
        beside if extras else st.just([]),
        st.sampled_from((0, 0, 1, 10, 50, 100)) if discounts else st.just(0),
        instants(),
        st.sampled_from(("", "web")),
    )


def _order(
    number: int, goods: list[OrderLine], beside: list[OrderLine], off: int, at: datetime, channel: str
) -> Order:
    total = sum(line.total.minor for line in goods)
    less = Money(-(total * off // 100), goods[0].total.currency)
    discount = [OrderLine("OFF", 1, less, kind=LineKind.DISCOUNT)] if off else []
    return Order(f"A{number}", (*goods, *beside, *discount), placed_at=at, channel=channel)


def facts(
    *,
    currency: str | None = None,
    triggers: Sequence[str] = ("order.paid",),
    most: int = 4,
    extras: bool = True,
    discounts: bool = True,
) -> st.SearchStrategy[Facts]:
    """Return a strategy for the facts about an order.

    Args:
        currency: the order's; any by default.
        triggers: what may have happened.
        most: as for `orders`.
        extras: as for `orders`.
        discounts: as for `orders`.
    """
    order = orders(currency, most=most, extras=extras, discounts=discounts)
    return st.builds(_facts, st.sampled_from(tuple(triggers)), order, shoppers(), _COUNTS, _LATER)


def _facts(
    trigger: str, order: Order, contact: Contact, counters: dict[str, int], later: timedelta
) -> Facts:
    return Facts(trigger=trigger, at=order.placed_at + later, order=order, contact=contact, counters=counters)
