"""Small orders, and refunds of them: what the attacks on the ledger draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from hypothesis import strategies as st

from crmkit import (
    LineKind,
    Money,
    Order,
    OrderLine,
    Refund,
    Returned,
    ValueRefused,
    add_returns,
    split_refund,
)

PRICES = st.sampled_from([0, 1, 43, 99, 100, 333, 1000])

#: What somebody wants back: so many minor units, or one piece of the line that has this id.
WISHES: st.SearchStrategy[list[int | str]] = st.lists(
    st.one_of(st.integers(1, 900), st.integers(0, 2).map(str)), max_size=5
)


@st.composite
def baskets(draw: st.DrawFn) -> tuple[OrderLine, ...]:
    """Draw lines of an order: products with tax, perhaps a discount and shipping."""
    prices = draw(st.lists(st.tuples(st.integers(1, 3), PRICES), min_size=1, max_size=3))
    lines = [
        OrderLine("sku", quantity, Money(price, "GBP"), tax=Money(price // 6, "GBP"), id=str(n))
        for n, (quantity, price) in enumerate(prices)
    ]
    worth = sum(price for _, price in prices)
    if worth and draw(st.booleans()):
        off = Money(-draw(st.integers(1, worth)), "GBP")
        lines.append(OrderLine("off", 1, off, kind=LineKind.DISCOUNT, id="off"))
    if draw(st.booleans()):
        lines.append(OrderLine("post", 1, Money(499, "GBP"), kind=LineKind.SHIPPING, id="post"))
    return tuple(lines)


def refunds(order: Order, wishes: Sequence[int | str]) -> Iterator[Mapping[str, Returned]]:
    """Yield what is given back after each refund that is possible: by amount, by line, at last the rest."""
    done: Mapping[str, Returned] = {}
    for number, wish in enumerate([*wishes, None]):
        refund = Refund.whole(f"r{number}")
        if isinstance(wish, str):
            refund = Refund.of_lines(refund.key, {wish: 1})
        elif wish is not None:
            refund = Refund.of_amount(refund.key, Money(wish, "GBP"))
        with suppress(ValueRefused):
            done = add_returns(done, split_refund(order, done, refund))
        yield done
