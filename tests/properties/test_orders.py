"""Laws of what is paid and given back (laws-loyalty 11, 48, 54), each beside a variant that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit import Money, Order, OrderLine, Refund, Returned, add_returns, allocate, split_refund

NOW = datetime(2026, 1, 1, tzinfo=UTC)
Split = Callable[[Order, Mapping[str, Returned], Refund], Mapping[str, Returned]]


@st.composite
def orders(draw: st.DrawFn) -> Order:
    products = draw(st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 5)), min_size=1, max_size=4))
    lines = [OrderLine("p", quantity, Money(minor, "GBP")) for minor, quantity in products]
    goods = sum(minor for minor, _ in products)
    discount = draw(st.integers(0, goods))
    if discount:
        lines.append(OrderLine("d", 1, Money(-discount, "GBP"), kind="discount"))
    if draw(st.booleans()):
        lines.append(OrderLine("POST", 1, Money(draw(st.integers(0, 500)), "GBP"), kind="shipping"))
    return Order("A-1", lines, placed_at=NOW)


def refunds(draw: st.DataObject, order: Order, returned: Mapping[str, Returned], number: int) -> Refund:
    left = order.total.minor - sum(part.minor for part in returned.values())
    open_lines = {
        line.id: line.quantity - returned.get(line.id, Returned()).quantity
        for line in order.lines
        if line.id in order.shares
    }
    open_lines = {id: quantity for id, quantity in open_lines.items() if quantity}
    kind = draw.draw(st.sampled_from(["amount"] * (left > 0) + ["lines"] * bool(open_lines)), label="kind")
    if kind == "amount":
        return Refund.of_amount(str(number), Money(draw.draw(st.integers(1, left), label="amount"), "GBP"))
    id = draw.draw(st.sampled_from(sorted(open_lines)), label="line")
    return Refund.of_lines(str(number), {id: draw.draw(st.integers(1, open_lines[id]), label="quantity")})


def law_48(order: Order, data: st.DataObject, split: Split) -> None:
    """Whatever is refunded, in whatever parts: never more than was paid, and the whole comes to exactly that."""
    returned: Mapping[str, Returned] = {}
    for number in range(data.draw(st.integers(0, 4), label="refunds")):
        left = order.total.minor - sum(part.minor for part in returned.values())
        quantities = any(
            line.quantity > returned.get(line.id, Returned()).quantity
            for line in order.lines
            if line.id in order.shares
        )
        if not left and not quantities:
            return
        parts = split(order, returned, refunds(data, order, returned, number))
        assert all(part.minor >= 0 and part.quantity >= 0 for part in parts.values())
        returned = add_returns(returned, parts)
        for id, part in returned.items():
            assert part.minor <= order.shares[id], (
                f"law 48: line {id} gave back {part.minor} of {order.shares[id]}"
            )
    if {id: part.minor for id, part in returned.items() if part.minor} != {
        id: share for id, share in order.shares.items() if share
    }:
        returned = add_returns(returned, split(order, returned, Refund.whole("rest")))
    assert sum(part.minor for part in returned.values()) == order.total.minor, (
        "law 48: the whole is what was paid"
    )


@given(orders(), st.data())
def test_law_48_refunds_never_exceed_what_was_paid(order: Order, data: st.DataObject) -> None:
    law_48(order, data, split_refund)


def forgets_earlier_refunds(
    order: Order, before: Mapping[str, Returned], refund: Refund
) -> Mapping[str, Returned]:
    return split_refund(order, {}, refund)


def rounds_each_line(order: Order, before: Mapping[str, Returned], refund: Refund) -> Mapping[str, Returned]:
    if refund.quantities is None:
        return split_refund(order, before, refund)
    lines = {line.id: line for line in order.lines}
    return {
        id: Returned(
            quantity, round(Fraction(order.shares[id] * quantity, lines[id].quantity) + Fraction(1, 2))
        )
        for id, quantity in refund.quantities.items()
    }


@pytest.mark.parametrize("broken", [forgets_earlier_refunds, rounds_each_line])
def test_law_48_catches(broken: Split) -> None:
    @given(orders(), st.data())
    def law(order: Order, data: st.DataObject) -> None:
        law_48(order, data, broken)

    with pytest.raises((AssertionError, BaseExceptionGroup, ValueError)):
        law()


def law_54(order: Order) -> None:
    """The shares of the lines are what the customer pays, and none is below 0."""
    assert sum(order.shares.values()) == order.total.minor == sum(line.total.minor for line in order.lines)
    assert min(order.shares.values()) >= 0


@given(orders())
def test_law_54_line_allocations_come_to_the_order(order: Order) -> None:
    law_54(order)


def law_11(allocation: Callable[[int, list[int]], tuple[int, ...]], amount: int, weights: list[int]) -> None:
    """An allocation is exact, and no part is a unit or more away from its exact share."""
    parts = allocation(amount, weights)
    assert sum(parts) == amount
    for part, weight in zip(parts, weights, strict=True):
        assert type(part) is int
        assert abs(Fraction(part) - Fraction(amount * weight, sum(weights))) < 1


AMOUNTS = st.integers(-(2**63), 2**63)
WEIGHTS = st.lists(st.integers(0, 2**63), min_size=1, max_size=8).filter(any)


@given(AMOUNTS, WEIGHTS)
def test_law_11_allocation_is_exact(amount: int, weights: list[int]) -> None:
    law_11(allocate, amount, weights)


def by_float(amount: int, weights: list[int]) -> tuple[int, ...]:
    return tuple(round(amount * weight / sum(weights)) for weight in weights)


def test_law_11_catches_floats() -> None:
    with pytest.raises((AssertionError, BaseExceptionGroup)):
        given(AMOUNTS, WEIGHTS)(lambda amount, weights: law_11(by_float, amount, weights))()
