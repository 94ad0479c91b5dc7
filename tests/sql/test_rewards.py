"""What the rules decide inside a transaction, on every database: happenings, steps of orders, simulations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from sqlalchemy import event as sql_event
from sqlalchemy import func, select

from crmkit import (
    CRM,
    Asked,
    ContactPoint,
    Field,
    FieldType,
    KeyConflict,
    Loaded,
    Money,
    NotFound,
    OrderLine,
    OrderPaid,
    Programme,
    Reaction,
    Refund,
    RewardsDecided,
    Transaction,
    Used,
    ValueRefused,
    hookimpl,
)
from crmkit.contacts import PostalAddress
from crmkit.sql.connection import Sql
from sql.hosts import order, shop

RULES: list[dict[str, Any]] = [
    {"name": "pound", "then": {"rate": 1}},
    {"name": "kept", "on": "order.shipped", "when": "order.goods >= 10", "then": {"points": 5}},
    {"name": "sorry", "on": "order.refunded", "then": {"coupon": "SORRY"}},
    {"name": "birthday", "on": "member.birthday", "then": {"points": 50}},
    {"name": "survey", "on": "survey.completed", "when": "event.score >= 9", "then": {"points": 3}},
    {"name": "third", "when": "order.number == 3", "then": {"points": 30}},
    {"name": "regular", "when": "orders.total >= 25", "then": {"points": 7}},
    {"name": "street", "when": 'contact.city == "Bath" or segment.large', "then": {"points": 9}},
    {"name": "again", "when": "streak.days >= 2", "then": {"points": 2}},
    {"name": "once", "then": {"points": 100}, "limits": [{"per": "member", "times": 1}]},
]


def programme(*names: str, **changes: Any) -> Programme:
    chosen = [rule | changes for rule in RULES if rule["name"] in names]
    head = {"name": "club", "version": 1, "currency": "GBP"}
    return Programme.of({"programme": head, "fields": {"event": {"score": "integer"}}, "rule": chosen})


@attrs.define(eq=False)
class Memory:
    """Counts awards by rule and member, and lets order numbers out that it is told to."""

    name = "memory"
    times: dict[tuple[str, Any], set[str]] = attrs.field(factory=dict)
    heard: list[str] = attrs.field(factory=list)

    @hookimpl
    def crmkit_reward_ledger(self) -> Memory:
        return self

    @hookimpl
    def crmkit_reactions(self) -> Sequence[Reaction]:
        return [Reaction(OrderPaid, self.note), Reaction(RewardsDecided, self.note)]

    def used(self, tx: Transaction, asked: Sequence[Asked]) -> Mapping[Asked, Used]:
        def count(one: Asked) -> int:
            ids = one.contact_ids or ()
            return sum(len(self.times.get((one.rule, id), set()) - {one.excluding}) for id in ids)

        return {one: Used(times=count(one)) for one in asked}

    def note(self, tx: Transaction, entry: Any) -> None:
        self.heard.append(entry.key)
        for award in entry.event.awards:
            key = getattr(entry.event, "order_key", entry.key)
            self.times.setdefault((award.rule.partition("@")[0], entry.contact_id), set()).add(key)


@pytest.fixture
def memory() -> Memory:
    return Memory()


def club(url: str, memory: Memory, *names: str, **options: Any) -> CRM:
    return shop(url, plugins=[memory], programmes=[programme(*names)], **options)


def amounts(outcome: Any) -> dict[str, int]:
    return {award.rule.partition("@")[0]: award.amount for award in outcome.awards}


def rows(crm: CRM) -> dict[str, int]:
    with crm.begin() as tx:
        tables = {name: tx.table(name) for name in ("events", "orders", "contacts", "contact_points")}
        return {
            name: tx.sql.execute(select(func.count()).select_from(t)).scalar_one()
            for name, t in tables.items()
        }


# Happenings


def test_law_69_a_happening_pays_once(database_url: str, memory: Memory) -> None:
    """kills: `_stored` that answers None (approve, unapprove, approve pays twice)."""
    crm = club(database_url, memory, "birthday")
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann")
        first = tx.rewards.happened("member.birthday", ann.id, key="birthday:2026")
        again = tx.rewards.happened("member.birthday", ann.id, key="birthday:2026")
        other = tx.rewards.happened("member.birthday", ann.id, key="birthday:2027")
    assert amounts(first) == amounts(other) == {"birthday": 50}
    assert again == first and again.replayed and not first.replayed
    assert isinstance(first.entry.event, RewardsDecided)
    assert first.awards[0].programme == "club@1" and first.awards[0].owner == "host"
    assert memory.heard == [first.entry.key, other.entry.key]


def test_law_70_it_pays_once_also_after_a_merge(database_url: str, memory: Memory) -> None:
    """kills: a key that is sought under the id that was given alone."""
    crm = club(database_url, memory, "birthday")
    with crm.begin() as tx:
        ann, anna = tx.contacts.add("Ann"), tx.contacts.add("Anna")
        told = {id: tx.rewards.happened("member.birthday", id, key=f"of {id}") for id in (ann.id, anna.id)}
        tx.merges.merge(ann.id, anna.id)
        for before in told.values():
            for id in told:
                again = tx.rewards.happened("member.birthday", id, key=before.entry.event.key)  # type: ignore[attr-defined]
                assert again.replayed and again.entry == before.entry


def test_law_7_another_payload_under_the_key_is_an_error(database_url: str, memory: Memory) -> None:
    """kills: `happened` that does not compare the payload."""
    crm = club(database_url, memory, "survey")
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann")
        assert amounts(tx.rewards.happened("survey.completed", ann.id, key="s1", payload={"score": 9})) == {
            "survey": 3
        }
        with pytest.raises(KeyConflict):
            tx.rewards.happened("survey.completed", ann.id, key="s1", payload={"score": 10})
        low = tx.rewards.happened("survey.completed", ann.id, key="s2", payload={"score": 8})
        assert [one.reason for one in low.refusals] == ["event.score >= 9 is false: event.score = 8"]
        stored = tx.events.by_key(low.entry.key)
        assert stored == low.entry


def test_what_cannot_have_happened_is_refused(database_url: str, memory: Memory) -> None:
    crm = club(database_url, memory, "birthday")
    before = rows(crm)
    with crm.begin() as tx:
        with pytest.raises(NotFound):
            tx.rewards.happened("member.birthday", crm.new_id(), key="x")
        ann = tx.contacts.add("Ann")
        with pytest.raises(ValueRefused, match=r"take the order's step with tx\.orders"):
            tx.rewards.happened("order.paid", ann.id, key="A-1")
        with pytest.raises(ValueRefused):
            tx.rewards.happened("member.birthday", ann.id, key="")
    assert rows(crm)["events"] == before["events"] + 1  # Ann was added, and nothing else


# Orders


def test_the_steps_of_an_order_set_rules_off(database_url: str, memory: Memory) -> None:
    crm = club(database_url, memory, "pound", "kept", "sorry")
    with crm.begin() as tx:
        assert amounts(tx.orders.record(order(), state="paid")) == {"pound": 12}
        shipped = tx.orders.shipped("A-1")
        again = tx.orders.shipped("A-1")
        refunded = tx.orders.refund("A-1", Refund.whole("r1"))
        entries = {entry.key: entry for entry in tx.orders.history("A-1")}
    assert amounts(shipped) == {"kept": 5} and amounts(refunded) == {"sorry": 1}
    assert again == shipped and again.replayed
    decided = entries["order:A-1:shipped:rewards"]
    assert decided.cause_id == shipped.entry.id and decided.subject_id == shipped.order_id
    assert decided.event.payload["order_key"] == "A-1"  # type: ignore[attr-defined]
    assert memory.heard == ["order:A-1:paid", "order:A-1:shipped:rewards", "order:A-1:refund:r1:rewards"]


def test_history_sets_off_nothing_unless_it_is_named(database_url: str, memory: Memory) -> None:
    crm = club(database_url, memory, "pound", "kept")
    with crm.begin() as tx:
        old = order(placed_at=datetime.now(UTC) - timedelta(days=400))
        assert amounts(tx.orders.record(old, state="paid", history=True)) == {}
        assert amounts(tx.orders.shipped("A-1", history=True)) == {}
        named = order("A-2", placed_at=datetime.now(UTC) - timedelta(days=300))
        assert amounts(tx.orders.record(named, state="paid", history=True, effects=["host"])) == {"pound": 12}


def test_law_22_25_an_order_does_not_count_itself(database_url: str, memory: Memory) -> None:
    """kills: fields read of a paid order that is amended, without `paid_anew` (solidus#3205)."""
    crm = club(database_url, memory, "third", "regular", "once", "again")
    now = datetime.now(UTC)
    with crm.begin() as tx:
        tx.orders.record(order("A-0", pence=3000, placed_at=now - timedelta(days=6)), state="paid")
        anew = tx.orders.amend("A-0", [OrderLine("x", 1, Money(2900, "GBP"))], amendment="1")
        assert amounts(anew) == {"once": 100}  # neither its total nor its own award is in its way
        assert tx.orders.get("A-0").paid_at is not None
        second = tx.orders.record(order("A-1", placed_at=now - timedelta(days=1)), state="paid")
        assert amounts(second) == {"regular": 7}
        third = tx.orders.record(order("A-2", placed_at=now), state="paid")
        assert amounts(third) == {"regular": 7, "third": 30, "again": 2}
        anew = tx.orders.amend("A-2", [OrderLine("x", 1, Money(900, "GBP"))], amendment="1")
        assert amounts(anew) == {"regular": 7, "third": 30, "again": 2}


def test_rules_read_fields_and_segments_of_the_contact(database_url: str, memory: Memory) -> None:
    crm = club(database_url, memory, "street")
    with crm.begin() as tx:
        bath = ContactPoint.postal(PostalAddress(street="1 High Street", locality="Bath", country="GB"))
        tx.contacts.add("Ann", points=[ContactPoint.email("ann@example.com"), bath])
        assert amounts(tx.orders.record(order(), state="paid")) == {"street": 9}
        other = order("A-2", email="bob@example.com", name="Bob")
        refused = tx.orders.record(other, state="paid")
        assert "contact.city is missing" in refused.refusals[0].reason
        tx.segments.define("large", 'contact.name == "Bob"')
        assert amounts(tx.orders.record(attrs.evolve(other, key="A-3"), state="paid")) == {"street": 9}


def test_a_field_that_fails_hurts_nobody_else(database_url: str, memory: Memory) -> None:
    """kills: fields read without a savepoint, so that a plugin's mistake takes the order with it."""

    def broken(tx: Transaction, ids: Sequence[Any]) -> Any:
        tx.contacts.add("written before the failure")
        raise LookupError("no visits")

    visits = Field("shop.visits", FieldType.INTEGER, source=Loaded(broken))
    rule = {"name": "often", "when": "shop.visits > 3", "then": {"points": 1}}
    head = {"name": "visits", "version": 1}
    told = Programme.of({"programme": head, "fields": {"shop.visits": "integer"}, "rule": [rule]})
    crm = shop(
        database_url, plugins=[memory], fields=[visits], programmes=[programme("pound"), told], strict=False
    )
    with crm.begin() as tx:
        outcome = tx.orders.record(order(), state="paid")
    assert amounts(outcome) == {"pound": 12}
    assert [one.reason for one in outcome.refusals] == ["shop.visits > 3 is false: shop.visits is missing"]
    assert [(one.owner, one.what) for one in crm.failures()] == [("host", "fields shop.visits")]
    assert rows(crm)["contacts"] == 1


# Simulations


@pytest.fixture
def full(database_url: str, memory: Memory) -> CRM:
    return club(database_url, memory, "pound", "third", "regular", "once", "again", "street")


def law_76(crm: CRM, given: Any) -> None:
    before = rows(crm)
    with crm.begin() as tx:
        dry = tx.rewards.simulate(given)
    assert rows(crm) == before, "law 76: the simulation has left something"
    with crm.begin() as tx:
        done = tx.orders.record(given, state="paid")
    assert (done.awards, done.refusals) == (dry.awards, dry.refusals), (
        "law 76: it was otherwise when it was done"
    )


def test_law_76_a_simulation_is_what_would_happen(full: CRM) -> None:
    now = datetime.now(UTC)
    law_76(full, order(placed_at=now - timedelta(days=2)))  # nobody is known yet
    law_76(full, order("A-2", pence=9900, placed_at=now - timedelta(days=1)))
    law_76(full, order("A-3", placed_at=now))


def test_law_76_is_seen_to_fail(full: CRM, monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulation that keeps whom it added."""
    monkeypatch.setattr(Sql, "isolated", lambda self: nullcontext())
    with pytest.raises(AssertionError, match="law 76"):
        law_76(full, order())


def test_law_33_what_was_quoted_is_what_is_confirmed(full: CRM) -> None:
    """kills: `simulate` that asks the clock instead of `at` (odoo#222428)."""
    at = datetime.now(UTC) - timedelta(days=2)
    with full.begin() as tx:
        tx.orders.record(order("A-0", placed_at=at - timedelta(days=1)), state="paid")
        given = order("A-1", placed_at=at - timedelta(hours=1))
        quoted = tx.rewards.simulate(given, at=at)
        tx.orders.record(given)
        confirmed = tx.orders.paid("A-1", at=at)
    assert (confirmed.awards, confirmed.refusals) == (quoted.awards, quoted.refusals)
    assert amounts(quoted)["again"] == 2  # two days in a row then, not now


# What it costs


def test_rules_that_read_nothing_cost_no_statement(database_url: str, memory: Memory) -> None:
    """kills: fields and counters that are read for whoever has rules."""

    def statements(crm: CRM) -> int:
        seen: list[str] = []
        with crm.begin() as tx:
            tx.orders.record(order("A-0"), state="paid")

            def note(*given: Any) -> None:
                seen.append(given[2])

            sql_event.listen(crm.engine, "before_cursor_execute", note)
            tx.orders.record(order("A-1"), state="paid")
            sql_event.remove(crm.engine, "before_cursor_execute", note)
        return len(seen)

    without = statements(shop(database_url, plugins=[memory]))
    assert statements(club(database_url, memory, "pound", prefix="b_")) == without
    assert statements(club(database_url, memory, "regular", prefix="c_")) > without


def test_rules_explain(database_url: str, memory: Memory, capsys: pytest.CaptureFixture[str]) -> None:
    from crmkit.cli import rules

    crm = club(database_url, memory, "pound", "third", "regular")
    with crm.begin() as tx:
        tx.orders.record(order(), state="paid")
    rules.open_crm, kept = (lambda args: crm), rules.open_crm
    try:
        args = type("Args", (), {"word": "explain", "order": "A-1", "json": False, "app": "", "url": ""})()
        assert rules.run(args) == 0
    finally:
        rules.open_crm = kept
    said = capsys.readouterr().out
    assert "pound@1 of club@1: 12 points" in said
    assert "12.50 GBP of goods at 1 per GBP, rounded to floor = 12" in said
    assert "order.number == 3 is false: order.number = 1" in said
