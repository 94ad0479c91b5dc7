"""Tiers(tx) over the database: refunds revoke, spending does not, merges add up, and Python and SQL agree.

The numbers are those of the laws of loyalty: 44 (refunds), 63 (spending), 65 (evaluations), 70 (merges).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from crmkit import CRM, Award, Facts, Lot, Money, NoAward, Order, OrderLine, Refund, RewardRule, hookimpl
from crmkit.testing import FakeClock, memory_crm
from crmkit.transaction import questions
from crmkit_loyalty import Loyalty, Tier, TierChanged, Tiers, periods
from crmkit_loyalty.tiers import service
from crmkit_loyalty.tiers.settings import Measure, TierSettings
from crmkit_loyalty.tiers.timeline import Qualifying
from racing import at_once

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
LEVELS = (Tier("bronze", 0), Tier("silver", 50), Tier("gold", 100))


@contextmanager
def broken(where: Any, name: str, variant: Any) -> Iterator[None]:
    """Put a broken variant in the place of real code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(where, name, variant)
        yield


@attrs.define
class Club:
    """A shop with tiers on what was earned, a clock, and two members."""

    crm: CRM
    clock: FakeClock
    number: int = 0

    def order(self, who: Any, pounds: int) -> str:
        """Record a paid order; return its number."""
        self.number += 1
        line = OrderLine("tea", 1, Money(100 * pounds, "GBP"))
        order = Order(f"A{self.number}", [line], placed_at=self.clock(), contact_id=who)
        with self.crm.begin() as tx:
            tx.orders.record(order, state="paid")
        return order.key

    def add(self) -> Any:
        """Add a contact."""
        with self.crm.begin() as tx:
            return tx.contacts.add("somebody").id

    def tier(self, who: Any) -> str:
        """Return the name of somebody's tier, as Python and SQL have it."""
        with self.crm.begin() as tx:
            tier = Tiers(tx).of(who)
            name = tier.name if tier else ""
            asked = tx.segments.ask(f"member.tier == {name!r}" if name else "member.tier is missing")
            assert asked.in_sql and asked.contains(who)
            survivor = tx.contacts.get(who).id
            assert survivor in {member.id for member in asked.members()}
            return name


@pytest.fixture(scope="module", params=["units", "spend", "orders"])
def club(request: pytest.FixtureRequest) -> Club:
    """A shop whose tiers are about each measure in turn; the amounts are pounds, or orders of 1 pound and more."""
    factor = {"units": 1, "spend": 100, "orders": 1}[request.param]
    levels = [attrs.evolve(one, threshold=one.threshold * factor) for one in LEVELS]
    tiers = {"levels": levels, "measure": request.param, "currency": "GBP", "window": "months", "months": 12}
    if request.param == "orders":
        tiers["levels"] = [attrs.evolve(one, threshold=n) for n, one in enumerate(LEVELS)]
    clock = FakeClock(START)
    return Club(memory_crm(plugins=["loyalty"], settings={"loyalty": {"tiers": tiers}}, clock=clock), clock)


def expected(club: Club, amounts: Sequence[int]) -> str:
    """Return the tier that amounts earn."""
    policy = TierSettings(levels=LEVELS)
    if _measure(club) is Measure.ORDERS:
        return LEVELS[min(2, len(amounts))].name
    return policy.name(policy.rank(sum(amounts)))


def _measure(club: Club) -> Measure:
    with club.crm.begin() as tx:
        return service.settings_of(tx, "Tiers").tiers.measure


@settings(max_examples=15)
@given(st.lists(st.integers(1, 70), min_size=1, max_size=4), st.data())
def test_law_63_and_44_spending_never_demotes_and_a_refund_does(
    club: Club, pounds: list[int], data: st.DataObject
) -> None:
    spending_and_refunds(club, pounds, data.draw(st.sets(st.sampled_from(range(len(pounds))))))


def spending_and_refunds(club: Club, pounds: list[int], returned: set[int]) -> None:
    who = club.add()
    keys = [club.order(who, amount) for amount in pounds]
    assert club.tier(who) == expected(club, pounds), "law 63"
    with club.crm.begin() as tx:
        Loyalty(tx).redeem(who, sum(pounds), f"all {who}")
        Tiers(tx).evaluate(who)
    assert club.tier(who) == expected(club, pounds), "law 63: spending demoted"
    for number in sorted(returned):
        with club.crm.begin() as tx:
            tx.orders.refund(keys[number], Refund.whole("r"))
        kept = [amount for n, amount in enumerate(pounds) if n not in returned or n > number]
        assert club.tier(who) == expected(club, kept), "law 44: a refund is as if it had never been"


def test_law_63_is_seen_to_fail(club: Club) -> None:
    """open-loyalty#131: the tier follows the balance."""

    def balance(tx: Any, ids: Any, policy: TierSettings, **_: Any) -> list[Qualifying]:
        held = Loyalty(tx).balance(ids[0])
        return [Qualifying(START, held * (100 if policy.measure is Measure.SPEND else 1))] if held > 0 else []

    with broken(service, "qualifying", balance), pytest.raises(AssertionError, match="law 63"):
        spending_and_refunds(club, [60, 60], set())


def test_law_44_is_seen_to_fail(club: Club) -> None:
    """odoo#257854: what was reached once stays, refund or not."""
    real = service.qualifying
    best: dict[Any, list[Qualifying]] = {}

    def high_water(tx: Any, ids: Any, policy: TierSettings, **options: Any) -> list[Qualifying]:
        found = real(tx, ids, policy, **options)
        kept = best.setdefault(ids[0], found)
        best[ids[0]] = max(found, kept, key=lambda some: sum(one.amount for one in some))
        return best[ids[0]]

    with broken(service, "qualifying", high_water), pytest.raises(AssertionError, match="law 44"):
        spending_and_refunds(club, [60, 60], {0, 1})


def rows(club: Club, who: Any) -> tuple[int, int]:
    """Return how many spans, and changes of tier in the log, somebody has."""
    with club.crm.begin() as tx:
        spans = tx.table("loyalty_tier_spans")
        count = select(func.count()).where(spans.c.contact_id == who)
        changes = tx.events.timeline(who, types=["TierChanged"])
        assert all(isinstance(entry.event, TierChanged) for entry in changes)
        return tx.sql.execute(count).scalar_one(), len(changes)


def evaluated_again(club: Club) -> None:
    who = club.add()
    club.order(who, 60)
    before = rows(club, who)
    for _ in range(3):
        with club.crm.begin() as tx:
            Tiers(tx).evaluate(who)
    assert rows(club, who) == before, "law 65: an evaluation that finds nothing new writes nothing"


def test_law_65_evaluating_again_changes_nothing(club: Club) -> None:
    evaluated_again(club)


def test_law_65_evaluating_again_is_seen_to_fail(club: Club) -> None:
    """The log is told of the same tier again."""
    forgets = broken(service.TierStore, "standing", lambda self, ids: None)
    with forgets, pytest.raises(AssertionError, match="law 65"):
        evaluated_again(club)


def test_law_70_merged_members_have_the_tier_of_both(club: Club) -> None:
    """kills: reading what qualifies under one id (odoo#171706)."""
    merging(club)
    real = service.qualifying

    def survivors(tx: Any, ids: Any, policy: TierSettings, **options: Any) -> list[Qualifying]:
        return real(tx, ids[:1], policy, **options)

    with broken(service, "qualifying", survivors), pytest.raises(AssertionError, match="law 70"):
        merging(club)


def merging(club: Club) -> None:
    ann, ben = club.add(), club.add()
    club.order(ann, 60)
    club.order(ben, 60)
    with club.crm.begin() as tx:
        merge = tx.merges.merge(ben, ann)
    assert [club.tier(one) for one in (ann, ben)] == ["gold", "gold"], "law 70"
    with club.crm.begin() as tx:
        tx.merges.unmerge(merge.id)
    assert [club.tier(one) for one in (ann, ben)] == ["silver", "silver"], "law 70: undone"


def test_time_alone_ends_a_tier_and_the_log_hears_of_it(club: Club) -> None:
    who = club.add()
    club.order(who, 60)
    before = rows(club, who)
    end = periods.months_later(club.clock(), 12, "UTC")
    club.clock.set(end - timedelta(microseconds=1))
    assert club.tier(who) == "silver"
    club.clock.set(end)
    assert club.tier(who) == "bronze"  # whether or not a job ran
    assert rows(club, who) == before
    club.crm.run_due()
    assert rows(club, who) == (before[0], before[1] + 1)
    club.clock.advance(hours=2)
    club.crm.run_due()
    assert rows(club, who) == (before[0], before[1] + 1)


def test_lots_that_do_not_qualify_do_not_count(club: Club) -> None:
    who = club.add()
    club.order(who, 1)
    before = club.tier(who)
    with club.crm.begin() as tx:
        Loyalty(tx).grant(who, 1000, f"sorry {who}", lot=Lot())
    if _measure(club) is not Measure.UNITS:
        assert club.tier(who) == before


def test_law_65_orders_at_once_end_in_the_tier_of_all(open_shop: Any, database_url: str) -> None:
    """kills: an evaluation that reads what its snapshot shows."""
    levels = [attrs.evolve(one, threshold=2 * n) for n, one in enumerate(LEVELS)]
    shop = open_shop(database_url, tiers={"levels": levels, "measure": "orders", "window": "lifetime"})

    def buy(number: int) -> Any:
        order = shop.order(f"A{number}", 1000)
        return lambda: (
            shop.crm.transact(lambda tx: tx.orders.record(order, state="paid"), attempts=50).state.value
        )

    assert at_once([buy(number) for number in range(5)]) == {"paid": 5}
    assert shop.do(lambda tx: Tiers(tx).of(shop.ann)).name == "gold"
    assert shop.do(lambda tx: Tiers(tx).progress(shop.ann)).amount == 5


def test_an_imported_past_counts_once_the_job_has_run(open_shop: Any) -> None:
    shop = open_shop(tiers={"levels": LEVELS, "measure": "spend", "currency": "GBP"})
    with shop.crm.begin() as tx:
        tx.orders.record(shop.order("A1", 60), state="paid", history=True)
        assert Tiers(tx).of(shop.ann) is None
    shop.crm.run_due()
    assert shop.do(lambda tx: Tiers(tx).of(shop.ann)).name == "silver"


def test_an_erased_member_keeps_its_tier_and_nothing_personal(open_shop: Any) -> None:
    shop = open_shop(tiers={"levels": LEVELS})
    shop.buy("A1", 6000)
    shop.crm.erase(shop.ann)
    assert shop.do(lambda tx: Tiers(tx).of(shop.ann)).name == "silver"


@attrs.frozen
class Multiplier:
    """Ten stars for whoever is silver when it pays, else one."""

    name: str = "multiplier"
    version: int = 1
    fields: tuple[str, ...] = ("member.tier",)

    def evaluate(self, facts: Facts) -> Award:
        return Award(amount=10 if facts.fields.get("member.tier") == "silver" else 1, unit="stars")


@attrs.define(eq=False)
class MultiplierPlugin:
    """Brings the rule."""

    name: str = "multiplier"

    @hookimpl
    def crmkit_reward_rules(self) -> list[RewardRule]:
        return [Multiplier()]


def tier_when_it_was_paid(open_shop: Any) -> None:
    shop = open_shop(
        "sqlite://", MultiplierPlugin(), tiers={"levels": LEVELS, "window": "months", "months": 1}
    )
    shop.buy("A1", 6000)  # silver, until a month later
    end = shop.do(lambda tx: Tiers(tx).standing(shop.ann)).until
    placed = [shop.order(key, 1) for key in ("B1", "B2")]
    for order in placed:
        shop.do(lambda tx, order=order: tx.orders.record(order))
    shop.now = end + timedelta(days=2)
    earned = []
    for order, at in zip(placed, (end - timedelta(microseconds=1), end), strict=True):
        before = shop.balance("stars")
        shop.do(lambda tx, key=order.key, at=at: tx.orders.paid(key, at=at))
        earned.append(shop.balance("stars") - before)
    assert earned == [10, 1], "law 66"


def test_law_66_a_rule_reads_the_tier_of_the_instant_at_which_it_was_paid(open_shop: Any) -> None:
    tier_when_it_was_paid(open_shop)


def test_law_66_of_the_instant_is_seen_to_fail(open_shop: Any) -> None:
    """The tier of the present."""
    real = questions.fields_of_contact
    present = lambda tx, contact, names, at: real(tx, contact, names, tx.now)  # noqa: E731
    with broken(questions, "fields_of_contact", present), pytest.raises(AssertionError, match="law 66"):
        tier_when_it_was_paid(open_shop)


@attrs.define(eq=False)
class Bonus:
    """Ten stars for whoever reaches gold."""

    name: str = "bonus"
    version: int = 1
    triggers: tuple[str, ...] = ("tier.changed",)

    def evaluate(self, facts: Facts) -> Award | NoAward:
        is_gold = facts.payload["after"] == "gold" and facts.payload["way"] == "up"
        return Award(amount=10, unit="stars") if is_gold else NoAward(reason="it is no gold")

    @hookimpl
    def crmkit_reward_rules(self) -> list[RewardRule]:
        return [self]


def buying_and_returning(open_shop: Any) -> None:
    shop = open_shop("sqlite://", Bonus(), tiers={"levels": LEVELS})
    for number in range(3):
        shop.buy(f"A{number}", 10000)
        shop.do(lambda tx, key=f"A{number}": tx.orders.refund(key, Refund.whole("r")))
    assert shop.balance("stars") == 10, "law 44: buying and returning in turns earns once"


def test_law_44_a_tier_is_rewarded_once_a_year(open_shop: Any) -> None:
    buying_and_returning(open_shop)


def test_law_44_of_tiers_is_seen_to_fail(open_shop: Any) -> None:
    """woo-wallet#53: the earn and refund loop."""
    tell, numbers = service.tell, count()

    def each(tx: Any, trigger: str, contact_id: Any, *, key: str, payload: Any) -> bool:
        return tell(tx, trigger, contact_id, key=f"{key} {next(numbers)}", payload=payload)

    with broken(service, "tell", each), pytest.raises(AssertionError, match="law 44"):
        buying_and_returning(open_shop)
