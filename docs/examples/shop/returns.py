"""Finds the orders that a cancellation takes back: the data does not say which they are."""

from __future__ import annotations

from collections import defaultdict

import attrs
from invoices import Invoice, Kind, Line


@attrs.define
class _Bought:
    order: str
    line: str
    left: int


class Purchases:
    """What customers have bought and not yet brought back."""

    def __init__(self) -> None:
        self._bought: dict[tuple[str, str], list[_Bought]] = defaultdict(list)

    def remember(self, invoice: Invoice) -> None:
        """Remember an order that was recorded."""
        for line in invoice.sold:
            if line.kind in (Kind.PRODUCT, Kind.POSTAGE):
                key = (invoice.customer, line.code.upper())
                self._bought[key].append(_Bought(invoice.number, line.id, line.quantity))

    def take_back(self, invoice: Invoice) -> tuple[dict[str, dict[str, int]], list[Line]]:
        """Return the quantities that a cancellation gives back, by order and line, and the lines without a match.

        A line belongs to the customer's latest earlier purchase of that product of which enough is left.
        """
        found: dict[str, dict[str, int]] = defaultdict(dict)
        unmatched = []
        for line in invoice.lines:
            if line.kind is not Kind.RETURN:
                continue
            bought = self._latest(invoice.customer, line)
            if bought is None:
                unmatched.append(line)
                continue
            bought.left += line.quantity
            found[bought.order][bought.line] = found[bought.order].get(bought.line, 0) - line.quantity
        return dict(found), unmatched

    def _latest(self, customer: str, line: Line) -> _Bought | None:
        candidates = self._bought.get((customer, line.code.upper()), []) if customer else []
        return next((one for one in reversed(candidates) if one.left >= -line.quantity), None)
