"""Refunds: one that an order allows, and ways to give everything back in parts."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

from crmkit.money import Money
from crmkit.orders import Order, Refund, Returned, add_returns, split_refund


@st.composite
def refunds(
    draw: st.DrawFn, order: Order, *, before: Mapping[str, Returned] | None = None, key: str = "r1"
) -> Refund:
    """Draw a refund that the order allows: whole, of lines, or of an amount.

    Args:
        draw: given by Hypothesis.
        order: the order.
        before: what earlier refunds gave back, by line id.
        key: the refund's key.
    """
    done = before or {}
    left = {id: share - done.get(id, Returned()).minor for id, share in order.shares.items()}
    counts = {line.id: line.quantity - done.get(line.id, Returned()).quantity for line in order.lines}
    open_ = {id: counts[id] for id in order.shares if counts[id] > 0}
    ways = ["whole"] + (["lines"] if open_ else []) + (["amount"] if sum(left.values()) > 0 else [])
    way = draw(st.sampled_from(ways))
    if way == "amount":
        return Refund.of_amount(key, Money(draw(st.integers(1, sum(left.values()))), order.currency))
    if way == "lines":
        some = draw(st.lists(st.sampled_from(sorted(open_)), min_size=1, unique=True))
        return Refund.of_lines(key, {id: draw(st.integers(1, open_[id])) for id in some})
    return Refund.whole(key)


@st.composite
def partitions(draw: st.DrawFn, order: Order, *, most: int = 4) -> list[Refund]:
    """Draw refunds that, one after another, give back the whole order; keys r1, r2, ...

    Args:
        draw: given by Hypothesis.
        order: the order.
        most: at most how many.
    """
    found: list[Refund] = []
    before: dict[str, Returned] = {}
    for number in range(1, draw(st.integers(1, most))):
        refund = draw(refunds(order, before=before, key=f"r{number}"))
        found.append(refund)
        before = add_returns(before, split_refund(order, before, refund))
        if _complete(order, before):
            return found
    return [*found, Refund.whole(f"r{len(found) + 1}")]


def _complete(order: Order, before: Mapping[str, Returned]) -> bool:
    whole = {
        line.id: Returned(line.quantity, order.shares[line.id])
        for line in order.lines
        if line.id in order.shares
    }
    return all(before.get(id) == part for id, part in whole.items())
