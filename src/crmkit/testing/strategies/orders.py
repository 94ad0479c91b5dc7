"""Orders, their lines, and the facts that rules see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import attrs
from hypothesis import strategies as st

from crmkit.contacts import Contact
from crmkit.expressions import Field
from crmkit.money import Money
from crmkit.orders import LineKind, Order, OrderLine
from crmkit.rewards import COUNTERS, Facts
from crmkit.testing.strategies.fields import field_values
from crmkit.testing.strategies.money import currencies, minors
from crmkit.testing.strategies.people import shoppers
from crmkit.testing.strategies.time import instants

# Strategies are built once and reused: to build them for each draw costs more than the drawing.
_EXTRA = st.sampled_from((LineKind.SHIPPING, LineKind.FEE, LineKind.GIFT_CARD))
_QUANTITY = st.integers(1, 12)
#: Tax as a divisor of the total: none, a half and a fifth of the price, or all of it.
_TAX = st.sampled_from((0, 6, 2, 1, 11))
_COUNTS = st.fixed_dictionaries({name: st.integers(0, 12) for name in sorted(COUNTERS)})
_LATER = st.sampled_from((timedelta(0), timedelta(seconds=1), timedelta(days=3)))


@attrs.frozen
class Topic:
    """What orders are about.

    Args:
        words: product codes, categories, channels and currencies that are drawn often.
        amounts: minor units that are drawn often.
    """

    words: tuple[str, ...] = ()
    amounts: tuple[int, ...] = ()


def order_lines(
    currency: str | None = None,
    *,
    kind: LineKind | str = LineKind.PRODUCT,
    least: int = 0,
    words: Sequence[str] = (),
    amounts: Sequence[int] = (),
) -> st.SearchStrategy[OrderLine]:
    """Return a strategy for lines of an order.

    Args:
        currency: its code; any by default.
        kind: what the line is; not a discount, which only an order can bound.
        least: the least total in minor units.
        words: product codes, categories and currencies that are drawn besides the usual ones.
        amounts: totals in minor units that are drawn besides the usual ones.
    """
    topic = Topic(tuple(words), tuple(amounts))
    if currency is not None:
        return _lines(currency, LineKind(kind), least, topic)
    return currencies(topic.words).flatmap(lambda code: _lines(code, LineKind(kind), least, topic))


@cache
def _lines(currency: str, kind: LineKind, least: int, topic: Topic) -> st.SearchStrategy[OrderLine]:
    total = minors(least, 100_000, topic.amounts)
    named = _goods(topic) if kind is LineKind.PRODUCT else st.just((kind.value.upper(), ""))
    return st.builds(_line, st.just(currency), st.just(kind), total, _TAX, _QUANTITY, named)


@cache
def _goods(topic: Topic) -> st.SearchStrategy[tuple[str, str]]:
    skus = st.sampled_from(("TEA", "COFFEE", "ჩაი", *topic.words))
    return st.tuples(skus, st.sampled_from(("", "tea", "coffee", "ყავა", *topic.words)))


def _line(
    currency: str, kind: LineKind, total: int, tax: int, quantity: int, named: tuple[str, str]
) -> OrderLine:
    sku, category = named
    held = Money(total // tax, currency) if tax else None
    return OrderLine(sku, quantity, Money(total, currency), tax=held, kind=kind, category=category)


def orders(
    currency: str | None = None,
    *,
    most: int = 4,
    extras: bool = True,
    discounts: bool = True,
    words: Sequence[str] = (),
    amounts: Sequence[int] = (),
) -> st.SearchStrategy[Order]:
    """Return a strategy for orders.

    Args:
        currency: their code; any by default.
        most: at most how many product lines; there is at least one.
        extras: whether shipping, fees and gift cards may be among the lines.
        discounts: whether a discount line may be among them.
        words: product codes, categories, channels and currencies that are drawn besides the usual ones.
        amounts: totals of a line in minor units that are drawn besides the usual ones.
    """
    topic = Topic(tuple(words), tuple(amounts))
    if currency is not None:
        return _orders(currency, most, extras, discounts, topic)
    return currencies(topic.words).flatmap(lambda code: _orders(code, most, extras, discounts, topic))


@cache
def _orders(
    currency: str, most: int, extras: bool, discounts: bool, topic: Topic
) -> st.SearchStrategy[Order]:
    goods = st.lists(_lines(currency, LineKind.PRODUCT, 0, topic), min_size=1, max_size=most)
    beside = st.lists(_EXTRA.flatmap(lambda kind: _lines(currency, kind, 0, topic)), max_size=2)
    return st.builds(
        _order,
        st.integers(1, 999),
        goods,
        beside if extras else st.just([]),
        st.sampled_from((0, 0, 1, 10, 50, 100)) if discounts else st.just(0),
        instants(),
        st.sampled_from(("", "web", *topic.words)),
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
    fields: Sequence[Field] = (),
    payload: Sequence[Field] = (),
    **options: Any,
) -> st.SearchStrategy[Facts]:
    """Return a strategy for the facts about a happening: with an order if the trigger's name says so.

    Args:
        currency: the order's; any by default.
        triggers: what may have happened, such as "order.paid" or "member.birthday".
        fields: the fields of the contact that rules read; each may be missing.
        payload: the fields of the event that rules read, such as `event.score`; each may be missing.
        options: as for `orders`.
    """
    words = tuple(options.get("words", ()))
    return st.sampled_from(tuple(triggers)).flatmap(
        lambda trigger: st.builds(
            _facts,
            st.just(trigger),
            orders(currency, **options) if trigger.startswith("order.") else st.none(),
            instants(),
            shoppers(),
            _COUNTS,
            _LATER,
            field_values(fields, words=words),
            field_values(payload, words=words),
        )
    )


def _facts(
    trigger: str,
    order: Order | None,
    moment: datetime,
    contact: Contact,
    counters: dict[str, int],
    later: timedelta,
    fields: Mapping[str, object],
    payload: Mapping[str, object],
) -> Facts:
    return Facts(
        trigger=trigger,
        at=order.placed_at + later if order else moment,
        contact=contact,
        order=order,
        key=order.key if order else trigger,
        payload={name.removeprefix("event."): value for name, value in payload.items()},
        counters=counters,
        fields=fields,
        zone=contact.zone,
    )
