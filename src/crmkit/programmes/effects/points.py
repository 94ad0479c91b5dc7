"""Effects in points: fixed, by rate, and times another rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cached_property
from typing import Any

import attrs

from crmkit.money import Money, exponent
from crmkit.orders import Base
from crmkit.programmes.baskets import Basket
from crmkit.programmes.effects.effect import Inputs, spread
from crmkit.programmes.lines import Lines
from crmkit.programmes.policies import DIVIDE, ROUND, Policies, Rounding
from crmkit.rewards import Award


@attrs.frozen(kw_only=True, eq=False, slots=False)
class Fixed:
    """So many points.

    Args:
        points: how many.
        unit: what they are called.
        policies: what the programme settles.
    """

    points: int
    unit: str
    policies: Policies
    needs_order = False

    @cached_property
    def template(self) -> Award:
        """What is the same in all its awards."""
        return Award(amount=self.points, unit=self.unit, base=self.policies.base)

    def amount(self, basket: Basket | None) -> int | None:
        """Return how many."""
        return self.points

    def inputs(self, basket: Basket | None) -> Inputs:
        """Return how many."""
        return {"effect": "points", "points": self.points}

    def changes(self, amount: int, basket: Basket | None) -> dict[str, Any]:
        """Return what they cost."""
        return {"cost": self.policies.cost(amount)}

    def why_not(self, basket: Basket | None) -> str:
        """Return nothing: it is never refused."""
        return ""

    def __str__(self) -> str:
        return f"{self.points} {self.unit}"


@attrs.frozen(kw_only=True, eq=False, slots=False)
class Rate:
    """So many points for each unit of currency spent on a base, exactly, rounded once.

    Args:
        rates: points for each major unit, by currency.
        lines: the products that count.
        base: the part of the order that counts.
        rounding: how the one rounding goes.
        unit: what the points are called.
        policies: what the programme settles.
        times: by what the rate is multiplied.
    """

    rates: Mapping[str, Fraction]
    lines: Lines
    base: Base
    rounding: Rounding
    unit: str
    policies: Policies
    times: Fraction = Fraction(1)
    needs_order = True

    @cached_property
    def template(self) -> Award:
        """What is the same in all its awards."""
        return Award(amount=0, unit=self.unit, base=self.base)

    def amount(self, basket: Basket | None) -> int | None:
        """Return how many points; None in a currency without a rate."""
        if basket is None:
            return None
        per_minor = self._per_minor.get(basket.order.currency)
        if per_minor is None:
            return None
        numerator, denominator = per_minor
        return self._divide(self.minor(basket) * numerator, denominator)

    @cached_property
    def _divide(self) -> Callable[[int, int], int]:
        return DIVIDE[self.rounding]

    @cached_property
    def _constant(self) -> dict[str, Inputs]:
        """What is the same in all inputs of one currency."""
        same = {"effect": "rate", "base": self.base.value, "rounding": self.rounding.value}
        return {
            code: {**same, "currency": code, "exponent": exponent(code), "rate": str(rate)}
            for code, rate in self.rates.items()
        }

    @cached_property
    def _per_minor(self) -> dict[str, tuple[int, int]]:
        exact = {code: rate / 10 ** exponent(code) * self.times for code, rate in self.rates.items()}
        return {code: (rate.numerator, rate.denominator) for code, rate in exact.items()}

    def inputs(self, basket: Basket | None) -> Inputs:
        """Return what was spent, and at which rate it counts."""
        assert basket is not None
        return self._constant[basket.order.currency] | {"minor": self.minor(basket)}

    def minor(self, basket: Basket) -> int:
        """Return the minor units that count."""
        return basket.minor(self._word) if self.lines.condition is None else sum(self.shares(basket).values())

    @cached_property
    def _word(self) -> str:
        return self.base.value

    def shares(self, basket: Basket) -> Mapping[str, int]:
        """Return the minor units that count, by line."""
        shares = basket.shares(self._word)
        if self.lines.condition is None:
            return shares
        return {line.id: shares[line.id] for line in self.lines.of(basket) if line.id in shares}

    def changes(self, amount: int, basket: Basket | None) -> dict[str, Any]:
        """Return how many points each line earned, and what all cost."""
        assert basket is not None
        return {"lines": spread(amount, self.shares(basket)), "cost": self.policies.cost(amount)}

    def why_not(self, basket: Basket | None) -> str:
        """Return which currency has no rate."""
        code = basket.order.currency if basket is not None else "none"
        return f"order.currency is {code}, which has no rate; rates are for {', '.join(sorted(self.rates))}"

    def __str__(self) -> str:
        rates = " or ".join(f"{rate} {self.unit} per {code}" for code, rate in sorted(self.rates.items()))
        return f"{rates} of {self.base.value}{self.lines}, rounded to {self.rounding.value}"


@attrs.frozen(kw_only=True, eq=False, slots=False)
class Multiply:
    """What another rule of the programme gives, once more for each whole of the factor above 1.

    Args:
        factor: more than 1.
        rule: the other rule's name.
        rate: what that rule computes, over the lines that count here, times the factor less 1.
    """

    factor: Fraction
    rule: str
    rate: Rate
    needs_order = True

    @property
    def lines(self) -> Lines:
        """The products that count."""
        return self.rate.lines

    @property
    def template(self) -> Award:
        """What is the same in all its awards."""
        return self.rate.template

    def amount(self, basket: Basket | None) -> int | None:
        """Return the points beyond those that the other rule gives."""
        return self.rate.amount(basket)

    def inputs(self, basket: Basket | None) -> Inputs:
        """Return the other rule's inputs with the factor."""
        return self.rate.inputs(basket) | {"effect": "multiply", "factor": str(self.factor)}

    def changes(self, amount: int, basket: Basket | None) -> dict[str, Any]:
        """Return how many points each line earned, and what all cost."""
        return self.rate.changes(amount, basket)

    def why_not(self, basket: Basket | None) -> str:
        """Return why the other rule gives nothing."""
        return self.rate.why_not(basket)

    def __str__(self) -> str:
        return f"{self.factor} times what the rule {self.rule!r} gives{self.rate.lines}"


Recompute = Callable[[Mapping[str, object]], int]


def fixed_amount(inputs: Mapping[str, object]) -> int:
    """Return the points of a fixed award."""
    return _whole(inputs["points"])


def rate_amount(inputs: Mapping[str, object]) -> int:
    """Return the points of what was spent: `round(minor / 10**exponent * rate)`."""
    return ROUND[str(inputs["rounding"])](_exact(inputs))


def multiple_amount(inputs: Mapping[str, object]) -> int:
    """Return the points beyond those of the other rule: `round(minor / 10**exponent * rate * (factor - 1))`."""
    return ROUND[str(inputs["rounding"])](_exact(inputs) * (Fraction(str(inputs["factor"])) - 1))


def spent(inputs: Mapping[str, object]) -> str:
    """Return what was spent, in words."""
    money = Money(_whole(inputs["minor"]), str(inputs["currency"]))
    words = f"{money} of {inputs['base']} at {inputs['rate']} per {inputs['currency']}"
    times = f", times {inputs['factor']} less 1" if "factor" in inputs else ""
    return f"{words}{times}, rounded to {inputs['rounding']}"


def _exact(inputs: Mapping[str, object]) -> Fraction:
    spent = Fraction(_whole(inputs["minor"]), 10 ** _whole(inputs["exponent"]))
    return spent * Fraction(str(inputs["rate"]))


def _whole(value: object) -> int:
    assert isinstance(value, int)
    return value
