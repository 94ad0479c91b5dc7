"""The arithmetic of awards and refunds, attacked directly: wrong rounding hides from state machines."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from uuid import UUID

from hypothesis import strategies as st

from crmkit import Award, Base, Contact, Facts, Money, Order, OrderLine
from crmkit.testing import for_all, loyalty_law
from crmkit_loyalty import ledger
from crmkit_loyalty.rules import PointsPerUnit
from crmkit_loyalty.settings import Rounding
from crmkit_loyalty.testing.baskets import WISHES, baskets, refunds

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
_EARNED = st.integers(0, 10**6)
_RATES = st.builds(Fraction, st.integers(1, 10**6), st.integers(1, 1000))
_DIGITS = {"GBP": 100, "JPY": 1, "KWD": 1000}


@for_all(_EARNED, st.lists(st.integers(1, 10**5), min_size=1, max_size=8))
def partitions_take_back_everything(earned: int, parts: list[int]) -> None:
    """Laws 42 and 43 over amounts of money alone."""
    amount, refunded, taken = sum(parts), 0, 0
    for part in parts:
        refunded += part
        due = ledger.clawed_back(earned, Fraction(refunded), amount)
        proportional = loyalty_law(43)
        proportional.check(f"what {refunded} back of {amount} takes", due, earned * refunded // amount)
        proportional.check(f"that {taken} <= {due} <= {earned}", taken <= due <= earned, True)
        taken = due
    loyalty_law(42).check("what is taken back after everything was refunded", taken, earned)


@for_all(baskets(), WISHES, _EARNED)
def refunds_of_orders_take_back_everything(
    lines: tuple[OrderLine, ...], wishes: list[int | str], earned: int
) -> None:
    """Laws 42 and 43 over orders, on every base."""
    order = Order("k", lines, placed_at=AT)
    for base in Base:
        amount, taken = order.amount(base).minor, 0
        for done in refunds(order, wishes):
            part = ledger.refunded_part(order, done, base)
            loyalty_law(43).check(f"that 0 <= {part} of {base} <= {amount}", 0 <= part <= amount, True)
            taken = ledger.clawed_back(earned, part, amount)
        loyalty_law(42).check(f"what is taken back on the base {base}", taken, earned if amount else 0)


@for_all(_RATES, st.integers(0, 10**9), st.sampled_from(sorted(_DIGITS)), st.sampled_from(Rounding))
def awards_are_exact(rate: Fraction, minor: int, currency: str, rounding: Rounding) -> None:
    """Law 11: an award equals what whole numbers alone come to."""
    over, under = rate.numerator * minor, rate.denominator * _DIGITS[currency]
    exact = {
        Rounding.FLOOR: over // under,
        Rounding.NEAREST: (2 * over + under) // (2 * under),
        Rounding.CEILING: -(-over // under),
    }[rounding]
    order = Order("k", (OrderLine("sku", 1, Money(minor, currency)),), placed_at=AT)
    found = PointsPerUnit(rate=rate, rounding=rounding).evaluate(
        Facts(trigger="order.paid", at=AT, order=order, contact=Contact(id=UUID(int=1)))
    )
    amount = found.amount if isinstance(found, Award) else 0
    expected = exact if exact <= ledger.LARGEST else 0
    loyalty_law(11).check(f"{rate} for each of {minor} minor units of {currency}", amount, expected)
