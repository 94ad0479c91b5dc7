"""Conditions over single lines of an order: which of them an effect is about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from crmkit.errors import ValueRefused
from crmkit.expressions import Expression, Field, FieldType
from crmkit.expressions.values import unscaled
from crmkit.money import exponent
from crmkit.orders import OrderLine
from crmkit.programmes.baskets import Basket
from crmkit.programmes.vocabulary import amount_field

_PLAIN = {
    "line.sku": Field("line.sku", FieldType.TEXT),
    "line.name": Field("line.name", FieldType.TEXT),
    "line.category": Field("line.category", FieldType.TEXT),
    "line.quantity": Field("line.quantity", FieldType.INTEGER, bound=(1, 10**9)),
}


class LineVocabulary(Mapping[str, Field]):
    """The fields of a line by name; `line.total` in whatever currency is named.

    Args:
        currency: which one `line.total` means; empty if it is always named.
    """

    def __init__(self, currency: str) -> None:
        self._fields = dict(_PLAIN)
        if currency:
            self._fields["line.total"] = amount_field("line.total", currency)

    def __getitem__(self, name: str) -> Field:
        found = self._fields.get(name)
        if found is not None:
            return found
        head, _, currency = name.rpartition(".")
        if head != "line.total" or len(currency) != 3:
            raise KeyError(name)
        try:
            return amount_field(name, currency)
        except ValueRefused:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


@attrs.frozen(eq=False)
class Lines:
    """Which products of an order an effect is about.

    Args:
        condition: over `line.*`; None for all.
        currency: which one `line.total` means.
    """

    condition: Expression | None = None
    currency: str = ""

    def of(self, basket: Basket) -> tuple[OrderLine, ...]:
        """Return the products of which the condition holds."""
        if self.condition is None:
            return basket.goods
        found: tuple[OrderLine, ...] | None = basket.memo.get(self)
        if found is None:
            holds = self.condition.compile()
            found = tuple(line for line in basket.goods if holds(self._values(basket, line)))
            basket.memo[self] = found
        return found

    def __str__(self) -> str:
        return f" of lines with {self.condition}" if self.condition is not None else ""

    def _values(self, basket: Basket, line: OrderLine) -> dict[str, Any]:
        currency = basket.order.currency
        total = unscaled(basket.order.shares[line.id], exponent(currency))
        return {
            "line.sku": line.sku or None,
            "line.name": line.name or None,
            "line.category": line.category or None,
            "line.quantity": line.quantity,
            "line.total": total if currency == self.currency else None,
            f"line.total.{currency}": total,
        }
