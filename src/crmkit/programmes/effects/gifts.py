"""Effects that give something other than points: a coupon, a gift card, a product."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import attrs

from crmkit.money import Money
from crmkit.programmes.baskets import Basket
from crmkit.programmes.effects.effect import Inputs
from crmkit.rewards import Award, Effect


@attrs.frozen(kw_only=True, eq=False, slots=False)
class Gift:
    """So many of one thing.

    Args:
        effect: what it is.
        item: the coupon's name or the product's code.
        count: how many; of a gift card its worth in minor units.
        unit: what is counted; of a gift card the currency.
        cost: what all of them cost the shop, or None.
    """

    effect: Effect
    item: str
    count: int
    unit: str
    cost: Money | None
    needs_order = False

    @cached_property
    def template(self) -> Award:
        """What is the same in all its awards: everything."""
        return Award(amount=self.count, unit=self.unit, effect=self.effect, item=self.item, cost=self.cost)

    def amount(self, basket: Basket | None) -> int | None:
        """Return how many."""
        return self.count

    def inputs(self, basket: Basket | None) -> Inputs:
        """Return what is given."""
        return {"effect": self.effect.value, "item": self.item, "count": self.count}

    def changes(self, amount: int, basket: Basket | None) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def why_not(self, basket: Basket | None) -> str:
        """Return nothing: it is never refused."""
        return ""

    def __str__(self) -> str:
        if self.effect is Effect.GIFT_CARD:
            return f"a gift card of {Money(self.count, self.unit)}"
        what = "the coupon" if self.effect is Effect.COUPON else f"{self.count} of the product"
        return f"{what} {self.item}"


def gift_amount(inputs: Mapping[str, object]) -> int:
    """Return how many are given."""
    count = inputs["count"]
    assert isinstance(count, int)
    return count
