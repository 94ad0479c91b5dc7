"""The life of an order, on every database: steps, keys, effects."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from crmkit import (
    CRM,
    Award,
    ContactPoint,
    Event,
    Facts,
    KeyConflict,
    LogEntry,
    Message,
    Money,
    NotFound,
    OrderLine,
    OrderPaid,
    OrderRecorded,
    OrderState,
    Reaction,
    ReactionOverflow,
    Refund,
    Transaction,
    TransitionRefused,
    ValueRefused,
    hookimpl,
)
from sql.hosts import order, shop


class OnePerPound:
    name, version = "one per pound", 3
    reads = ("orders.count",)

    def evaluate(self, facts: Facts) -> Award:
        return Award(amount=facts.order.total.minor // 100, inputs=dict(facts.counters))


@attrs.define(eq=False)
class Watcher:
    """A plugin that rewards, reacts, and fails on demand."""

    name = "watcher"
    heard: list[str] = attrs.field(factory=list)
    fail: bool = False
    essential: bool = False

    @hookimpl
    def crmkit_reward_rules(self) -> list[Any]:
        return [OnePerPound()]

    @hookimpl
    def crmkit_reactions(self) -> list[Reaction]:
        return [
            Reaction(OrderPaid, self.note),
            Reaction(OrderPaid, self.thank, essential=self.essential),
        ]

    def note(self, tx: Transaction, entry: LogEntry) -> None:
        self.heard.append(entry.key)

    def thank(self, tx: Transaction, entry: LogEntry) -> None:
        tx.contacts.add("written before the failure")
        if self.fail:
            raise RuntimeError("no thanks")


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


@pytest.fixture
def crm(database_url: str, watcher: Watcher) -> CRM:
    return shop(database_url, plugins=[watcher])


@pytest.fixture
def tx(crm: CRM) -> Iterator[Transaction]:
    with crm.begin() as tx:
        yield tx


def count(crm: CRM, table: str) -> int:
    with crm.begin() as tx:
        return int(tx.sql.connection.exec_driver_sql(f"SELECT COUNT(*) FROM crm_{table}").scalar_one())


def test_a_whole_life(tx: Transaction) -> None:
    assert tx.orders.record(order()).state is OrderState.PLACED
    amended = tx.orders.amend("A-1", [OrderLine("x", 2, Money(5000, "GBP"))], amendment="1")
    assert amended.awards == ()
    paid = tx.orders.paid("A-1")
    assert [(award.amount, award.rule, award.owner) for award in paid.awards] == [
        (50, "one per pound@3", "watcher")
    ]
    assert tx.orders.shipped("A-1", tracking="T1").state is OrderState.SHIPPED
    assert tx.orders.refund("A-1", Refund.of_lines("r1", {"1": 1})).state is OrderState.SHIPPED
    assert tx.orders.refund("A-1", Refund.whole("r2")).state is OrderState.REFUNDED
    stands = tx.orders.get("A-1")
    assert stands.refunded == stands.order.total == Money(5000, "GBP")
    assert [entry.type for entry in tx.orders.history("A-1")] == [
        "OrderRecorded", "OrderAmended", "OrderPaid", "OrderShipped", "OrderRefunded", "OrderRefunded",
    ]  # fmt: skip


def test_every_step_can_be_repeated_and_does_nothing_twice(crm: CRM, watcher: Watcher) -> None:
    given = order()
    lines = [OrderLine("x", 1, Money(900, "GBP"))]
    steps: list[Any] = [
        lambda tx: tx.orders.record(given),
        lambda tx: tx.orders.amend("A-1", lines, amendment="1"),
        lambda tx: tx.orders.paid("A-1"),
        lambda tx: tx.orders.shipped("A-1"),
        lambda tx: tx.orders.refund("A-1", Refund.of_amount("r1", Money(100, "GBP"))),
        lambda tx: tx.orders.refund("A-1", Refund.whole("r2")),
    ]
    for step in steps:
        first = crm.transact(step)
        events = count(crm, "events")
        again = crm.transact(step)
        assert (first.replayed, again.replayed) == (False, True)
        assert (again.entry, again.awards, again.contact_id) == (first.entry, first.awards, first.contact_id)
        assert count(crm, "events") == events
    assert watcher.heard == ["order:A-1:paid"]
    assert crm.transact(steps[0]).replayed, "also when the order has long gone on"


def test_the_same_key_for_other_content_shows_both_sides_and_changes_nothing(crm: CRM) -> None:
    given = order()
    crm.transact(lambda tx: tx.orders.record(given, state="paid"))
    crm.transact(lambda tx: tx.orders.refund("A-1", Refund.of_amount("r1", Money(100, "GBP"))))
    before = count(crm, "events"), count(crm, "contacts")
    other = [
        lambda tx: tx.orders.record(attrs.evolve(given, channel="till"), state="paid"),
        lambda tx: tx.orders.record(given, state="placed"),
        lambda tx: tx.orders.record(order(pence=7, placed_at=given.placed_at), state="paid"),
        lambda tx: tx.orders.record(order(pence=7, email="new@example.com"), state="paid"),
        lambda tx: tx.orders.refund("A-1", Refund.of_amount("r1", Money(101, "GBP"))),
        lambda tx: tx.orders.refund("A-1", Refund.of_amount("r1", Money(100, "GBP"), reason="x")),
    ]
    for step in other:
        with pytest.raises(KeyConflict, match=r"(?s)stored:.*given:"):
            crm.transact(step)
    assert (count(crm, "events"), count(crm, "contacts")) == before


def test_a_replay_survives_that_the_buyer_changed_address(crm: CRM) -> None:
    given = order()
    first = crm.transact(lambda tx: tx.orders.record(given))
    again = crm.transact(
        lambda tx: tx.orders.record(attrs.evolve(given, points=[ContactPoint.email("moved@example.com")]))
    )
    assert again.replayed
    assert again.contact_id == first.contact_id
    assert count(crm, "contacts") == 1


@pytest.mark.parametrize(
    ("steps", "refused"),
    [
        ([], lambda tx: tx.orders.refund("A-1", Refund.whole("r"))),
        (["cancel"], lambda tx: tx.orders.paid("A-1")),
        (["cancel"], lambda tx: tx.orders.shipped("A-1")),
        (["paid", "shipped"], lambda tx: tx.orders.cancel("A-1")),
        (["paid", "shipped"], lambda tx: tx.orders.amend("A-1", [line()], amendment="1")),
        (["paid", "cancel"], lambda tx: tx.orders.refund("A-1", Refund.whole("r"))),
    ],
)
def test_steps_that_are_not_allowed_say_where_the_order_stands(
    tx: Transaction, steps: list[str], refused: Any
) -> None:
    tx.orders.record(order())
    for step in steps:
        getattr(tx.orders, step)("A-1")
    events = len(tx.orders.history("A-1"))
    with pytest.raises(TransitionRefused, match=f"order 'A-1' is {tx.orders.get('A-1').state.value}"):
        refused(tx)
    assert len(tx.orders.history("A-1")) == events


def line() -> OrderLine:
    return OrderLine("x", 1, Money(100, "GBP"))


def test_cancelling_a_paid_order_gives_everything_back(tx: Transaction) -> None:
    tx.orders.record(order(), state="paid")
    tx.orders.cancel("A-1", reason="changed her mind")
    stands = tx.orders.get("A-1")
    assert (stands.state, stands.refunded) == (OrderState.CANCELLED, stands.order.total)


def test_history_sets_nothing_off_unless_named(crm: CRM, watcher: Watcher) -> None:
    long_ago = datetime(2010, 12, 1, tzinfo=UTC)
    with crm.begin() as tx:
        outcome = tx.orders.record(order("A-1", placed_at=long_ago), state="paid", history=True)
        assert (outcome.awards, watcher.heard) == ((), [])
        named = tx.orders.record(
            order("A-2", placed_at=long_ago), state="paid", history=True, effects=["watcher"]
        )
        assert (len(named.awards), watcher.heard) == (1, ["order:A-2:paid"])
        with pytest.raises(ValueRefused, match=r"\['loyalty'\].*\['watcher'\]"):
            tx.orders.record(order("A-3"), history=True, effects=["loyalty"])
        with pytest.raises(ValueRefused, match="only with history=True"):
            tx.orders.record(order("A-3"), effects=["watcher"])


def test_earlier_orders_are_counted_without_cancelled_and_refunded_ones(tx: Transaction) -> None:
    """Law 22: neither unpaid, nor cancelled, nor wholly refunded orders count, nor the order itself."""
    for number in range(5):
        tx.orders.record(order(f"A-{number}"), state="placed" if number == 0 else "paid")
    tx.orders.cancel("A-1")
    tx.orders.refund("A-2", Refund.whole("r"))
    outcome = tx.orders.record(order("A-9"), state="paid")
    assert outcome.awards[0].inputs == {"orders.count": 2}


def test_an_isolated_reaction_that_fails_leaves_no_trace_but_its_name(
    database_url: str, watcher: Watcher
) -> None:
    watcher.fail = True
    crm = shop(database_url, plugins=[watcher])
    with crm.begin() as tx:
        outcome = tx.orders.record(order(), state="paid")
    assert [(f.owner, f.what, f.subject) for f in outcome.failures] == [
        ("watcher", "Watcher.thank", "order:A-1:paid")
    ]
    assert crm.failures()[0].error == "RuntimeError: no thanks"
    assert count(crm, "contacts") == 1, "what the reaction wrote before it failed is undone"


def test_an_essential_reaction_that_fails_fails_the_order(database_url: str, watcher: Watcher) -> None:
    watcher.fail = watcher.essential = True
    crm = shop(database_url, plugins=[watcher])
    with pytest.raises(RuntimeError, match="no thanks"), crm.begin() as tx:
        tx.orders.record(order(), state="paid")
    assert count(crm, "orders") == 0


def test_a_strict_crm_raises_what_others_isolate(database_url: str, watcher: Watcher) -> None:
    watcher.fail = True
    crm = shop(database_url, plugins=[watcher], strict=True)
    with pytest.raises(RuntimeError, match="no thanks"), crm.begin() as tx:
        tx.orders.record(order(), state="paid")


def test_reactions_run_breadth_first_and_end(database_url: str) -> None:
    @attrs.frozen(kw_only=True)
    class Echo(Event):
        depth: int

    class Echoing:
        name = "echoing"
        depth = 3

        @hookimpl
        def crmkit_event_types(self) -> list[Any]:
            return [Echo]

        @hookimpl
        def crmkit_reactions(self) -> list[Reaction]:
            return [
                Reaction(OrderRecorded, lambda tx, entry: self.echo(tx, 1, entry), essential=True),
                Reaction(Echo, lambda tx, entry: self.echo(tx, entry.event.depth + 1, entry), essential=True),
            ]

        def echo(self, tx: Transaction, depth: int, cause: LogEntry) -> None:
            if depth <= self.depth:
                for _ in range(2):
                    tx.events.append(Echo(depth=depth), contact_id=cause.contact_id, cause=cause)

    plugin = Echoing()
    crm = shop(database_url, plugins=[plugin])
    with crm.begin() as tx:
        outcome = tx.orders.record(order())
        assert outcome.contact_id is not None
        entries = sorted(tx.events.timeline(outcome.contact_id), key=lambda entry: entry.id)
        depths = [entry.event.depth for entry in entries if isinstance(entry.event, Echo)]
        assert depths == [1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3]
    plugin.depth = 100
    with pytest.raises(ReactionOverflow, match=r"more than 100 events.*Echo"), crm.begin() as tx:
        tx.orders.record(order("A-2"))


def test_an_event_that_nobody_declares_is_refused(tx: Transaction) -> None:
    @attrs.frozen(kw_only=True)
    class Stray(Event):
        pass

    with pytest.raises(ValueRefused, match="Stray is not declared"):
        tx.events.append(Stray())


def test_unknown_things_are_named(tx: Transaction) -> None:
    import uuid

    with pytest.raises(NotFound, match="no order has the number 'A-9'"):
        tx.orders.paid("A-9")
    with pytest.raises(NotFound, match="no contact has the id"):
        tx.orders.record(order(email="", contact_id=uuid.uuid4()))


def test_a_guest_is_nobody_and_earns_nothing(tx: Transaction) -> None:
    outcome = tx.orders.record(order(email="", name=""), state="paid")
    assert (outcome.contact_id, outcome.awards) == (None, ())


def test_messages_are_queued_once_and_held_with_a_reason(tx: Transaction) -> None:
    contact = tx.contacts.add("Ann")
    message = Message(topic="hello", text="Hello")
    status = tx.messages.queue(message, channel="pigeon", key="m1", contact_id=contact.id)
    assert (status.state, status.reason) == ("held", "no channel 'pigeon' is enabled")
    assert tx.messages.queue(message, channel="pigeon", key="m1", contact_id=contact.id) == status
    with pytest.raises(KeyConflict):
        tx.messages.queue(
            Message(topic="hello", text="Hallo"), channel="pigeon", key="m1", contact_id=contact.id
        )
    ids = tx.messages.queue_many(message, channel="pigeon", key="m", contact_ids=[contact.id] * 2)
    assert tx.messages.queue_many(message, channel="pigeon", key="m", contact_ids=[contact.id]) == ids
    other = Message(topic="hello", text="Hallo")
    with pytest.raises(KeyConflict):
        tx.messages.queue_many(other, channel="pigeon", key="m", contact_ids=[contact.id])
    assert len(tx.messages.list()) == 2


def test_one_message_each_whatever_becomes_of_their_addresses(tx: Transaction) -> None:
    """A repeat after a change of address sends nothing twice; two people without one do not get in each other's way."""
    message = Message(topic="hello", text="Hello")
    ann, bob = tx.contacts.add("Ann"), tx.contacts.add("Bob")
    first = tx.messages.queue(message, channel="pigeon", key="m1", contact_id=ann.id)
    tx.messages.queue(message, channel="pigeon", key="m1", contact_id=bob.id)
    tx.contacts.remember(ann.id, ContactPoint.handle("loft", "ann"))
    assert tx.messages.queue(message, channel="pigeon", key="m1", contact_id=ann.id) == first
    assert len(tx.messages.list()) == 2


def test_order_numbers_with_colons_do_not_meet_the_keys_of_steps(tx: Transaction) -> None:
    """An order numbered "A:paid" is not the payment of the order "A"."""
    for number in ("A", "A:paid", "A:refund:1", "A%3Apaid"):
        tx.orders.record(order(number), state="paid")
    tx.orders.refund("A", Refund.whole("1"))
    assert tx.orders.get("A:paid").state is OrderState.PAID
    assert tx.orders.get("A").state is OrderState.REFUNDED


def test_a_step_that_is_too_old_is_refused(tx: Transaction) -> None:
    tx.orders.record(order())
    with pytest.raises(ValueRefused, match="days old"):
        tx.orders.paid("A-1", at=datetime.now(UTC) - timedelta(days=30))
    tx.orders.paid("A-1", at=datetime.now(UTC) - timedelta(days=30), history=True)
