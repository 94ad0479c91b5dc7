"""Replays invoices through the shop's checkout, and lets the worker send the mails at the end of each day."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import groupby

import attrs
from invoices import LONDON, Invoice, Kind, Line
from returns import Purchases
from shop import User, checkout, take_back
from sqlalchemy.orm import Session

from crmkit import CRM, LineKind, LogEntry, Money, OrderLine

LINE_KINDS = {
    Kind.PRODUCT: LineKind.PRODUCT,
    Kind.FREE: LineKind.PRODUCT,
    Kind.POSTAGE: LineKind.SHIPPING,
    Kind.VOUCHER: LineKind.GIFT_CARD,
    Kind.CHARGE: LineKind.FEE,
}
WITHOUT_EMAIL = 16  # every 16th customer gave no address
OPTED_OUT = 50  # every 50th wants no mail


def email_of(customer: str) -> str | None:
    """Return the address that the demo makes up for a customer, or None for those who gave none."""
    return f"customer-{customer}@mail.example" if int(customer) % WITHOUT_EMAIL else None


def wants_mail(customer: str) -> bool:
    """Return whether a customer wants mail."""
    return int(customer) % OPTED_OUT != 0


def thanked(invoices: list[Invoice]) -> int:
    """Return how many mails there will be."""
    buyers = [invoice.customer for invoice in invoices if invoice.sold and invoice.customer]
    return sum(email_of(buyer) is not None and wants_mail(buyer) for buyer in buyers)


def sign_up(session: Session, invoices: list[Invoice]) -> None:
    """Fill the shop's own table of customers: they are there before the first order comes in."""
    with session.begin():
        for customer in sorted({invoice.customer for invoice in invoices} - {""}):
            name, email = f"Customer {customer}", email_of(customer)
            session.add(User(id=int(customer), name=name, email=email, wants_mail=wants_mail(customer)))


@attrs.define
class Clock:
    """A clock that stands where the replay has come to."""

    now: datetime

    def __call__(self) -> datetime:
        """Return that instant, in UTC."""
        return self.now.astimezone(UTC)


@attrs.define
class Replay:
    """What was replayed so far.

    Args:
        crm: the CRM.
        clock: the CRM's clock.
    """

    crm: CRM
    clock: Clock
    handled: Counter[str] = attrs.field(factory=Counter)  #: lines by what was done with them
    orders: dict[str, Invoice] = attrs.field(factory=dict)  #: recorded, by number
    refunds: list[tuple[Invoice, str, dict[str, int]]] = attrs.field(factory=list)
    cancellations: int = 0
    told: Counter[str] = attrs.field(factory=Counter)  #: events that the signals told of, by type
    checkout_seconds: float = 0.0
    sending_seconds: float = 0.0
    _purchases: Purchases = attrs.field(factory=Purchases)

    def hear(self, entry: LogEntry) -> None:
        """Count a committed event; connected to the signals."""
        self.told[entry.type] += 1

    def run(
        self, invoices: list[Invoice], replayed: Callable[[], object], sent: Callable[[int], object]
    ) -> None:
        """Replay the invoices, oldest first; after each London day the worker does what is due.

        Args:
            invoices: sorted by time.
            replayed: called after each invoice.
            sent: called with the number of mails that were sent, after each round of the worker.
        """
        for day, theirs in groupby(invoices, key=lambda invoice: invoice.at.date()):
            for invoice in theirs:
                self.clock.now = invoice.at
                self._replay(invoice)
                replayed()
            self.clock.now = datetime(day.year, day.month, day.day, 23, tzinfo=LONDON)
            self._work(sent)
        self.clock.now += timedelta(hours=1)
        self._work(sent)

    def _replay(self, invoice: Invoice) -> None:
        with Session(self.crm.engine) as session:
            if invoice.is_cancellation:
                self._take_back(session, invoice)
            elif invoice.sold:
                self._sell(session, invoice)
        for line in invoice.lines:
            if line.kind is not Kind.RETURN:
                self.handled[line.kind] += 1

    def _sell(self, session: Session, invoice: Invoice) -> None:
        lines = [_order_line(line) for line in invoice.sold]
        with self._timed("checkout_seconds"):
            checkout(session, self.crm, invoice.number, int(invoice.customer or 0) or None, lines)
        self.orders[invoice.number] = invoice
        self._purchases.remember(invoice)

    def _take_back(self, session: Session, invoice: Invoice) -> None:
        self.cancellations += 1
        found, unmatched = self._purchases.take_back(invoice)
        for number, quantities in found.items():
            take_back(session, self.crm, number, invoice.number, quantities, reason="brought back")
            self.refunds.append((invoice, number, quantities))
        why = "no such purchase in the data" if invoice.customer else "by nobody known"
        returned = [line for line in invoice.lines if line.kind is Kind.RETURN]
        for line in returned:
            self.handled[f"taken back, {why}" if line in unmatched else "taken back, refunded"] += 1

    def _work(self, sent: Callable[[int], object]) -> None:
        with self._timed("sending_seconds"):
            while True:
                report = self.crm.run_due(limit=200)
                sent(report.sent)
                if not (report.numbered or report.relayed or report.sent or report.suppressed):
                    return

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        setattr(self, name, getattr(self, name) + time.perf_counter() - start)


def _order_line(line: Line) -> OrderLine:
    total = Money(line.total, "GBP")
    return OrderLine(line.code, line.quantity, total, kind=LINE_KINDS[line.kind], name=line.name, id=line.id)
