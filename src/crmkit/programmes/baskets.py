"""What conditions and effects ask of an order, computed once for all rules of a programme."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import attrs

from crmkit.expressions.values import unscaled
from crmkit.money import exponent
from crmkit.orders import LineKind, Order, OrderLine
from crmkit.programmes.policies import FreeLines
from crmkit.rewards import Facts

#: What products come to before discount lines: a condition may ask for it, a rate is not computed on it.
GROSS = "gross"

#: Reads one field's value; None where it is missing.
Read = Callable[[Facts], object]


@attrs.define(eq=False)
class Basket:
    """An order with what was computed of it so far.

    Args:
        order: the order.
        free_lines: whether products that cost nothing count.
        memo: where effects keep what they computed of it.
    """

    order: Order
    free_lines: FreeLines
    memo: dict[Any, Any] = attrs.field(factory=dict, init=False)
    _shares: dict[str, Mapping[str, int]] = attrs.field(factory=dict, init=False)
    _sums: dict[str, int] = attrs.field(factory=dict, init=False)
    _goods: tuple[OrderLine, ...] | None = attrs.field(default=None, init=False)

    @property
    def goods(self) -> tuple[OrderLine, ...]:
        """The lines of products that count."""
        if self._goods is None:
            products = (line for line in self.order.lines if line.kind is LineKind.PRODUCT)
            shares, every = self.order.shares, self.free_lines is FreeLines.COUNT
            self._goods = tuple(line for line in products if every or shares[line.id])
        return self._goods

    def shares(self, base: str) -> Mapping[str, int]:
        """Return the minor units of each line that count in a base, given as its word: an enum is slow to hash."""
        found = self._shares.get(base)
        if found is None:
            found = self._gross if base == GROSS else self.order.base_shares(base)
            self._shares[base] = found
        return found

    @property
    def _gross(self) -> Mapping[str, int]:
        return {line.id: line.total.minor for line in self.order.lines if line.kind is LineKind.PRODUCT}

    def minor(self, base: str) -> int:
        """Return the minor units of a base."""
        found = self._sums.get(base)
        if found is None:
            found = self._sums[base] = sum(self.shares(base).values())
        return found


class Baskets:
    """Finds the basket of facts.

    Args:
        free_lines: whether products that cost nothing count.
    """

    def __init__(self, free_lines: FreeLines) -> None:
        self._free_lines = free_lines

    def of(self, facts: Facts) -> Basket | None:
        """Return the basket of facts that are about an order, the same one each time."""
        found: Basket | None = facts.memo.get(self)
        if found is None and facts.has_order:
            found = facts.memo[self] = Basket(facts.order, self._free_lines)
        return found

    def amount(self, base: str, currency: str) -> Read:
        """Return what reads an amount of an order in major units; in another currency it is missing."""
        digits = exponent(currency)

        def read(facts: Facts) -> Decimal | None:
            basket = self.of(facts)
            if basket is None or basket.order.total.currency != currency:
                return None
            return unscaled(basket.minor(base), digits)

        return read

    def told(self, tell: Callable[[Basket], object]) -> Read:
        """Return what reads something else of an order."""

        def read(facts: Facts) -> object:
            basket = self.of(facts)
            return None if basket is None else tell(basket)

        return read


def quantity(basket: Basket) -> int:
    """Return how many pieces there are."""
    return sum(line.quantity for line in basket.goods)


def skus(basket: Basket) -> frozenset[str]:
    """Return the codes of the products."""
    return frozenset(line.sku for line in basket.goods)


def categories(basket: Basket) -> frozenset[str]:
    """Return their categories."""
    return frozenset(line.category for line in basket.goods if line.category)


def discounted(basket: Basket) -> bool:
    """Return whether a discount line stands in the order."""
    return any(line.kind is LineKind.DISCOUNT for line in basket.order.lines)
