"""The rule of this plugin: so many points for each unit of currency spent on a named base."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import ceil, floor
from types import MappingProxyType
from typing import Any

import attrs

from crmkit import Award, Base, Facts, Money, NoAward
from crmkit_loyalty.ledger import LARGEST
from crmkit_loyalty.settings import LoyaltySettings, Rounding
from crmkit_loyalty.validity import Validity


@attrs.frozen(kw_only=True)
class PointsPerUnit:
    """Grants points in proportion to what was spent on a base, exactly, rounded once.

    Args:
        rate: points for each unit of the order's currency.
        rates: the same by currency; if it is not empty, other currencies earn nothing.
        base: the part of the order that counts.
        unit: what is granted.
        rounding: how the one rounding goes.
        cap: the most for one order; None for no cap, 0 for never.
        validity: when the points may be spent.
        name: names the rule in postings.
        version: as above.
    """

    rate: Fraction = Fraction(1)
    rates: Mapping[str, Fraction] = attrs.field(factory=dict)
    base: Base = Base.GOODS
    unit: str = "points"
    rounding: Rounding = Rounding.FLOOR
    cap: int | None = None
    validity: Validity = attrs.field(factory=Validity)
    name: str = "points-per-unit"
    version: int = 1

    @classmethod
    def of(cls, settings: LoyaltySettings) -> PointsPerUnit:
        """Return the rule that the settings describe."""
        return cls(
            rate=settings.points_per_unit,
            rates=settings.rates,
            base=settings.base,
            unit=settings.unit,
            rounding=settings.rounding,
            cap=settings.cap,
            validity=settings.validity,
        )

    def evaluate(self, facts: Facts) -> Award | NoAward:
        """Return the points for what the order comes to on the base, or why there are none."""
        spent = facts.order.amount(self.base)
        if self.rates and spent.currency not in self.rates:
            return NoAward(
                reason=f"currency {spent.currency} has no rate; rates are for {', '.join(sorted(self.rates))}"
            )
        inputs = self._inputs(spent)
        points = recompute(inputs)
        if not 1 <= points <= LARGEST:
            bound = "less than 1" if points < 1 else f"more than {LARGEST}, which is a mistake"
            return NoAward(reason=f"{describe(inputs)} comes to {points}, {bound}")
        return Award(
            amount=points, unit=self.unit, base=self.base, inputs=inputs, lot=self.validity.lot(facts.at)
        )

    def _inputs(self, spent: Money) -> dict[str, Any]:
        rate = self.rates.get(spent.currency, self.rate)
        return {
            "base": self.base.value,
            "minor": spent.minor,
            "currency": spent.currency,
            "exponent": -int(spent.amount.as_tuple().exponent),
            "rate": str(rate),
            "rounding": self.rounding.value,
        }


_ROUND: Mapping[str, Callable[[Fraction], int]] = {
    Rounding.FLOOR: floor,
    Rounding.NEAREST: lambda exact: floor(exact + Fraction(1, 2)),
    Rounding.CEILING: ceil,
}


def recompute(inputs: Mapping[str, Any]) -> int:
    """Return the points that the inputs of an award come to, before any cap: the rule's whole arithmetic."""
    exact = Fraction(inputs["rate"]) * inputs["minor"] / 10 ** inputs["exponent"]
    return _ROUND[inputs["rounding"]](exact)


def describe(inputs: Mapping[str, Any]) -> str:
    """Return the inputs of an award in words."""
    spent = Money(inputs["minor"], inputs["currency"])
    return f"{spent} of {inputs['base']} at {inputs['rate']} per {spent.currency}, rounded to {inputs['rounding']}"


#: How awards of this plugin's rules are computed again, by `rule@version`; a version that has been used stays.
RECOMPUTE: Mapping[str, Callable[[Mapping[str, Any]], int]] = MappingProxyType(
    {"points-per-unit@1": recompute}
)
