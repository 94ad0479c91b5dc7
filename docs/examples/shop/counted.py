"""Counts the same things once more, from the invoices alone: whole numbers, and not a line of crmkit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import attrs
from invoices import Invoice, Kind

#: A refund: the cancellation, the order's number, and the quantities by line.
Refunded = tuple[Invoice, str, Mapping[str, int]]


@attrs.frozen(kw_only=True)
class Counted:
    """What the invoices come to; money in pence.

    Args:
        users: who has bought or brought back anything.
        customers: who has bought anything.
        orders: invoices that sell something.
        ordered: what they come to.
        refunded: what was given back.
        issued: a point for each whole pound of goods, order by order, of customers who are known.
        clawed: of these, what refunds take back.
        sent: thank-yous to customers who have an address and want mail.
        held: to those without an address.
        suppressed: to those who want none.
    """

    users: int
    customers: int
    orders: int
    ordered: int
    refunded: int
    issued: int
    clawed: int
    sent: int
    held: int
    suppressed: int


def count(
    invoices: Sequence[Invoice],
    refunds: Sequence[Refunded],
    *,
    has_email: Callable[[str], bool],
    wants_mail: Callable[[str], bool],
) -> Counted:
    """Return what the invoices and the refunds come to.

    Args:
        invoices: all of them.
        refunds: the matched ones.
        has_email: whether a customer gave an address.
        wants_mail: whether a customer wants mail.
    """
    orders = {invoice.number: invoice for invoice in invoices if invoice.sold}
    known = [invoice.customer for invoice in orders.values() if invoice.customer]
    reachable = [customer for customer in known if has_email(customer)]
    sent = sum(map(wants_mail, reachable))
    backs = defaultdict(list)
    for _, number, back in refunds:
        backs[number].append(back)
    points = [_points(order, backs[order.number]) for order in orders.values() if order.customer]
    return Counted(
        users=len({invoice.customer for invoice in invoices if invoice.customer}),
        customers=len(set(known)),
        orders=len(orders),
        ordered=sum(line.total for invoice in orders.values() for line in invoice.sold),
        refunded=sum(_money(orders[number], back) for _, number, back in refunds),
        issued=sum(earned for earned, _ in points),
        clawed=sum(clawed for _, clawed in points),
        sent=sent,
        held=len(known) - len(reachable),
        suppressed=len(reachable) - sent,
    )


def _points(order: Invoice, backs: Sequence[Mapping[str, int]]) -> tuple[int, int]:
    """A point for each whole pound of goods; refunds take back the share of the goods that came back."""
    goods = sum(line.total for line in order.sold if line.kind is Kind.PRODUCT)
    earned = goods // 100
    returned = sum(_money(order, back, Kind.PRODUCT) for back in backs)
    nothing_left = sum(line.total for line in order.sold) == sum(_money(order, back) for back in backs)
    return earned, earned if nothing_left or not goods else earned * returned // goods


def _money(order: Invoice, back: Mapping[str, int], *kinds: Kind) -> int:
    prices = {line.id: line.price for line in order.sold if not kinds or line.kind in kinds}
    return sum(prices.get(line, 0) * quantity for line, quantity in back.items())
