"""The laws of declared programmes: each property is seen to fail by an engine or a rule that is broken on purpose.

The numbers are those of the laws of loyalty. `test_law_N_is_seen_to_fail` breaks real code by its name and names the
public bug that was such a one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any, ClassVar
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import crmkit.programmes.effects.effect as effects
import crmkit.rewards.prices as fitting
from crmkit import (
    Asked,
    Award,
    Contact,
    Decision,
    DeclaredRule,
    Effect,
    Facts,
    Money,
    Order,
    OrderLine,
    Owned,
    Programme,
    ProgrammeError,
    RuleBook,
    Used,
    Window,
    recompute,
    window_of,
)
from crmkit.programmes import terms, vocabulary
from crmkit.programmes.effects import points, prices
from crmkit.rewards import capping, engine, limits, stacking, windows
from crmkit.testing import RewardRuleSuite, strategies

AT = datetime(2026, 3, 7, 12, tzinfo=UTC)  # a Saturday
WHO = Contact(id=UUID(int=7))
ZONES = ("UTC", "Europe/London", "America/Sao_Paulo", "Asia/Beirut", "America/St_Johns", "Pacific/Apia")


def programme(*rules: Mapping[str, Any], **settled: Any) -> Programme:
    head = {"name": "p", "version": 1, "currency": "GBP", **settled}
    return Programme.of({"programme": head, "rule": list(rules)})


def stated(**keys: Any) -> dict[str, Any]:
    return {"name": "r", "then": {"points": 10}, **keys}


def order(*lines: OrderLine, key: str = "k") -> Order:
    return Order(key, lines or (goods(1000),), placed_at=AT)


def goods(minor: int, quantity: int = 1, category: str = "", id: str = "") -> OrderLine:
    return OrderLine("sku", quantity, Money(minor, "GBP"), category=category, id=id)


def facts(made: Order | None = None, at: datetime = AT, **more: Any) -> Facts:
    return Facts(trigger="order.paid", at=at, order=made or order(), contact=WHO, **more)


def decide(made: Programme, about: Facts, **more: Any) -> Decision:
    return RuleBook(Owned(owner="host", value=rule) for rule in made.rules).decide(about, **more)


def by_rule(decision: Decision) -> dict[str, int]:
    return {award.rule.partition("@")[0]: award.amount for award in decision.awards}


@attrs.define
class Memory:
    """Remembers awards, as a ledger does, and counts how often it was asked."""

    granted: list[tuple[datetime, UUID, Award]] = attrs.field(factory=list)
    asked: int = 0

    def usage(self, asked: Sequence[Asked]) -> dict[Asked, Used]:
        self.asked += 1
        return {one: self._used(one) for one in asked}

    def _used(self, one: Asked) -> Used:
        mine = [
            award
            for at, who, award in self.granted
            if one.start <= at < one.end and (one.contact_ids is None or who in one.contact_ids)
            if award.rule.rpartition("@")[0] == one.rule and award.unit == one.unit
        ]
        costs = [a.cost.minor for a in mine if a.cost is not None and a.cost.currency == one.currency]
        return Used(units=sum(a.amount for a in mine), times=len(mine), money=sum(costs))

    def take(self, made: Programme, about: Facts) -> Decision:
        decision = decide(made, about, usage=self.usage)
        self.granted += [(about.at, about.contact.id, award) for award in decision.awards]
        return decision


# --- 11, 23, 74: amounts --------------------

RATES = st.builds(Fraction, st.integers(1, 10**4), st.integers(1, 99))
ROUNDINGS = st.sampled_from(["floor", "nearest", "ceiling"])
BASES = st.sampled_from(["total", "goods", "net", "without_shipping", "without_gift_cards"])


def by_rate(rate: Fraction, base: str, rounding: str, **more: Any) -> Programme:
    then = {"rate": str(rate), "base": base, "rounding": rounding}
    return programme(stated(then=then, **more), worth="0.007 GBP")


def law_11(made: Programme, about: Facts, rate: Fraction, base: str, rounding: str) -> None:
    exact = about.order.amount(base).minor * rate / 100
    wanted = {"floor": exact // 1, "nearest": (exact + Fraction(1, 2)) // 1, "ceiling": -(-exact // 1)}[
        rounding
    ]
    granted = by_rule(decide(made, about)).get("r", 0)
    assert granted == wanted, f"law 11: {granted} for {exact}, {rounding}"


@given(strategies.orders("GBP"), RATES, BASES, ROUNDINGS)
def test_law_11_an_award_is_exact(made: Order, rate: Fraction, base: str, rounding: str) -> None:
    law_11(by_rate(rate, base, rounding), facts(made), rate, base, rounding)


def test_law_11_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """odoo#111670: a float in between."""
    broken = {"floor": lambda numerator, denominator: int(numerator * (1 / denominator))}
    monkeypatch.setattr(points, "DIVIDE", broken)
    rate, about = Fraction(100, 49), facts(order(goods(49)))
    with pytest.raises(AssertionError, match="law 11"):
        law_11(by_rate(rate, "goods", "floor"), about, rate, "goods", "floor")


def law_23(award: Award) -> None:
    assert sum(award.lines.values()) == award.amount, f"law 23: {dict(award.lines)} of {award.amount}"
    assert all(part >= 0 for part in award.lines.values())


@given(strategies.orders("GBP"), RATES, BASES, ROUNDINGS, st.integers(1, 50))
def test_law_23_the_lines_come_to_the_award_also_where_it_is_cut(
    made: Order, rate: Fraction, base: str, rounding: str, most: int
) -> None:
    for more in ({}, {"limits": [{"per": "event", "units": most}]}):
        for award in decide(by_rate(rate, base, rounding, **more), facts(made)).awards:
            law_23(award)


def test_law_23_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """BroadleafCommerce#1113: rounded line by line."""

    def apart(amount: int, weights: Sequence[int]) -> tuple[int, ...]:
        return tuple(amount * weight // (sum(weights) or 1) for weight in weights)

    monkeypatch.setattr(effects, "allocate", apart)
    (award,) = decide(by_rate(Fraction(1), "goods", "floor"), facts(order(goods(150), goods(150)))).awards
    with pytest.raises(AssertionError, match="law 23"):
        law_23(award)


KINDS: Sequence[dict[str, Any]] = (
    {"then": {"points": 7}},
    {"then": {"coupon": "TEN", "cost": "1.00 GBP"}},
    {"then": {"gift_card": "5.00 GBP"}},
    {"then": {"free_product": "TEA", "quantity": 2, "cost": "0.40 GBP"}},
    {"then": {"price": {"percent": "12.5"}}},
    {"then": {"price": {"off": "5.00 GBP"}}, "of": 'line.category == "tea"'},
    {"then": {"price": {"shipping": "free"}}},
    {"then": {"price": {"buy": 2, "get": 1, "percent": 50}}},
    {"then": {"rate": "7/3"}, "of": "line.total >= 5", "when": "order.goods > 1"},
)


def every_kind(**settled: Any) -> Programme:
    rules = [stated(name=f"r{number}", lane=str(number), **keys) for number, keys in enumerate(KINDS)]
    double = stated(name="double", then={"multiply": "1.5", "rule": "r8"}, lane="x")
    return programme(*rules, double, **settled)


def law_74(decision: Decision) -> None:
    for award in decision.awards:
        again = recompute(award.inputs)
        assert again == (award.capped_from or award.amount), f"law 74: {award.rule} comes to {again}"
    for refusal in decision.refusals:
        assert any(char.isdigit() for char in refusal.reason), f"law 74: {refusal.reason!r} tells no value"


@given(strategies.orders("GBP"), ROUNDINGS)
def test_law_74_every_award_comes_to_the_same_again_and_every_refusal_tells_its_values(
    made: Order, rounding: str
) -> None:
    law_74(decide(every_kind(rounding=rounding), facts(made)))


def test_law_74_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trace tells another rate than the one that was used."""
    honest = points.Rate.inputs
    monkeypatch.setattr(points.Rate, "inputs", lambda self, basket: honest(self, basket) | {"rate": "2"})
    with pytest.raises(AssertionError, match="law 74"):
        law_74(decide(every_kind(), facts()))


CLAUSES = (
    ("order.goods >= 20", "order.goods >= 20 is false: order.goods = 10.00"),
    ('order.channel == "web"', 'order.channel == "web" is false: order.channel is missing'),
    (
        'order.goods > 5 and "tea" in order.categories',
        '"tea" in order.categories is false: order.categories is missing',
    ),
    ("order.number == 3", "order.number == 3 is false: order.number = 1"),
    ('at.weekday == "sunday"', 'at.weekday == "sunday" is false: at.weekday = "saturday"'),
)


@pytest.mark.parametrize("when, reason", CLAUSES)
def test_law_74_a_refusal_names_the_failing_clause(when: str, reason: str) -> None:
    """A reason such as "not eligible" names none; `explain` of the language does."""
    (refusal,) = decide(programme(stated(when=when)), facts()).refusals
    assert refusal.reason == reason


# --- 24-30: limits --------------------

STEPS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60 * 60 * 60), st.integers(1, 40)), max_size=12)
PER = st.sampled_from(["event", "member", "all"])
WINDOWS = st.sampled_from(["day", "week", "month", "ever"])
BOUNDS = st.integers(0, 60)


def limited(per: str, window: str, over: str, **bound: Any) -> Programme:
    limit = {"per": per, "over": over, **bound} | ({} if per == "event" else {"window": window})
    return programme(stated(then={"rate": "1"}, limits=[limit]), zone="Europe/London", worth="0.03 GBP")


def law_24(made: Programme, steps: Sequence[tuple[int, int, int]]) -> Memory:
    """Whatever the sequence, in no window more is granted than the limit says (24, 28)."""
    memory = Memory()
    (limit,) = made.rules[0].limits
    for who, later, pounds in steps:
        about = facts(order(goods(pounds * 100)), at=AT + timedelta(seconds=later))
        memory.take(made, attrs.evolve(about, contact=Contact(id=UUID(int=who + 1))))
        zone = windows.zone_of("Europe/London")
        for at, someone, award in memory.granted:
            start, end = window_of(at, limit.window, zone)
            together = [
                (other.amount, 1, other.cost.minor if other.cost else 0)
                for when, whom, other in memory.granted
                if start <= when < end and (limit.per == "all" or whom == someone)
                if limit.per != "event" or other is award
            ]
            units, times, money = (sum(column) for column in zip(*together, strict=True))
            assert limit.units is None or units <= limit.units, f"law 24: {units} units, {limit}"
            assert limit.times is None or times <= limit.times, f"law 24: {times} times, {limit}"
            assert limit.money is None or money <= limit.money.minor, f"law 28: {money} pence, {limit}"
    return memory


@given(
    PER, WINDOWS, st.sampled_from(["truncate", "refuse"]), st.sampled_from(["units", "times"]), BOUNDS, STEPS
)
def test_law_24_no_window_holds_more_than_the_limit(
    per: str, window: str, over: str, what: str, bound: int, steps: list[tuple[int, int, int]]
) -> None:
    law_24(limited(per, window, over, **{what: bound}), steps)


@given(PER, WINDOWS, st.sampled_from(["truncate", "refuse"]), BOUNDS, STEPS)
def test_law_28_a_budget_is_never_overdrawn(
    per: str, window: str, over: str, bound: int, steps: list[tuple[int, int, int]]
) -> None:
    law_24(limited(per, window, over, money=f"0.{bound:02} GBP"), steps)


TWICE = [(0, 0, 40), (0, 60, 40)]


def test_law_24_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """vendure#4353: the ledger is not asked."""
    monkeypatch.setattr(Memory, "usage", lambda self, asked: dict.fromkeys(asked, Used()))
    with pytest.raises(AssertionError, match="law 24"):
        law_24(limited("member", "day", "truncate", units=50), TWICE)


def test_law_28_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """oscar's max_discount: the last award goes over; here because its cost is rounded down."""
    monkeypatch.setattr(capping, "_share", lambda minor, part, whole: 0)
    memory = law_24(limited("all", "ever", "truncate", money="0.50 GBP"), [(0, 0, 40)])
    assert memory.granted[0][2].cost == Money(0, "GBP")
    monkeypatch.undo()
    monkeypatch.setattr(capping, "limited", lambda award, *_: award)
    monkeypatch.setattr(engine, "limited", lambda award, *_: award)
    with pytest.raises(AssertionError, match="law 28"):
        law_24(limited("all", "ever", "truncate", money="0.50 GBP"), TWICE)


def law_25(made: Programme) -> None:
    """An order that is decided anew does not count against itself."""
    asked: list[Asked] = []

    def usage(questions: Sequence[Asked]) -> dict[Asked, Used]:
        asked.extend(questions)
        return {one: Used(units=0 if one.excluding == "k" else 50) for one in questions}

    assert decide(made, facts(), usage=usage).awards, "law 25: its own award is in its way"
    assert all(one.excluding == "k" for one in asked)
    decide(made, attrs.evolve(facts(), trigger="order.shipped"), usage=usage)


def test_law_25_an_order_that_is_decided_anew_leaves_itself_out() -> None:
    law_25(limited("member", "day", "refuse", units=50))


def test_law_25_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """solidus#3205."""
    asking = limits.question
    blind = lambda *given: attrs.evolve(asking(*given), excluding="")  # noqa: E731
    monkeypatch.setattr(capping, "question", blind)
    with pytest.raises(AssertionError, match="law 25"):
        law_25(limited("member", "day", "refuse", units=50))


def law_26(made: Programme, steps: Sequence[tuple[int, int, int]]) -> None:
    """What grants nothing asks the ledger nothing and uses nothing up."""
    memory = Memory()
    for _, later, pounds in steps:
        about = facts(order(goods(pounds)), at=AT + timedelta(seconds=later))  # pennies: no point
        assert not memory.take(made, about).awards
    assert memory.asked == 0 and not memory.granted, "law 26: something was used up"


@given(STEPS)
def test_law_26_no_effect_uses_nothing_up(steps: list[tuple[int, int, int]]) -> None:
    law_26(limited("member", "day", "refuse", times=1), steps)


def test_law_26_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """vendure#5278: awards of nothing are counted."""
    monkeypatch.setattr(DeclaredRule, "evaluate", lambda self, facts: Award(amount=1))
    with pytest.raises(AssertionError):
        law_26(limited("member", "day", "refuse", times=1), TWICE)


def law_29(made: Programme) -> None:
    memory = Memory()
    for who in (1, 2):
        about = attrs.evolve(facts(order(goods(4000))), contact=Contact(id=UUID(int=who)))
        assert by_rule(memory.take(made, about)) == {"r": 40}, "law 29: somebody else's use counts"


def test_law_29_what_others_used_does_not_count_for_a_member() -> None:
    law_29(limited("member", "day", "refuse", units=50))


def test_law_29_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """medusa#15960: a member's limit compared with what all have used."""
    asking = limits.question
    monkeypatch.setattr(capping, "question", lambda *given: attrs.evolve(asking(*given), contact_ids=None))
    with pytest.raises(AssertionError, match="law 29"):
        law_29(limited("member", "day", "refuse", units=50))


def law_30(never: Programme, unlimited: Programme) -> None:
    assert not decide(never, facts()).awards, "law 30: 0 is never"
    assert decide(unlimited, facts()).awards, "law 30: no limit is no limit"


@pytest.mark.parametrize("what", ["units", "times", "money"])
@pytest.mark.parametrize("per", ["event", "member", "all"])
@pytest.mark.parametrize("over", ["truncate", "refuse"])
def test_law_30_nothing_is_unlimited_and_0_is_never(what: str, per: str, over: str) -> None:
    never = limited(per, "day", over, **{what: "0 GBP" if what == "money" else 0})
    law_30(never, programme(stated(limits=[])))


def test_law_30_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sylius#2077: 0 is taken for none."""
    monkeypatch.setattr(limits.Limit, "is_bounded", property(lambda self: bool(self.units)))
    with pytest.raises(AssertionError, match="law 30"):
        law_30(limited("event", "ever", "refuse", units=0), programme(stated()))


# --- 32, 39, 40: time --------------------


@contextmanager
def machine_in(zone: str) -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
        time.tzset()


INSTANTS = st.datetimes(datetime(2020, 1, 1), datetime(2032, 1, 1), timezones=st.just(UTC))
TIMELY = [
    stated(name="weekend", when='at.weekday in ("saturday", "sunday")'),
    stated(name="late", when="at.hour >= 18 and at.day <= 7"),
    stated(name="lasting", lot={"hold": "1 day", "expires": "end of month"}),
    stated(name="streak", when="streak.days >= 2"),
    stated(name="daily", limits=[{"per": "member", "window": "day", "units": 5}]),
]


def law_32(made: Programme, at: datetime, machine: str, caller: str) -> None:
    history = (at - timedelta(days=1), at - timedelta(days=2))
    here = decide(made, facts(at=at, history=history))
    with machine_in(machine):
        there = decide(made, facts(at=at.astimezone(windows.zone_of(caller)), history=history))
    assert [(a.rule, a.amount, a.lot) for a in here.awards] == [
        (a.rule, a.amount, a.lot) for a in there.awards
    ], "law 32: it matters where the machine stands"


@given(INSTANTS, st.sampled_from(ZONES), st.sampled_from(ZONES), st.sampled_from(ZONES))
def test_law_32_no_zone_but_the_programmes_matters(
    at: datetime, zone: str, machine: str, caller: str
) -> None:
    law_32(programme(*TIMELY, zone=zone), at, machine, caller)


def test_law_32_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """odoo#222428: the machine's own days."""
    monkeypatch.setattr(vocabulary.Vocabulary, "local", lambda self, facts: facts.at.astimezone())
    with pytest.raises(AssertionError, match="law 32"):
        law_32(programme(*TIMELY), datetime(2026, 3, 6, 23, tzinfo=UTC), "Pacific/Apia", "UTC")


def law_39(at: datetime, count: int, unit: str, zone: str) -> None:
    tz = windows.zone_of(zone)
    day, later = at.astimezone(tz).date(), terms.Duration(count, unit).after(at, tz).astimezone(tz)
    months = count * (12 if unit == "year" else 1)
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    # a clock that leaves an hour out moves what falls into it by an hour, never into another month
    reached = (later.year, later.month)
    assert reached == (year, month + 1), f"law 39: {months} months after {day} comes {later.date()}"


@given(INSTANTS, st.integers(1, 40), st.sampled_from(["month", "year"]), st.sampled_from(ZONES))
def test_law_39_a_month_later_is_in_the_next_month(at: datetime, count: int, unit: str, zone: str) -> None:
    law_39(at, count, unit, zone)


def test_law_39_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """31 January and thirty days are 2 March."""
    monkeypatch.setattr(terms, "later_month", lambda day, months: day + timedelta(days=30 * months))
    with pytest.raises(AssertionError, match="law 39"):
        law_39(datetime(2026, 1, 31, 12, tzinfo=UTC), 1, "month", "UTC")


def law_40(at: datetime, window: Window, zone: str) -> None:
    tz = windows.zone_of(zone)
    start, end = window_of(at, window, tz)
    assert start <= at < end, f"law 40: {at} is not in its own {window}"
    assert window_of(start, window, tz) == (start, end), f"law 40: two {window}s hold {start}"
    assert window_of(end - timedelta(microseconds=1), window, tz) == (start, end)
    following, _ = window_of(end, window, tz)
    assert following == end, f"law 40: a gap after {end}"


@given(
    INSTANTS, st.sampled_from([Window.DAY, Window.WEEK, Window.MONTH, Window.YEAR]), st.sampled_from(ZONES)
)
def test_law_40_every_instant_lies_in_exactly_one_window(at: datetime, window: Window, zone: str) -> None:
    law_40(at, window, zone)


CHANGES = [
    datetime(2026, 3, 29, 1, tzinfo=UTC),  # London loses an hour
    datetime(2018, 11, 4, 3, tzinfo=UTC),  # São Paulo loses midnight
    datetime(2006, 10, 29, 2, 31, tzinfo=UTC),  # St John's shows yesterday's last minute twice
    datetime(2011, 12, 30, 10, tzinfo=UTC),  # Apia leaves out a day
]


@pytest.mark.parametrize("at", CHANGES)
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("off", [-3600, -60, -1, 0, 1, 60, 3600])
def test_law_40_holds_where_clocks_change(at: datetime, zone: str, off: int) -> None:
    for window in (Window.DAY, Window.WEEK, Window.MONTH):
        law_40(at + timedelta(seconds=off), window, zone)


def test_law_40_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day taken for 24 hours."""
    broken = lambda at, window, zone: (  # noqa: E731
        start := windows.start_of(at.astimezone(zone).date(), zone),
        start + timedelta(hours=24),
    )
    monkeypatch.setattr(f"{__name__}.window_of", broken)
    with pytest.raises(AssertionError, match="law 40"):
        law_40(datetime(2026, 10, 25, 23, 30, tzinfo=UTC), Window.DAY, "Europe/London")


# --- 51-55, 58-60: prices ----------

PRICES = st.lists(
    st.sampled_from(
        [
            {"percent": 100},
            {"percent": "33.3"},
            {"off": "5.00 GBP"},
            {"off": "0.01 GBP"},
            {"shipping": "free"},
            {"buy": 2, "get": 1},
            {"buy": 1, "get": 1, "percent": 50},
        ]
    ),
    min_size=1,
    max_size=4,
)


def off(*kinds: Mapping[str, Any], **more: Any) -> Programme:
    rules = [stated(name=f"r{n}", then={"price": dict(kind)}, **more) for n, kind in enumerate(kinds)]
    return programme(*rules)


def law_53(made: Programme, about: Facts) -> None:
    left = dict(about.order.shares)
    for award in decide(made, about).awards:
        assert sum(award.lines.values()) == award.amount, "law 54: the lines do not come to the discount"
        for id, part in award.lines.items():
            left[id] -= part
    assert all(share >= 0 for share in left.values()), f"law 53: a line costs less than nothing: {left}"


@given(strategies.orders("GBP"), PRICES)
def test_law_53_54_no_line_costs_less_than_nothing(made: Order, kinds: list[dict[str, Any]]) -> None:
    law_53(off(*kinds), facts(made))


def test_law_53_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """vendure#2385: two discounts, each on the whole price."""
    monkeypatch.setattr(engine, "fitted", lambda awards, facts: awards)
    with pytest.raises(AssertionError, match="law 53"):
        law_53(off({"percent": 80}, {"percent": 80}), facts())


def test_law_54_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """vendure#3003: rounded line by line."""
    apart = lambda amount, weights: {id: amount * w // sum(weights.values()) for id, w in weights.items()}  # noqa: E731
    monkeypatch.setattr(prices, "spread", apart)
    monkeypatch.setattr(fitting, "_taken", lambda award, lines: award)
    with pytest.raises(AssertionError, match="law 54"):
        law_53(off({"percent": "33.3"}), facts(order(goods(101), goods(101), goods(101))))


def law_52(rounding: str, made: Order) -> None:
    whole = programme(stated(then={"price": {"percent": 100, "rounding": rounding}}))
    products = sum(made.base_shares("goods").values())
    assert by_rule(decide(whole, facts(made))).get("r", 0) == products, "law 52: something is left to pay"


@given(ROUNDINGS, strategies.orders("GBP"))
def test_law_52_all_off_is_all_off(rounding: str, made: Order) -> None:
    law_52(rounding, made)


def test_law_52_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """odoo#271032: a hundredth too little."""
    monkeypatch.setattr(
        prices, "_part", lambda minor, percent, rounding: int(minor * float(percent) / 100 * 0.999)
    )
    with pytest.raises(AssertionError, match="law 52"):
        law_52("floor", order(goods(1000)))


def test_law_51_half_a_coupon_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """odoo#136982. kills: a coupon that a budget cuts instead of refusing it."""
    then, limit = {"coupon": "TEN", "cost": "1.00 GBP"}, [{"per": "event", "money": "0.60 GBP"}]
    made = programme(stated(then=then, limits=limit))
    (refusal,) = decide(made, facts()).refusals
    assert "at most 0.60 GBP" in refusal.reason
    monkeypatch.setattr(capping, "_WHOLE", ())
    assert not decide(made, facts()).awards  # nothing of one is left after rounding down


def law_55(made: Programme, about: Facts) -> None:
    first = decide(made, about)
    assert decide(made, about) == decide(made, attrs.evolve(about)) == first, (
        "law 55: asked again, it says otherwise"
    )


@given(strategies.orders("GBP"))
def test_law_55_58_asked_again_it_says_the_same(made: Order) -> None:
    law_55(every_kind(), facts(made))


def test_law_55_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """lunar#1149: what was computed before is computed upon."""
    shares = prices.PriceOff._weights
    seen: list[int] = []

    def upon(self: Any, basket: Any) -> dict[str, int]:
        seen.append(1)
        return {id: share // len(seen) for id, share in shares(self, basket).items()}

    monkeypatch.setattr(prices.PriceOff, "_weights", upon)
    with pytest.raises(AssertionError, match="law 55"):
        law_55(off({"percent": 10}), facts())


def law_59(made: Programme, about: Facts) -> None:
    held = all(rule.explain(about) for rule in made.rules)
    granted = decide(made, about).awards
    assert held or not granted, "law 59: the condition is false, and the effect stays"


@given(strategies.orders("GBP"), st.integers(0, 2000))
def test_law_59_without_the_condition_there_is_no_effect(made: Order, pounds: int) -> None:
    law_59(off({"percent": 10}, when=f"order.goods >= {pounds}"), facts(made))


def test_law_59_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """magento2#5332."""
    monkeypatch.setattr(DeclaredRule, "_predicate", None)
    with pytest.raises(AssertionError, match="law 59"):
        law_59(off({"percent": 10}, when="order.goods >= 2000"), facts())


def law_60(buy: int, get: int, lines: Sequence[OrderLine]) -> None:
    made = order(*lines)
    awards = decide(off({"buy": buy, "get": get}), facts(made)).awards
    pieces = sorted(
        part
        for line in made.lines
        for part in [
            line.total.minor // line.quantity + (n < line.total.minor % line.quantity)
            for n in range(line.quantity)
        ]
        if line.total.minor
    )
    free = get * (len(pieces) // (buy + get))
    taken = sum(award.amount for award in awards)
    assert taken == sum(pieces[:free]), f"law 60: {taken} off for {free} free of {pieces}"


LINES = st.lists(st.builds(goods, st.integers(0, 900), st.integers(1, 5)), min_size=1, max_size=4)


@given(st.integers(1, 4), st.integers(1, 3), LINES)
def test_law_60_of_every_few_pieces_the_cheapest_are_free(buy: int, get: int, lines: list[OrderLine]) -> None:
    law_60(buy, get, lines)


def test_law_60_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """medusa#13265: what set it off counts once more."""
    seen = prices.BuyGet._found
    monkeypatch.setattr(
        prices.BuyGet, "_found", lambda self, basket: seen(attrs.evolve(self, buy=self.buy - 1), basket)
    )
    with pytest.raises(AssertionError, match="law 60"):
        law_60(2, 1, [goods(900, 4)])


# --- 56, 57, 61, 62: stacking ----------

SIZES = st.lists(
    st.tuples(st.integers(1, 30), st.integers(-1, 2), st.sampled_from("abc")), min_size=1, max_size=5
)


def stacked(key: str, sizes: Sequence[tuple[int, int, str]], lane: str = "") -> Programme:
    rules = [
        stated(name=f"r{n}", then={"points": size}, priority=priority, lane=lane, **{key: group})
        for n, (size, priority, group) in enumerate(sizes)
    ]
    return programme(*rules)


def law_56(rules: Sequence[Mapping[str, Any]], mixed: Sequence[Mapping[str, Any]]) -> None:
    one, other = Programme.of(_whole(rules)), Programme.of(_whole(mixed))
    assert one.digest == other.digest and one == other
    assert decide(one, facts()).awards == decide(other, facts()).awards, "law 56: it matters which came first"


def _whole(rules: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"programme": {"name": "p", "version": 1, "currency": "GBP"}, "rule": list(rules)}


@given(SIZES, st.sampled_from(["group", "best_of"]), st.randoms(use_true_random=False))
def test_law_56_the_order_of_the_file_does_not_matter(
    sizes: list[tuple[int, int, str]], key: str, mix: Any
) -> None:
    rules = list(stacked(key, sizes).content["rule"])
    law_56(rules, mix.sample(rules, len(rules)))


def test_law_56_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """shopware#1251: rules in the order in which they were written down."""
    rules = list(stacked("group", [(1, 0, "a"), (2, 0, "a")]).content["rule"])
    by_name = sorted

    def as_given(names: Any, **how: Any) -> list[Any]:
        return list(names) if isinstance(names, dict) else by_name(names, **how)

    monkeypatch.setitem(vars(__import__("crmkit.programmes.programme", fromlist=["x"])), "sorted", as_given)
    with pytest.raises(AssertionError, match="law 56"):
        law_56(rules, rules[::-1])


def law_57(made: Programme) -> None:
    granted = by_rule(decide(made, facts()))
    groups: dict[str, list[DeclaredRule]] = {}
    for rule in made.rules:
        groups.setdefault(rule.group, []).append(rule)
    for name, members in groups.items():
        won = [rule for rule in members if rule.name in granted]
        assert len(won) == 1, f"law 57: {len(won)} of the group {name!r}"
        first = min(members, key=lambda rule: (-rule.priority, rule.name))
        assert won[0] is first, f"law 57: {won[0].name} before {first.name}"


@given(SIZES)
def test_law_57_of_a_group_the_first_alone(sizes: list[tuple[int, int, str]]) -> None:
    law_57(stacked("group", sizes))


def test_law_57_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """oscar#3162."""
    monkeypatch.setattr(stacking, "_first_of_groups", lambda entrants: (list(entrants), []))
    with pytest.raises(AssertionError, match="law 57"):
        law_57(stacked("group", [(1, 0, "a"), (2, 0, "a")]))


def test_law_57_lanes_add_up() -> None:
    """kills: groups that reach over lanes. What is in no group is granted beside all others."""
    rules = [
        stated(name="one", group="g", lane="a"),
        stated(name="two", group="g", lane="b"),
        stated(name="alone"),
    ]
    assert by_rule(decide(programme(*rules), facts())) == {"one": 10, "two": 10, "alone": 10}


def law_61(rules: Sequence[Mapping[str, Any]], edited: Mapping[str, Any]) -> None:
    before = by_rule(decide(Programme.of(_whole([*rules, stated(name="a")])), facts()))
    after = by_rule(decide(Programme.of(_whole([*rules, edited])), facts()))
    del before["a"]
    after.pop("a", None)
    assert before == after, "law 61: another rule gives something else"


@given(SIZES, st.integers(0, 99), st.integers(-3, 3))
def test_law_61_to_edit_a_rule_changes_no_other(
    sizes: list[tuple[int, int, str]], amount: int, priority: int
) -> None:
    rules = stacked("group", sizes, lane="mine").content["rule"]
    law_61(rules, stated(name="a", then={"points": amount}, priority=priority, group="a", lane="other"))


def test_law_61_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """django-oscar-api#309; here because groups reach over lanes."""
    grouped = stacking._first_of_groups

    def over_lanes(entrants: Sequence[stacking.Entrant]) -> Any:
        return grouped([attrs.evolve(e, standing=attrs.evolve(e.standing, lane="")) for e in entrants])

    monkeypatch.setattr(stacking, "_first_of_groups", over_lanes)
    edited = stated(name="a", then={"points": 5}, priority=1, group="g", lane="other")
    with pytest.raises(AssertionError, match="law 61"):
        law_61([stated(name="b", group="g", lane="mine")], edited)


def law_62(made: Programme) -> None:
    granted = by_rule(decide(made, facts()))
    for name in {rule.best_of for rule in made.rules}:
        sizes = {rule.name: rule.effect.amount(None) or 0 for rule in made.rules if rule.best_of == name}
        won = [granted[rule] for rule in sizes if rule in granted]
        assert won == [max(sizes.values())], f"law 62: {won} of {sizes}"


@given(SIZES)
def test_law_62_the_best_of_several_is_the_largest(sizes: list[tuple[int, int, str]]) -> None:
    law_62(stacked("best_of", sizes))


def test_law_62_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first instead of the best."""
    monkeypatch.setattr(stacking.Entrant, "size", property(lambda self: 0))
    with pytest.raises(AssertionError, match="law 62"):
        law_62(stacked("best_of", [(1, 0, "a"), (2, 0, "a")]))


def test_law_62_what_a_limit_leaves_is_compared() -> None:
    """kills: the best chosen before its limit cuts it below the next."""
    cut = stated(name="a", then={"points": 100}, best_of="x", limits=[{"per": "event", "units": 5}])
    assert by_rule(decide(programme(cut, stated(name="b", best_of="x")), facts())) == {"b": 10}


# --- 12, 17-20: what counts ----------


def test_law_12_another_currency_has_no_rate() -> None:
    """woocommerce-payments#2848. kills: a rate that counts minor units of whatever currency."""
    euros = Order("k", (OrderLine("sku", 1, Money(10_000, "EUR")),), placed_at=AT)
    decision = decide(programme(stated(then={"rate": "1"}, when="order.goods.EUR > 0")), facts(euros))
    assert [one.reason for one in decision.refusals] == [
        "order.currency is EUR, which has no rate; rates are for GBP"
    ]


def law_20(made: Programme, free: OrderLine) -> None:
    bare, with_gift = decide(made, facts(order(goods(500)))), decide(made, facts(order(goods(500), free)))
    assert by_rule(bare) == by_rule(with_gift), "law 20: a free product earns something"


@pytest.mark.parametrize(
    "when", ["order.quantity >= 2", '"tea" in order.categories', '"sku" not in order.skus', "order.lines > 1"]
)
def test_law_20_what_costs_nothing_sets_nothing_off(when: str) -> None:
    law_20(programme(stated(when=when)), goods(0, category="tea"))


def test_law_20_is_seen_to_fail() -> None:
    """odoo#150833; whoever wants it says so: `free_lines = "count"`."""
    with pytest.raises(AssertionError, match="law 20"):
        law_20(programme(stated(when="order.quantity >= 2"), free_lines="count"), goods(0))


@given(strategies.orders("GBP"), st.randoms(use_true_random=False))
def test_law_18_the_order_of_lines_does_not_matter(made: Order, mix: Any) -> None:
    """kills: shares spread by place (medusa#13431); `test_rewards` shows how that breaks."""
    mixed = attrs.evolve(made, lines=tuple(mix.sample(made.lines, len(made.lines))))
    assert by_rule(decide(every_kind(), facts(made))) == by_rule(decide(every_kind(), facts(mixed)))


def law_17(made: Programme, basket: Order, extra: OrderLine) -> None:
    more = attrs.evolve(basket, lines=(*basket.lines, extra))
    assert by_rule(decide(made, facts(basket))) == by_rule(decide(made, facts(more))), (
        "law 17: it is outside the base"
    )


OUTSIDE = st.sampled_from(["shipping", "fee", "gift_card"])


@given(strategies.orders("GBP"), OUTSIDE, st.integers(0, 9000), st.sampled_from(["goods", "net"]))
def test_law_17_what_is_outside_the_base_does_not_count(
    made: Order, kind: str, minor: int, base: str
) -> None:
    law_17(
        by_rate(Fraction(7, 3), base, "floor"),
        made,
        OrderLine("x", 1, Money(minor, "GBP"), kind=kind, id="extra"),
    )


def test_law_17_is_seen_to_fail() -> None:
    """nopCommerce#1917; whoever wants it says so: `base = "total"`."""
    post = OrderLine("post", 1, Money(499, "GBP"), kind="shipping", id="extra")  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="law 17"):
        law_17(by_rate(Fraction(1), "total", "floor"), order(), post)


def law_19(made: Programme, quantity: int, price: int) -> None:
    together = order(goods(quantity * price, quantity, "tea"))
    apart = order(*(goods(price, 1, "tea") for _ in range(quantity)))
    assert by_rule(decide(made, facts(together))) == by_rule(decide(made, facts(apart))), "law 19: split"


@given(st.integers(1, 9), st.integers(1, 2000))
def test_law_19_a_line_of_two_is_two_lines_of_one(quantity: int, price: int) -> None:
    rules = [keys for keys in KINDS if "line.total" not in str(keys)]
    for number, keys in enumerate(rules):
        law_19(programme(stated(name=f"r{number}", **keys)), quantity, price)


def test_law_19_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """medusa#14432: lines are counted instead of pieces."""
    seen = prices.BuyGet._found

    def lines_alone(self: Any, basket: Any) -> Any:
        return seen(self, basket) if len(basket.goods) >= self.buy + self.get else []

    monkeypatch.setattr(prices.BuyGet, "_found", lines_alone)
    with pytest.raises(AssertionError, match="law 19"):
        law_19(off({"buy": 2, "get": 1}), 3, 100)


class TestByRate(RewardRuleSuite):
    """Laws 14 to 17 of the suite, of a rule that is declared."""

    rule = by_rate(Fraction(3, 2), "goods", "floor", when="order.goods > 0").rules[0]
    claims: ClassVar[Mapping[str, Any]] = {"base": "goods", "monotone": True, "scale": True}
    facts = strategies.facts(currency="GBP")


class TestThreshold(RewardRuleSuite):
    """A rule with a threshold over lines of one category."""

    rule = programme(
        stated(of='line.category == "tea"', when="order.net >= 12", then={"rate": 2, "base": "net"})
    ).rules[0]
    claims: ClassVar[Mapping[str, Any]] = {"base": "net"}
    facts = strategies.facts(currency="GBP")


# --- 22: which order it is ----------


@given(st.integers(0, 9), st.integers(1, 9))
def test_law_22_the_number_of_an_order_is_one_more_than_those_before(earlier: int, nth: int) -> None:
    """kills: an order that counts itself."""
    made = programme(stated(when=f"order.number == {nth}"))
    assert made.rules[0].reads == ("orders.count",)
    granted = by_rule(decide(made, facts(counters={"orders.count": earlier})))
    assert bool(granted) is (earlier + 1 == nth)


# --- 79, 78: names and types ----------

WRONG = [
    ("order.good >= 20", "did you mean order.goods"),
    ('order.goods >= "20"', "decimal"),
    ("member.points > 3", '[fields] "member.points" = "integer"'),
    ("order.quantity", "must be true or false"),
    ('at.weekday == "saturdy"', "'saturdy' is no weekday"),
]


@pytest.mark.parametrize("when, words", WRONG)
def test_law_79_what_cannot_be_meant_is_refused_when_it_is_read(when: str, words: str) -> None:
    """kills: names that are looked up when the order comes, and are missing then (zen, JSONLogic)."""
    with pytest.raises(ProgrammeError) as refused:
        programme(stated(when=when))
    assert words in str(refused.value) and "rule 'r'" in str(refused.value)


ANYTHING = st.one_of(st.none(), st.integers(), st.text(max_size=3), st.floats(), st.just([]), st.booleans())


@given(ANYTHING, ANYTHING)
def test_law_78_whatever_an_event_holds_is_answered(score: object, tier: object) -> None:
    """kills: a comparison of what cannot be compared that raises."""
    data = _whole([stated(on="survey.done", when='event.score >= 9 or member.tier == "gold"')])
    made = Programme.of(data | {"fields": {"event": {"score": "integer"}, "member.tier": "text"}})
    about = Facts(
        trigger="survey.done", at=AT, contact=WHO, payload={"score": score}, fields={"member.tier": tier}
    )
    decision = decide(made, about)
    wanted = (type(score) is int and 9 <= score < 2**63) or tier == "gold"
    assert bool(decision.awards) is wanted and not decision.failures


@given(strategies.orders("GBP"))
def test_without_explanations_the_awards_are_the_same(made: Order) -> None:
    """kills: a short cut that grants something else, or that tells refusals."""
    explained, quick = decide(every_kind(), facts(made)), decide(every_kind(), facts(made), explained=False)
    assert quick.awards == explained.awards and quick.refusals == ()


def test_effects_other_than_points_say_what_they_are() -> None:
    found = {(a.effect, a.item, a.unit, a.amount) for a in decide(every_kind(), facts()).awards}
    assert {
        (Effect.COUPON, "TEN", "coupons", 1),
        (Effect.GIFT_CARD, "", "GBP", 500),
        (Effect.FREE_PRODUCT, "TEA", "pieces", 2),
        (Effect.PRICE, "", "GBP", 125),
    } <= found
