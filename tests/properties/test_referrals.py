"""Referrals under attack: claims, orders, refunds, merges and the passing of time, in any order.

The numbers are those of the laws of loyalty: 67 (at most once a pair, no self, no circle), 68 (after a paid order
and the hold), 69 (an action is rewarded once). What the log says in the end is judged, not what the code remembers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from crmkit import (
    CRM,
    Award,
    ContactPoint,
    Facts,
    Money,
    NotFound,
    Order,
    OrderLine,
    Refund,
    RewardRule,
    RewardsDecided,
    TransitionRefused,
    hookimpl,
)
from crmkit.testing import FakeClock, memory_crm
from crmkit_loyalty import (
    LoyaltyPlugin,
    LoyaltySettings,
    ReferralQualified,
    ReferralRefused,
    Referrals,
    ReferralState,
)
from crmkit_loyalty.referrals import orders as referral_orders
from crmkit_loyalty.referrals.store import ReferralStore

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOLD, WINDOW, PEOPLE = 5, 10, 4


@attrs.frozen
class Thanks:
    """Points for both sides."""

    name: str = "thanks"
    version: int = 1
    triggers: tuple[str, ...] = ("referral.qualified",)

    def evaluate(self, facts: Facts) -> Award:
        return Award(amount=100 if facts.payload["side"] == "referrer" else 50)


@attrs.define(eq=False)
class ThanksPlugin:
    """Brings the rule."""

    name: str = "thanks"

    @hookimpl
    def crmkit_reward_rules(self) -> list[RewardRule]:
        return [Thanks()]


@attrs.define
class Crowd:
    """Some people, what they did, and a clock; each example has people of its own."""

    crm: CRM
    clock: FakeClock
    people: list[UUID] = attrs.field(factory=list)
    number: int = 0
    placed: list[str] = attrs.field(factory=list)
    refunded_at: dict[str, datetime] = attrs.field(factory=dict)
    paid_at: dict[str, datetime] = attrs.field(factory=dict)

    def begin(self) -> None:
        """Start over with people who never did anything."""
        self.people, self.placed, self.refunded_at, self.paid_at = [], [], {}, {}
        with self.crm.begin() as tx:
            self.people = [tx.contacts.add(f"person {n}").id for n in range(PEOPLE)]

    def claim(self, who: int, by: int) -> None:
        """Let somebody say who brought it, which may be refused."""
        self.number += 1
        with self.crm.begin() as tx:
            referrals = Referrals(tx)
            try:
                referrals.claim(referrals.code(self.people[by]), self.people[who], f"c{self.number}")
            except ReferralRefused:
                return

    def buy(self, who: int) -> None:
        """Let somebody pay for an order."""
        self.number += 1
        key = f"A{self.number}"
        line = OrderLine("tea", 1, Money(1000, "GBP"))
        order = Order(key, [line], placed_at=self.clock(), contact_id=self.people[who])
        with self.crm.begin() as tx:
            tx.orders.record(order, state="paid")
        self.placed.append(key)
        self.paid_at[key] = self.clock()

    def refund(self, which: int) -> None:
        """Give the money of an order back."""
        if not self.placed:
            return
        key = self.placed[which % len(self.placed)]
        with self.crm.begin() as tx:
            try:
                tx.orders.refund(key, Refund.whole("r"))
            except TransitionRefused:
                return
        self.refunded_at.setdefault(key, self.clock())

    def merge(self, one: int, other: int) -> None:
        """Find out that two are one."""
        with self.crm.begin() as tx:
            if not set(tx.contacts.ids(self.people[one])) & set(tx.contacts.ids(self.people[other])):
                tx.merges.merge(self.people[one], self.people[other])

    def wait(self, days: int, job: bool) -> None:
        """Let time pass; perhaps the job runs."""
        self.clock.advance(days=days)
        if job:
            for _ in range(2):
                referral_orders.end_holds(self.crm)

    def judge(self) -> None:
        """Read from the log who was rewarded for what, and hold the laws against it."""
        with self.crm.begin() as tx:
            found = {entry.id: entry for who in self.people for entry in tx.events.timeline(who, limit=500)}
            decided = Counter(
                (str(entry.contact_id), entry.event.key)
                for entry in found.values()
                if isinstance(entry.event, RewardsDecided) and entry.event.trigger == "referral.qualified"
            )
            assert set(decided.values()) <= {1}, "law 69: a side of a referral is rewarded once"
            qualified = [entry for entry in found.values() if isinstance(entry.event, ReferralQualified)]
            pairs = Counter((str(one.contact_id), str(one.event.referrer_id)) for one in qualified)
            assert set(pairs.values()) <= {1}, "law 67: a pair is rewarded once"
            for entry in qualified:
                self._judge(tx, entry)
            up = {entry.contact_id: entry.event.referrer_id for entry in qualified}
            for start, who in up.items():
                chain = [start, who]
                while chain[-1] in up and len(chain) <= PEOPLE + 1:
                    chain.append(up[chain[-1]])
                assert len(set(chain)) == len(chain), "law 67: no circle"

    def _judge(self, tx: Any, entry: Any) -> None:
        event = entry.event
        merged = [one for one in tx.merges.history(entry.contact_id) if one.merged_at <= entry.recorded_at]
        ids = set(tx.contacts.ids(entry.contact_id)) if merged else {entry.contact_id}
        known = {id for one in merged for id in (one.loser_id, one.into_id)} | {entry.contact_id}
        assert event.referrer_id not in ids & known, "law 67: nobody is rewarded for itself"
        assert event.order_key in self.paid_at, "law 68: only after a paid order"
        end = self.paid_at[event.order_key] + timedelta(days=HOLD)
        assert entry.recorded_at >= end, "law 68: not before the hold has ended"
        returned = self.refunded_at.get(event.order_key)
        assert returned is None or returned >= end, "law 68: a refund before the hold's end voids it"


WHO = st.integers(0, PEOPLE - 1)
DEEDS = st.one_of(
    st.tuples(st.just("claim"), WHO, WHO),
    st.tuples(st.just("claim"), WHO, WHO),
    st.tuples(st.just("buy"), WHO),
    st.tuples(st.just("buy"), WHO),
    st.tuples(st.just("refund"), st.integers(0, 9)),
    st.tuples(st.just("merge"), WHO, WHO),
    st.tuples(st.just("wait"), st.sampled_from([0, 1, HOLD, WINDOW]), st.booleans()),
    st.tuples(st.just("wait"), st.just(HOLD), st.just(True)),
)


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    """A shop in memory that thanks both sides."""
    clock = FakeClock(START)
    referrals = {"hold_days": HOLD, "window_days": WINDOW, "new_only": False}
    loyalty = LoyaltyPlugin(LoyaltySettings(points_per_unit=0, referrals=referrals))
    return Crowd(memory_crm(plugins=[loyalty, ThanksPlugin()], clock=clock), clock)


def lives(crowd: Crowd, deeds: list[tuple[Any, ...]]) -> None:
    """Do what is drawn and judge it."""
    crowd.begin()
    for name, *arguments in deeds:
        getattr(crowd, name)(*arguments)
    crowd.wait(WINDOW, job=True)
    crowd.judge()


@settings(max_examples=max(60, settings().max_examples // 2))
@given(st.lists(DEEDS, max_size=14))
def test_law_67_68_and_69_whatever_happens(crowd: Crowd, deeds: list[tuple[Any, ...]]) -> None:
    lives(crowd, deeds)


def test_both_sides_are_rewarded(crowd: Crowd) -> None:
    lives(crowd, [("claim", 1, 0), ("buy", 1)])
    from crmkit_loyalty import Loyalty

    with crowd.crm.begin() as tx:
        assert [Loyalty(tx).balance(crowd.people[n]) for n in range(2)] == [100, 50]


@contextmanager
def broken(where: Any, name: str, variant: Any) -> Iterator[None]:
    """Put a broken variant in the place of real code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(where, name, variant)
        yield


def twice(self: Referrals, referral_id: UUID, at: datetime | None = None) -> Any:
    """Reward without asking where the referral stands."""
    referral = self._store.get(referral_id)
    if (at or self._tx.now) >= referral.hold_until:
        self._reward(attrs.evolve(referral, id=self._tx.new_id()))
    return referral


def at_once(self: Referrals, referral: Any, order_key: str, paid_at: datetime) -> Any:
    """Wait for nothing."""
    held = self._store.change(referral, state=ReferralState.HELD, order_key=order_key, hold_until=paid_at)
    return self.resolve(held.id)


MUTANTS: dict[str, tuple[Any, str, Any, list[tuple[Any, ...]], str]] = {
    "no circle is looked for": (
        Referrals,
        "_chain",
        lambda self, id: [id],
        [("claim", 1, 0), ("claim", 2, 1), ("claim", 0, 2), ("buy", 0), ("buy", 1), ("buy", 2)],
        "law 67",
    ),
    "merged people are not looked at again (laravel-referrals#34)": (
        Referrals,
        "_faults",
        lambda self, referral: "",
        [("claim", 1, 0), ("buy", 1), ("merge", 1, 0)],
        "law 67",
    ),
    "the hold is not waited for (markm8#125)": (
        Referrals,
        "hold",
        at_once,
        [("claim", 1, 0), ("buy", 1)],
        "law 68",
    ),
    "refunds are not heard of": (
        Referrals,
        "drop",
        lambda self, referral: referral,
        [("claim", 1, 0), ("buy", 1), ("refund", 0)],
        "law 68",
    ),
    "each run of the job rewards": (
        Referrals,
        "resolve",
        twice,
        [("claim", 1, 0), ("buy", 1), ("wait", HOLD, True)],
        "law 67",
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_each_mutant_is_seen(crowd: Crowd, mutant: str) -> None:
    where, name, variant, deeds, law = MUTANTS[mutant]
    lives(crowd, deeds)
    with broken(where, name, variant), pytest.raises(AssertionError, match=law):
        lives(crowd, deeds)


@pytest.mark.parametrize("mutant", [name for name in MUTANTS if "circle" not in name])
def test_the_property_finds_it_too(crowd: Crowd, mutant: str) -> None:
    where, name, variant, _, _ = MUTANTS[mutant]
    hunt = settings(
        max_examples=300,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    with broken(where, name, variant), pytest.raises(AssertionError, match="law"):
        hunt(given(st.lists(DEEDS, min_size=3, max_size=14))(lambda deeds: lives(crowd, deeds)))()


# --- claims --------------------------------------------------------------------------------------------------------


def claim(crowd: Crowd, who: int, by: int, key: str = "k") -> Any:
    """Claim in a transaction of its own; a refusal is raised."""
    with crowd.crm.begin() as tx:
        return Referrals(tx).claim(Referrals(tx).code(crowd.people[by]), crowd.people[who], key)


def test_law_67_who_is_refused_is_told_why(crowd: Crowd) -> None:
    crowd.begin()
    with pytest.raises(ReferralRefused, match="nobody brings itself"):
        claim(crowd, 0, 0, "self")
    first = claim(crowd, 1, 0, f"first {crowd.people[1]}")
    assert claim(crowd, 1, 0, f"first {crowd.people[1]}") == first
    with pytest.raises(ReferralRefused, match="brought it already"):
        claim(crowd, 1, 2, "other")
    with pytest.raises(ReferralRefused, match="was brought by it"):
        claim(crowd, 0, 1, "circle")
    with crowd.crm.begin() as tx:
        shared = ContactPoint.email(f"{crowd.people[2]}@example.org")
        tx.contacts.remember(crowd.people[2], shared)
        tx.contacts.remember(crowd.people[3], shared, shared=True)
    with pytest.raises(ReferralRefused, match="shares a contact point"):
        claim(crowd, 3, 2, "shared")
    with crowd.crm.begin() as tx:
        tx.merges.merge(crowd.people[3], crowd.people[0])
    with pytest.raises(ReferralRefused, match="nobody brings itself"):
        claim(crowd, 3, 0, "merged")


def test_an_unknown_code_is_not_found(crowd: Crowd) -> None:
    crowd.begin()
    for code in ("", "0000-0000", "x" * 10**6):
        with crowd.crm.begin() as tx, pytest.raises(NotFound, match="nobody has this"):
            Referrals(tx).claim(code, crowd.people[0], "k")


def test_only_who_is_new_is_brought_where_the_settings_say_so() -> None:
    clock = FakeClock(START)
    crm = memory_crm(plugins=["loyalty"], settings={"loyalty": {"referrals": {}}}, clock=clock)
    crowd = Crowd(crm, clock)
    crowd.begin()
    crowd.buy(1)
    with pytest.raises(ReferralRefused, match="has paid for an order before"):
        claim(crowd, 1, 0)


def test_the_window_is_half_open(crowd: Crowd) -> None:
    """kills: `<=` at its end."""
    for late, state in (
        (timedelta(microseconds=1), ReferralState.HELD),
        (timedelta(0), ReferralState.CLAIMED),
    ):
        crowd.begin()
        referral = claim(crowd, 1, 0, f"w {crowd.people[1]}")
        crowd.clock.set(referral.until_at - late)
        crowd.buy(1)
        with crowd.crm.begin() as tx:
            assert ReferralStore(tx).get(referral.id).state is state
