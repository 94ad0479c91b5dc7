"""The public API as its users write it; never run, only checked by pyright and mypy."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import assert_type

import attrs
from sqlalchemy.orm import Session

from crmkit import (
    CRM,
    Accepted,
    Award,
    Channel,
    ChannelSpec,
    Contact,
    ContactPoint,
    Delivery,
    DeliveryStatus,
    Facts,
    FieldChange,
    LogEntry,
    Message,
    Money,
    NoAward,
    Note,
    Order,
    OrderLine,
    OrderOutcome,
    OrderPaid,
    Outcome,
    PersonalFact,
    Preference,
    Reaction,
    Refund,
    Relation,
    Report,
    RewardRule,
    Secret,
    SendContext,
    Stage,
    Transaction,
    hookimpl,
)


@attrs.frozen(kw_only=True)
class PigeonSettings:
    loft: str = "roof"
    password: Secret = attrs.field(default=Secret(""), converter=Secret)


class Pigeon:
    spec = ChannelSpec(name="pigeon", address_kind="handle", scope="loft")

    def send(self, delivery: Delivery, ctx: SendContext) -> Outcome:
        ctx.handoff()
        return Accepted(id=delivery.key)


class FirstOrder:
    name = "first order"
    version = 1
    reads = ("orders.count",)

    def evaluate(self, facts: Facts) -> Award | NoAward:
        if facts.counters["orders.count"]:
            return NoAward(reason=f"it is order {facts.counters['orders.count'] + 1}")
        return Award(amount=facts.order.amount("goods").minor // 100)


@attrs.define(eq=False)
class PigeonPlugin:
    settings: PigeonSettings

    @hookimpl
    def crmkit_channels(self) -> Iterable[Channel]:
        return [Pigeon()]

    @hookimpl
    def crmkit_reward_rules(self) -> Iterable[RewardRule]:
        return [FirstOrder()]

    @hookimpl
    def crmkit_reactions(self) -> Iterable[Reaction]:
        return [Reaction(OrderPaid, self.thank)]

    def thank(self, tx: Transaction, entry: LogEntry) -> None:
        tx.messages.queue(
            Message(topic="thanks", text="Coo"), channel="pigeon", key=entry.key, contact_id=entry.contact_id
        )


def checkout(session: Session, raw: sqlite3.Connection) -> None:
    crm = CRM("sqlite://", plugins=["loyalty", PigeonPlugin(PigeonSettings())], settings={"core": {}})
    crm.create_tables()
    order = Order(
        "A-1",
        [OrderLine("mug", 2, Money.of("9.90", "GBP"))],
        placed_at=datetime.now(UTC),
        points=[ContactPoint.email("ann@example.com")],
    )
    tx = crm.join(session)
    assert_type(tx, Transaction)
    assert_type(tx.orders.record(order, state="paid"), OrderOutcome)
    assert_type(crm.join(raw).orders.refund("A-1", Refund.whole("r1")), OrderOutcome)
    assert_type(tx.contacts.find(*order.points), Contact | None)
    assert_type(tx.messages.list("held")[0], DeliveryStatus)
    assert_type(crm.transact(lambda tx: tx.events.since(0)), list[LogEntry])
    with crm.begin(actor="staff:anna") as mine:
        assert_type(mine.events.timeline(mine.contacts.add("Ann").id)[0].occurred_at, datetime)
    assert_type(crm.run_due(), Report)


def details(tx: Transaction, crm: CRM, contact: Contact, other: Contact) -> None:
    assert_type(tx.contacts.tags.add(contact.id, "vip"), tuple[str, ...])
    assert_type(tx.contacts.notes.write(contact.id, "Asked for tea.", kind="call"), Note)
    assert_type(tx.contacts.preferences.of(contact.id, "topic"), list[Preference])
    assert_type(tx.contacts.relations.add(contact.id, "employer", other.id), Relation)
    assert_type(tx.contacts.facts.between("2026-09-01", "2026-10-01"), list[PersonalFact])
    assert_type(tx.contacts.points.verify(contact.id, contact.points[0]), Contact)
    assert_type(tx.contacts.stages.derive(contact.id), Stage)
    assert_type(tx.contacts.history(contact.id, "classification"), list[FieldChange])
    tx.contacts.values.set(contact.id, {"shop.tier": "gold", "shop.visits": 3})
    assert_type(crm.greeting(tx.contacts.permit_first_name(contact.id, how="on the phone"), "sms"), str)
    line = OrderLine("tea", 1, Money(500, "GBP"))
    Order("A-1", [line], placed_at=datetime.now(UTC), roles={"beneficiary": other.id})
