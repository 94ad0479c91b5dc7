"""The shop that both sides work for: its customers, its sales, and what it thanks them with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import attrs

from crmkit import (
    Accepted,
    Award,
    Channel,
    ChannelSpec,
    ContactPoint,
    Dedup,
    Delivery,
    Facts,
    LogEntry,
    Message,
    Money,
    NoAward,
    Order,
    OrderLine,
    OrderPaid,
    Outcome,
    Reaction,
    RewardRule,
    SendContext,
    Transaction,
    hookimpl,
)

CUSTOMERS = 20
CATEGORIES = tuple(f"category {number}" for number in range(10))
BODY = ("Thank you for your order. We hope that you enjoy what you bought. " * 10)[:500]


class Line(NamedTuple):
    """A line of a sale as the shop keeps it."""

    sku: str
    quantity: int
    total: int
    category: str
    name: str


class Sale(NamedTuple):
    """A sale as the shop keeps it; money in pence."""

    number: str
    email: str
    at: datetime
    lines: tuple[Line, ...]


def sale(number: int, lines: int) -> Sale:
    """Return the sale of that number, the same on both sides."""
    return Sale(
        f"S{number:07}",
        email(number % CUSTOMERS),
        datetime.now(UTC),
        tuple(
            Line(
                f"sku-{(number + line) % 977:04}",
                1 + line % 3,
                250 + (number * 7 + line * 13) % 5000,
                CATEGORIES[line % len(CATEGORIES)],
                f"Product number {line}",
            )
            for line in range(lines)
        ),
    )


def email(customer: int) -> str:
    """Return a customer's address."""
    return f"customer.{customer}@shop.example.com"


def order_of(given: Sale) -> Order:
    """Return the order that a host would make of a sale."""
    return Order(
        given.number,
        tuple(
            OrderLine(
                line.sku, line.quantity, Money(line.total, "GBP"), category=line.category, name=line.name
            )
            for line in given.lines
        ),
        placed_at=given.at,
        points=(ContactPoint.email(given.email),),
        channel="web",
    )


@attrs.frozen
class NothingChannel:
    """Takes every delivery and sends nothing."""

    dedup: Dedup = Dedup.NATURAL
    batch: int = 100
    spec: ChannelSpec = attrs.field(init=False)

    @spec.default
    def _spec(self) -> ChannelSpec:
        return ChannelSpec(name="nothing", address_kind="email", dedup=self.dedup, batch=self.batch)

    def send(self, delivery: Delivery, ctx: SendContext) -> Outcome:
        """Take a delivery."""
        ctx.handoff()
        return Accepted()


@attrs.frozen
class CategoryRule:
    """A point for each pound spent in one category."""

    name: str
    category: str
    version: int = 1

    def evaluate(self, facts: Facts) -> Award | NoAward:
        """Count the pounds."""
        spent = sum(line.total.minor for line in facts.order.lines if line.category == self.category)
        if spent < 100:
            return NoAward(reason=f"{spent} pence in {self.category}")
        return Award(amount=spent // 100, inputs={"category": self.category, "minor": spent})


@attrs.define(eq=False)
class ShopPlugin:
    """The shop's own plugin: some rules, and a thank-you for each paid order."""

    rules: Sequence[RewardRule] = ()
    channel: NothingChannel = attrs.field(factory=NothingChannel)

    @hookimpl
    def crmkit_channels(self) -> Iterable[Channel]:
        """Return the channel that sends nothing."""
        return [self.channel]

    @hookimpl
    def crmkit_reward_rules(self) -> Iterable[RewardRule]:
        """Return the rules."""
        return self.rules

    @hookimpl
    def crmkit_reactions(self) -> Iterable[Reaction]:
        """Thank for each paid order."""
        return [Reaction(OrderPaid, thank)]


def thank(tx: Transaction, entry: LogEntry) -> None:
    """Queue the thank-you."""
    event: Any = entry.event
    message = Message(topic="thank-you", subject=f"Your order {event.order_key}", text=BODY)
    tx.messages.queue(
        message, channel="nothing", key=f"thanks:{event.order_key}", contact_id=entry.contact_id
    )
