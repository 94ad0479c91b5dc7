"""The kit for hosts: the clock, the CRM in memory, the outbox, the recording channel, values as code."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import crmkit
from crmkit import (
    CRM,
    Accepted,
    ContactPoint,
    Dedup,
    Deferred,
    Message,
    Money,
    Order,
    OrderLine,
    Rejected,
    Repeat,
    Template,
    TransactionError,
    ValueRefused,
    add_returns,
    split_refund,
)
from crmkit.testing import (
    ChannelSuite,
    Crash,
    FakeClock,
    LawBroken,
    RecordingChannel,
    RewardRuleSuite,
    StorageSuite,
    as_code,
    broken_laws,
    memory_crm,
    outbox,
    strategies,
)
from crmkit.testing.fixtures import clock, crm
from crmkit.testing.laws import law_of, laws_in
from crmkit.testing.pytest_plugin import pytest_terminal_summary
from crmkit.testing.registration import register
from crmkit.testing.suite import RAN, Suite, summary

__all__ = ["clock", "crm"]  # fixtures

ROOT = Path(__file__).resolve().parents[2]
ANN = ContactPoint.email("ann@example.com")
THANKS = Message(topic="thank-you", subject="Thank you", text="Thank you, Ann.")


class TestFakeClock:
    def test_it_stands_still_until_it_is_moved(self) -> None:
        moved = FakeClock(datetime(2026, 2, 28, 23, tzinfo=UTC))
        assert moved() == moved() == datetime(2026, 2, 28, 23, tzinfo=UTC)
        assert moved.advance(hours=1) == datetime(2026, 3, 1, tzinfo=UTC)
        assert moved.advance(0.000001) == moved.advance(0) == datetime(2026, 3, 1, 0, 0, 0, 1, tzinfo=UTC)
        moved.advance(timedelta(days=1), seconds=1)
        assert repr(moved) == "<FakeClock at 2026-03-02T00:00:01.000001+00:00>"

    def test_it_goes_back_only_when_it_is_set(self) -> None:
        moved = FakeClock()
        with pytest.raises(ValueRefused, match="moves the clock back; use set"):
            moved.advance(-1)
        moved.set(datetime.fromisoformat("2020-01-01T07:00+07:00"))
        assert moved() == datetime(2020, 1, 1, tzinfo=UTC)

    def test_it_refuses_an_instant_without_zone(self) -> None:
        with pytest.raises(ValueRefused, match="start 2026-01-01T00:00:00 has no zone"):
            FakeClock(datetime(2026, 1, 1))

    def test_threads_lose_no_step(self) -> None:
        moved = FakeClock()
        start = moved()
        steps = [threading.Thread(target=lambda: [moved.advance(1) for _ in range(500)]) for _ in range(4)]
        for step in steps:
            step.start()
        for step in steps:
            step.join()
        assert moved() - start == timedelta(seconds=2000)


class TestFixtures:
    def test_the_crm_stands_on_the_clock(self, crm: CRM, clock: FakeClock) -> None:
        with crm.begin() as tx:
            assert tx.now == clock()
            clock.advance(days=1)
            assert tx.now == clock()

    def test_a_crm_in_memory_is_strict_and_alone(self) -> None:
        one, other = memory_crm(), memory_crm(strict=False, settings={"core": {"attempts": 2}})
        with one.begin() as tx:
            tx.contacts.add("Ann", points=[ANN])
        with other.begin() as tx:
            assert tx.contacts.find(ANN) is None
        assert (one.strict, other.strict, other.settings.attempts) == (True, False, 2)


class TestOutbox:
    @pytest.fixture
    def shop(self, clock: FakeClock) -> CRM:
        template = Template(name="receipt", subject="Order {{ key }}", text="Total: {{ total }}")
        return memory_crm(clock=clock, plugins=[RecordingChannel()], templates=[template])

    def test_it_shows_what_is_queued_held_and_sent(self, shop: CRM) -> None:
        assert not outbox(shop)
        with shop.begin() as tx:
            ann = tx.contacts.add("Ann", points=[ANN])
            ben = tx.contacts.add("Ben")
            tx.messages.queue(THANKS, channel="email", key="1", contact_id=ann.id)
            tx.messages.queue(THANKS, channel="email", key="2", contact_id=ben.id)
            tx.messages.queue(THANKS, channel="pigeon", key="3", contact_id=ben.id)
        assert len(outbox(shop)) == 3
        assert outbox(shop).queued.only().key == "1"
        assert [message.reason for message in outbox(shop).held] == [
            "the contact has no email point",
            "no channel 'pigeon' is enabled",
        ]
        shop.run_due()
        sent = outbox(shop).sent.only()
        assert (sent.address, sent.subject, sent.text) == ("ann@example.com", "Thank you", "Thank you, Ann.")
        assert outbox(shop).to("ANN@example.com").over("email").about("thank-you").only() == sent
        assert [message.key for message in outbox(shop).to(str(ben.id))] == ["2", "3"]

    def test_it_fills_in_templates(self, shop: CRM) -> None:
        with shop.begin() as tx:
            data = {"key": "A1", "total": "9.00 GBP"}
            message = Message(topic="receipt", template="receipt", data=data)
            tx.messages.queue(message, channel="email", key="1", to=ANN)
            broken = Message(topic="receipt", template="receipt", data={})
            tx.messages.queue(broken, channel="email", key="2", to=ANN)
            good, bad = outbox(tx)
        assert (good.subject, good.text) == ("Order A1", "Total: 9.00 GBP")
        assert (good.template, dict(good.data)) == ("receipt", data)
        assert "'key' is undefined" in bad.text

    def test_it_works_in_an_open_transaction(self, shop: CRM) -> None:
        with shop.engine.connect() as connection:
            tx = shop.join(connection)
            tx.messages.queue(THANKS, channel="email", key="1", to=ANN)
            assert outbox(tx).only().state == "queued"
            connection.rollback()
        assert outbox(shop).messages == ()

    def test_it_says_how_when_the_one_connection_is_in_use(
        self, shop: CRM, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shop.engine.pool, "_timeout", 0.1)
        with shop.begin(), pytest.raises(TransactionError, match=r"call outbox\(tx\) in it"):
            outbox(shop)

    def test_it_reads_well(self, shop: CRM) -> None:
        with shop.begin() as tx:
            tx.messages.queue(THANKS, channel="email", key="1", to=ANN)
            tx.messages.queue(THANKS, channel="pigeon", key="1", to=ANN)
        with pytest.raises(AssertionError) as raised:
            outbox(shop).only()
        assert str(raised.value).splitlines() == [
            "expected one message, found <Outbox of 2:",
            "  queued: thank-you to ann@example.com over email: 'Thank you'",
            "  held (no channel 'pigeon' is enabled): thank-you to ann@example.com over pigeon: 'Thank you'>",
        ]
        assert repr(outbox(shop).sent) == "<Outbox of 0>"
        assert outbox(shop)[0] is not outbox(shop)[0]


class TestRecordingChannel:
    def queued(self, channel: RecordingChannel, clock: FakeClock, *keys: str, **options: Any) -> CRM:
        built = memory_crm(plugins=[channel], clock=clock, **options)
        with built.begin() as tx:
            for key in keys:
                tx.messages.queue(THANKS, channel="email", key=key, to=ANN)
        return built

    def test_it_answers_as_it_is_told_and_then_accepts(self, clock: FakeClock) -> None:
        channel = RecordingChannel(outcomes=[Deferred(timedelta(minutes=5)), Rejected("no such user")])
        crm = self.queued(channel, clock, "1", "2", "3")
        assert crm.run_due().deferred == 1
        clock.advance(minutes=10)
        crm.run_due()
        assert sorted(str(message.state) for message in outbox(crm)) == ["rejected", "sent", "sent"]
        assert (len(channel.deliveries), channel.handoffs, len(channel.effects)) == (4, 2, 2)
        assert channel.addresses == ["ann@example.com"] * 2

    @pytest.mark.parametrize(
        "when, dedup, effects",
        [
            ("before", Dedup.NONE, 1),
            ("after", Dedup.NONE, 1),
            ("end", Dedup.NONE, 2),
            ("end", Dedup.KEY, 1),
            ("end", Dedup.LOOKUP, 1),
        ],
    )
    def test_a_crash_ends_as_the_class_says(
        self, when: Any, dedup: Dedup, effects: int, clock: FakeClock
    ) -> None:
        channel = RecordingChannel(dedup=dedup, outcomes=[Crash(when=when)])
        crm = self.queued(channel, clock, "1", strict=False)
        for _ in range(3):
            crm.run_due()
            clock.advance(hours=1)
        assert outbox(crm).sent.only().key == "1"
        assert len(channel.effects) == effects

    def test_a_bare_exception_is_a_crash_before_the_hand_off(self, clock: FakeClock) -> None:
        channel = RecordingChannel()
        channel.script(KeyError("oops"), Accepted("x-1"))
        crm = self.queued(channel, clock, "1")
        with pytest.raises(KeyError):
            crm.run_due()
        assert (channel.handoffs, channel.effects) == (0, [])
        assert repr(channel) == "<RecordingChannel 'email', 1 sent, 0 effects>"


def namespace() -> dict[str, Any]:
    names = {name: getattr(crmkit, name) for name in crmkit.__all__}
    return {**names, "datetime": datetime, "timedelta": timedelta, "UTC": UTC, "UUID": UUID}


class TestCode:
    @given(st.one_of(strategies.facts(), strategies.messages(), strategies.contacts(), strategies.points()))
    def test_it_makes_an_equal_value(self, value: object) -> None:
        assert eval(as_code(value), namespace()) == value

    def test_it_is_short(self) -> None:
        line = OrderLine("TEA", 2, Money(900, "GBP"))
        order = Order("A1", (line,), placed_at=datetime(2026, 1, 15, 12, tzinfo=UTC))
        assert as_code(order) == (
            "Order('A1', [OrderLine('TEA', 2, Money(900, 'GBP'))], "
            "placed_at=datetime(2026, 1, 15, 12, tzinfo=UTC))"
        )

    @pytest.mark.parametrize(
        "value, code",
        [
            ((1,), "(1,)"),
            ((), "()"),
            ((1, "a"), "(1, 'a')"),
            (
                [None, {"a": timedelta(days=1, microseconds=2)}],
                "[None, {'a': timedelta(days=1, microseconds=2)}]",
            ),
            (timedelta(0), "timedelta()"),
            (Repeat.AT_MOST_ONCE, "Repeat.AT_MOST_ONCE"),
            (datetime(2026, 1, 1, tzinfo=UTC), "datetime(2026, 1, 1, tzinfo=UTC)"),
        ],
    )
    def test_plain_values(self, value: object, code: str) -> None:
        assert as_code(value) == code
        assert eval(code, namespace()) == value


class TestStrategies:
    @given(st.data())
    def test_a_partition_gives_everything_back(self, data: st.DataObject) -> None:
        order = data.draw(strategies.orders())
        returned: Any = {}
        parts = data.draw(strategies.partitions(order))
        for number, refund in enumerate(parts, 1):
            if number == len(parts) and not any(share for share in order.shares.values()):
                return
            returned = add_returns(returned, split_refund(order, returned, refund))
        assert sum(part.minor for part in returned.values()) == order.total.minor

    @pytest.mark.parametrize(
        "cls", [Order, OrderLine, Money, crmkit.Contact, ContactPoint, Message, crmkit.Facts]
    )
    def test_hypothesis_finds_them_by_type(self, cls: type) -> None:
        register()

        @given(st.from_type(cls))
        def drawn(value: object) -> None:
            assert isinstance(value, cls)

        drawn()

    def test_orders_have_everything_that_rules_meet(self) -> None:
        """Of every exponent, with and without discounts, extras and tax."""
        seen: set[object] = set()

        @given(strategies.orders())
        def look(order: Order) -> None:
            seen.update(line.kind for line in order.lines)
            seen.add(order.currency)
            seen.update(line.tax is None for line in order.lines)

        look()
        assert seen >= {*crmkit.LineKind, True, False, "EUR", "JPY"} or len(seen) > 8


class TestSuites:
    def test_what_is_not_claimed_is_not_collected_and_told(self) -> None:
        class Mine(ChannelSuite):
            def make_channel(self) -> RecordingChannel:
                return RecordingChannel()

        assert Mine.__test__
        assert not ChannelSuite.__test__
        assert Mine.test_01_answers_and_acts_once is None
        assert Mine.test_12_the_spec_is_sane is not None
        assert broken_laws(Mine) == ()
        assert Mine in RAN
        told = [line for line in summary() if "Mine: " in line]
        assert told == ["Mine: 1 of 18 laws claimed"]

    def test_pytest_tells_it_at_the_end(self) -> None:
        class Mine(RewardRuleSuite):
            rule = staticmethod(lambda facts: None)

        class Reporter:
            lines: ClassVar[list[str]] = []

            def section(self, title: str) -> None:
                self.lines.append(title)

            def write_line(self, line: str) -> None:
                self.lines.append(line)

        RAN[Mine] = None
        pytest_terminal_summary(Reporter())
        assert Reporter.lines[0] == "crmkit conformance"
        at = Reporter.lines.index("Mine: 3 of 6 laws claimed")
        assert Reporter.lines[at + 1].startswith("  not claimed: law 16 (needs monotone): When the goods")

    def test_a_subclass_claims_by_writing(self) -> None:
        class Mine(ChannelSuite):
            def make_channel(self) -> RecordingChannel:
                return RecordingChannel()

        class More(Mine):
            def received(self) -> list[str]:
                return []

        assert More.test_01_answers_and_acts_once is not None
        assert More.test_05_a_refusal_is_rejected is None

    def test_a_law_that_the_author_replaced_is_left_alone(self) -> None:
        """kills: settle() that puts a law back which the class itself has replaced."""
        ran: list[object] = []
        numbers = count(10**9)

        class Mine(RewardRuleSuite):
            rule = staticmethod(lambda facts: crmkit.Award(amount=next(numbers)))  # breaks both laws
            test_14_the_rule_is_pure = None  # type: ignore[assignment]

            def test_15_the_award_is_bounded(self) -> None:
                ran.append(self)

        assert broken_laws(Mine, 15) == () and len(ran) == 1
        assert not hasattr(Mine.test_15_the_award_is_bounded, "crmkit_law")
        with pytest.raises(ValueRefused, match=r"Mine claims the laws \[.*15.*\], not \[14\]"):
            broken_laws(Mine, 14)

    def test_a_law_that_is_not_claimed_cannot_be_run(self) -> None:
        class Mine(ChannelSuite):
            def make_channel(self) -> RecordingChannel:
                return RecordingChannel()

        with pytest.raises(ValueRefused, match=r"Mine claims the laws \[12\], not \[3\]"):
            broken_laws(Mine, 3)

    @pytest.mark.parametrize("suite", [ChannelSuite, StorageSuite])
    def test_a_suite_without_its_subject_says_what_is_needed(self, suite: type[Suite]) -> None:
        mine = type("Mine", (suite,), {"received": lambda self: []})
        with pytest.raises(NotImplementedError, match=r"Mine needs make_(channel|crm)\(self"):
            broken_laws(mine)

    @pytest.mark.parametrize(
        "members, words",
        [
            ({}, "Mine needs rule = ...: the rule that is attacked"),
            ({"rule": FakeClock}, "Mine.rule is the class FakeClock; give an instance, FakeClock"),
            ({"rule": 5}, "Mine.rule is 5; give a RewardRule, a function of the facts, a programme"),
        ],
    )
    def test_what_is_no_rule_is_refused(self, members: dict[str, Any], words: str) -> None:
        with pytest.raises(ValueRefused, match=words):
            broken_laws(type("Mine", (RewardRuleSuite,), members))

    def test_an_unknown_claim_is_refused_when_the_class_is_made(self) -> None:
        with pytest.raises(
            ValueRefused, match=r"Mine.claims: there is no claim 'monoton'; did you mean 'monotone'"
        ):
            type("Mine", (RewardRuleSuite,), {"claims": {"monoton": True}})
        for claims, words in (
            ({"base": "gross"}, "'gross' is not a valid Base"),
            ({"refund": "whole"}, "refund='whole' is no claim; there is refund='proportional'"),
            ({"max_per_day": -1}, "max_per_day=-1 must be a whole number from 0 on"),
        ):
            with pytest.raises(ValueRefused, match=f"Mine.claims: {words}"):
                type("Mine", (RewardRuleSuite,), {"claims": claims})

    def test_an_undeclared_law_that_holds_is_told(self) -> None:
        def one_a_line(facts: crmkit.Facts) -> crmkit.Award:
            return crmkit.Award(amount=facts.order.amount("goods").minor // 100)

        mine = type("Mine", (RewardRuleSuite,), {"rule": staticmethod(one_a_line)})
        assert broken_laws(mine) == ()
        for claim in ("monotone=True", "scale=True", "base='goods'"):
            assert [remark for remark in mine.remarks if f"claim {claim}?" in remark], claim

    def test_a_programme_is_attacked_by_the_name_of_its_file(self) -> None:
        file = Path(__file__).with_name("programme_to_attack.toml")
        claims = {"base": "goods", "monotone": True, "max_per_day": 500}
        mine: Any = type(
            "Mine", (RewardRuleSuite,), {"rule": file.name, "claims": claims, "__module__": __name__}
        )
        assert [rule.name for rule in mine().rules()] == ["birthday", "points-per-euro"]
        assert broken_laws(mine) == ()

    def test_a_programme_that_claims_too_much_is_found(self) -> None:
        file = Path(__file__).with_name("programme_to_attack.toml")
        mine: Any = type("Mine", (RewardRuleSuite,), {"rule": file, "claims": {"max_per_day": 50}})
        (broken,) = broken_laws(mine, 24)
        assert broken.expected == "at most 50 points in a day"

    def test_a_rule_may_carry_its_claims(self) -> None:
        @attrs.frozen
        class Claiming:
            name: str = "claiming"
            version: int = 1
            claims: Any = attrs.field(factory=lambda: {"max_per_order": 500, "monotone": True})

            def evaluate(self, facts: crmkit.Facts) -> crmkit.Award:
                return crmkit.Award(amount=facts.order.amount("goods").minor // 100)

        mine: Any = type("Mine", (RewardRuleSuite,), {"rule": Claiming(), "claims": {"max_per_order": 30}})
        assert (mine.claimed.max_per_order, mine.claimed.monotone) == (30, True)
        (broken,) = broken_laws(mine, 15)
        assert broken.expected == "at most 30 points"

    def test_a_bound_that_was_never_passed_is_told(self) -> None:
        capped = staticmethod(lambda facts: crmkit.Award(amount=min(facts.order.total.minor // 100, 3)))
        mine = type("Mine", (RewardRuleSuite,), {"rule": capped})
        broken_laws(mine, 15)
        assert [remark for remark in mine.remarks if "claim max_per_order=3?" in remark]
        assert not [remark for remark in mine.remarks if "scale=True" in remark]

    def test_what_is_claimed_is_not_told_again(self) -> None:
        one_a_line = staticmethod(lambda facts: crmkit.Award(amount=facts.order.amount("goods").minor // 100))
        claims = {"monotone": True, "scale": True, "base": "goods"}
        mine = type("Mine", (RewardRuleSuite,), {"rule": one_a_line, "claims": claims})
        broken_laws(mine, 15)
        assert not mine.remarks

    def test_a_rule_that_keeps_its_day_is_not_found(self) -> None:
        @attrs.frozen
        class Daily:
            name: str = "daily"
            version: int = 1
            limits: tuple[crmkit.Limit, ...] = (crmkit.Limit(per="member", window="day", units=50),)

            def evaluate(self, facts: crmkit.Facts) -> crmkit.Award:
                return crmkit.Award(amount=facts.order.amount("goods").minor // 100)

        mine = type("Mine", (RewardRuleSuite,), {"rule": Daily(), "claims": {"max_per_day": 50}})
        assert broken_laws(mine, 24) == ()

    def test_a_rule_that_tells_its_lines_is_not_found(self) -> None:
        def double_coffee(facts: crmkit.Facts) -> crmkit.Award:
            shares = facts.order.base_shares("goods")
            coffee = {line.id for line in facts.order.lines if line.category == "coffee"}
            lines = {id: share * (2 if id in coffee else 1) // 100 for id, share in shares.items()}
            return crmkit.Award(amount=sum(lines.values()), lines=lines)

        members = {"rule": staticmethod(double_coffee), "claims": {"refund": "proportional"}}
        assert broken_laws(type("Mine", (RewardRuleSuite,), members), 43) == ()

    def test_the_error_shows_both_sides(self) -> None:
        error = LawBroken(
            3, "Nothing is sent twice.", subject="Mine", expected="1", found="2", hint="look", code="x = 1\ny"
        )
        assert str(error).splitlines() == [
            "law 3 is broken by Mine",
            "  law:      Nothing is sent twice.",
            "  expected: 1",
            "  found:    2",
            "  hint:     look",
            "  to repeat it:",
            "    x = 1",
            "    y",
        ]

    @pytest.mark.parametrize("suite", [ChannelSuite, RewardRuleSuite, StorageSuite])
    def test_each_law_stands_on_the_page_with_its_number_and_sentence(self, suite: type[Suite]) -> None:
        page = " ".join((ROOT / suite.page).read_text(encoding="utf-8").split())
        numbers = []
        for function in laws_in(suite).values():
            held = law_of(function)
            assert held is not None
            numbers.append(held.number)
            assert f"### Law {held.number}: " in page
            assert held.sentence in page, f"law {held.number}: {held.sentence}"
        assert len(set(numbers)) == len(numbers)


def test_the_kit_loads_pytest_and_hypothesis_only_where_they_are_used() -> None:
    code = (
        "import sys; from crmkit.testing import FakeClock, RecordingChannel, memory_crm, outbox; "
        "memory_crm(); print(sorted({'pytest', 'hypothesis'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
