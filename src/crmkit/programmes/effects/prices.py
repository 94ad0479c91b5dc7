"""Effects on the price: some percent or money off, free shipping, and of every few pieces some for less."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import attrs

from crmkit.money import Money
from crmkit.orders import Base, LineKind, OrderLine
from crmkit.programmes.baskets import Basket
from crmkit.programmes.effects.effect import Inputs, spread
from crmkit.programmes.lines import Lines
from crmkit.programmes.policies import DIVIDE, ROUND, Rounding
from crmkit.rewards import Award, Effect

_TEMPLATE = Award(amount=0, effect=Effect.PRICE, base=Base.TOTAL)


@attrs.frozen(kw_only=True, eq=False)
class PriceOff:
    """Takes money off the lines that it is about: never more than they cost.

    Args:
        lines: the products that it is about.
        shipping: whether it is about the shipping instead.
        percent: how much of what they cost, 0 to 100; None for a sum.
        off: that sum; None for a percentage.
        rounding: how the one rounding goes.
    """

    lines: Lines
    shipping: bool = False
    percent: Fraction | None = None
    off: Money | None = None
    rounding: Rounding = Rounding.FLOOR
    needs_order = True

    template = _TEMPLATE

    def amount(self, basket: Basket | None) -> int | None:
        """Return how much is taken off; None for a sum in another currency."""
        if basket is None:
            return None
        minor = sum(self._weights(basket).values())
        if self.percent is not None:
            return _part(minor, self.percent, self.rounding)
        assert self.off is not None
        return min(self.off.minor, minor) if self.off.currency == basket.order.currency else None

    def inputs(self, basket: Basket | None) -> Inputs:
        """Return what the lines cost, and how much of it is taken off."""
        assert basket is not None
        found: Inputs = {"effect": "price", "minor": sum(self._weights(basket).values())}
        if self.percent is not None:
            return found | {"percent": str(self.percent), "rounding": self.rounding.value}
        assert self.off is not None
        return found | {"off": self.off.minor}

    def changes(self, amount: int, basket: Basket | None) -> dict[str, Any]:
        """Return how much is taken off by line, in the order's currency."""
        assert basket is not None
        return _changes(amount, basket, self._weights(basket))

    def why_not(self, basket: Basket | None) -> str:
        """Return in which currency the sum is."""
        code = basket.order.currency if basket is not None else "none"
        return f"order.currency is {code}, and {self.off} is taken off"

    def _weights(self, basket: Basket) -> dict[str, int]:
        lines: Iterable[OrderLine] = self.lines.of(basket)
        if self.shipping:
            lines = (line for line in basket.order.lines if line.kind is LineKind.SHIPPING)
        return {line.id: basket.order.shares[line.id] for line in lines}

    def __str__(self) -> str:
        if self.shipping:
            return "free shipping"
        what = f"{self.percent} percent" if self.percent is not None else f"{self.off}"
        return f"{what} off{self.lines}"


@attrs.frozen(kw_only=True, eq=False)
class BuyGet:
    """Of every `buy + get` pieces the cheapest `get` for less; none of them counts twice.

    Args:
        lines: the products that count.
        buy: how many are paid for.
        get: how many more are for less.
        percent: how much less, 0 to 100.
        rounding: how the one rounding goes.
    """

    lines: Lines
    buy: int
    get: int
    percent: Fraction
    rounding: Rounding
    needs_order = True

    template = _TEMPLATE

    def amount(self, basket: Basket | None) -> int | None:
        """Return how much is taken off; None for too few pieces."""
        free = [] if basket is None else self._free(basket)
        minor = sum(price * count for price, _, count in free)
        return _part(minor, self.percent, self.rounding) if free else None

    def inputs(self, basket: Basket | None) -> Inputs:
        """Return what the pieces for less cost: pairs of a price and how many have it."""
        assert basket is not None
        prices: dict[int, int] = {}
        for price, _, count in self._free(basket):
            prices[price] = prices.get(price, 0) + count
        pieces = [[price, count] for price, count in sorted(prices.items())]
        return {
            "effect": "buy_get",
            "buy": self.buy,
            "get": self.get,
            "pieces": pieces,
            "percent": str(self.percent),
            "rounding": self.rounding.value,
        }

    def changes(self, amount: int, basket: Basket | None) -> dict[str, Any]:
        """Return how much is taken off by line, in the order's currency."""
        assert basket is not None
        weights: dict[str, int] = {}
        for price, id, count in self._free(basket):
            weights[id] = weights.get(id, 0) + price * count
        return _changes(amount, basket, weights)

    def why_not(self, basket: Basket | None) -> str:
        """Return how many pieces there are, and how many are needed."""
        count = sum(line.quantity for line in self.lines.of(basket)) if basket is not None else 0
        return f"{count} pieces{self.lines} are in the order, fewer than {self.buy + self.get}"

    def _free(self, basket: Basket) -> list[tuple[int, str, int]]:
        """Return the pieces for less, cheapest first: price, line and how many."""
        if self not in basket.memo:
            basket.memo[self] = self._found(basket)
        found: list[tuple[int, str, int]] = basket.memo[self]
        return found

    def _found(self, basket: Basket) -> list[tuple[int, str, int]]:
        lines = self.lines.of(basket)
        left = sum(line.quantity for line in lines) // (self.buy + self.get) * self.get
        found = []
        for price, id, count in sorted(_pieces(lines, basket.order.shares)):
            taken = min(count, left)
            if taken:
                found.append((price, id, taken))
            left -= taken
        return found

    def __str__(self) -> str:
        less = "free" if self.percent == 100 else f"{self.percent} percent off"
        return f"buy {self.buy}, get {self.get} {less}{self.lines}"


def _pieces(lines: Sequence[OrderLine], shares: Mapping[str, int]) -> Iterable[tuple[int, str, int]]:
    """Yield the price of each piece of a line, to the minor unit: what does not divide falls on some of them."""
    for line in lines:
        price, dearer = divmod(shares[line.id], line.quantity)
        yield price, line.id, line.quantity - dearer
        if dearer:
            yield price + 1, line.id, dearer


def _changes(amount: int, basket: Basket, weights: Mapping[str, int]) -> dict[str, Any]:
    currency = basket.order.currency
    lines = {id: part for id, part in spread(amount, weights).items() if part}
    return {"unit": currency, "lines": MappingProxyType(lines), "cost": Money(amount, currency)}


def price_amount(inputs: Mapping[str, Any]) -> int:
    """Return how much is taken off: `round(minor * percent / 100)`, or the sum, at most all of it."""
    if "off" in inputs:
        return min(int(inputs["off"]), int(inputs["minor"]))
    return _again(int(inputs["minor"]), inputs)


def buy_get_amount(inputs: Mapping[str, Any]) -> int:
    """Return how much is taken off: that percentage of what the pieces for less cost."""
    return _again(sum(price * count for price, count in inputs["pieces"]), inputs)


def _again(minor: int, inputs: Mapping[str, Any]) -> int:
    return ROUND[inputs["rounding"]](minor * Fraction(inputs["percent"]) / 100)


def _part(minor: int, percent: Fraction, rounding: Rounding) -> int:
    return DIVIDE[rounding](minor * percent.numerator, 100 * percent.denominator)
