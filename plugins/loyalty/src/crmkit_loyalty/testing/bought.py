"""What the fold model knows of orders and redemptions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import attrs

from crmkit import Base, LineKind, Order, Refund
from crmkit_loyalty.testing.oracle import Slot
from crmkit_loyalty.testing.programme import RATE


@attrs.define
class Bought:
    """An order as the oracle knows it: what it earned and what was clawed back so far, by unit."""

    key: str
    who: int
    order: Order
    recorded: str
    state: str = "paid"
    earned: Counter[str] = attrs.field(factory=Counter)
    clawed: Counter[str] = attrs.field(factory=Counter)
    past: Counter[str] = attrs.field(factory=Counter)
    returned: Mapping[str, Any] = attrs.field(factory=dict)
    refunded: int = 0
    refunds: list[Refund] = attrs.field(factory=list)
    slots: dict[str, Slot] = attrs.field(factory=dict)
    taken: Counter[str] = attrs.field(factory=Counter)
    first: Order = attrs.field(default=attrs.Factory(lambda self: self.order, takes_self=True))

    def base(self, unit: str) -> dict[str, int]:
        """What counts for a unit, by line: products after discounts, for stars without their tax."""
        return self.order.base_shares(Base.GOODS if unit == "points" else Base.NET)

    def award(self) -> Counter[str]:
        """What the rules ought to grant, computed another way than they do."""
        products = sum(line.total.minor for line in self.order.lines if line.kind is LineKind.PRODUCT)
        discounts = sum(line.total.minor for line in self.order.lines if line.kind is LineKind.DISCOUNT)
        points = (products + discounts) * RATE.numerator // (100 * RATE.denominator)
        return Counter({"points": points, "stars": sum(self.base("stars").values()) // 50})

    def due(self, unit: str) -> int:
        """Law 43: how much is to be clawed back by now."""
        if self.state in ("refunded", "cancelled"):
            return self.earned[unit]
        shares = self.base(unit)
        refunded = sum(
            (
                Fraction(done.minor * shares[id], self.order.shares[id])
                for id, done in self.returned.items()
                if shares.get(id)
            ),
            Fraction(0),
        )
        return math.floor(self.earned[unit] * refunded / max(1, sum(shares.values())))


@attrs.define
class Spent:
    """A redemption as the oracle knows it."""

    key: str
    who: int
    unit: str
    amount: int
