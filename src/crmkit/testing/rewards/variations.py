"""The same facts with something changed that a rule must, or must not, care about."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from crmkit.money import Money
from crmkit.orders import LineKind, Order, OrderLine
from crmkit.rewards import Facts

#: What is paid beside the goods.
OUTSIDE = (LineKind.SHIPPING, LineKind.FEE, LineKind.GIFT_CARD)


def with_lines(facts: Facts, lines: Sequence[OrderLine]) -> Facts:
    """Return the facts with other lines in the order."""
    return attrs.evolve(facts, order=attrs.evolve(facts.order, lines=tuple(lines)))


def with_extra(facts: Facts, kind: LineKind, minor: int) -> Facts:
    """Return the facts with one more line that is not for goods."""
    extra = OrderLine(kind.value.upper(), 1, Money(minor, facts.order.currency), kind=kind, id="extra")
    return with_lines(facts, (*facts.order.lines, extra))


def with_tax(facts: Facts, minor: int) -> Facts:
    """Return the facts with so much more tax on the first product, and its net price as it was."""
    number, first = _first_product(facts.order)
    more = Money(minor, facts.order.currency)
    taxed = attrs.evolve(first, total=first.total + more, tax=(first.tax or Money(0, more.currency)) + more)
    return with_lines(facts, _replaced(facts.order, number, taxed))


def with_dearer(facts: Facts, minor: int) -> Facts:
    """Return the facts with the first product so much dearer, its tax as it was."""
    number, first = _first_product(facts.order)
    dearer = attrs.evolve(first, total=first.total + Money(minor, facts.order.currency))
    return with_lines(facts, _replaced(facts.order, number, dearer))


def with_more(facts: Facts, minor: int) -> Facts:
    """Return the facts with one more of the first product, as a line of its own."""
    _, first = _first_product(facts.order)
    more = attrs.evolve(first, total=Money(minor, facts.order.currency), quantity=1, tax=None, id="more")
    return with_lines(facts, (*facts.order.lines, more))


def times(facts: Facts, factor: int) -> Facts:
    """Return the facts with every amount of the order multiplied."""

    def scaled(money: Money) -> Money:
        return Money(money.minor * factor, money.currency)

    return with_lines(
        facts,
        [
            attrs.evolve(line, total=scaled(line.total), tax=None if line.tax is None else scaled(line.tax))
            for line in facts.order.lines
        ],
    )


def has_discount(order: Order) -> bool:
    """Return whether a discount line is spread over the goods, which rounds their shares."""
    return any(line.kind is LineKind.DISCOUNT for line in order.lines)


def _first_product(order: Order) -> tuple[int, OrderLine]:
    return next((n, line) for n, line in enumerate(order.lines) if line.kind is LineKind.PRODUCT)


def _replaced(order: Order, number: int, line: OrderLine) -> list[OrderLine]:
    return [line if place == number else other for place, other in enumerate(order.lines)]
