"""The laws of rules: purity, bases, caps, vetoes; each is seen to fail by a rule or an engine that breaks it.

The numbers are those of the laws of loyalty: 14, 17-19 (earning), 24, 26, 30 (caps), and that refusals name
their reason (74) and failures hurt nobody.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Context, localcontext
from fractions import Fraction
from itertools import count
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import crmkit.orders as core_orders
import crmkit_loyalty.rules as loyalty_rules
from crmkit import (
    Award,
    Base,
    Contact,
    Decision,
    Facts,
    LineKind,
    Money,
    Order,
    OrderLine,
    Owned,
    RewardRule,
    evaluate,
)
from crmkit.rewards import engine
from crmkit_loyalty import PointsPerUnit

AT = datetime(2026, 3, 1, tzinfo=UTC)
WHO = Contact(id=UUID(int=7), name="Ann")
BASES = st.sampled_from(Base)
OUTSIDE = (LineKind.SHIPPING, LineKind.FEE, LineKind.GIFT_CARD)


@st.composite
def lines_of(draw: st.DrawFn) -> list[OrderLine]:
    """Return products with tax, and perhaps a discount; each line has its own id."""
    prices = st.one_of(st.integers(0, 2000), st.sampled_from([1, 50, 100]))
    products = draw(st.lists(st.tuples(st.integers(1, 4), prices, st.integers(0, 9)), min_size=1, max_size=5))
    lines = [
        OrderLine("sku", quantity, Money(price, "GBP"), tax=Money(price * tenths // 50, "GBP"), id=f"p{n}")
        for n, (quantity, price, tenths) in enumerate(products)
    ]
    worth = sum(line.total.minor for line in lines)
    if worth and draw(st.booleans()):
        off = Money(-draw(st.one_of(st.just(1), st.integers(1, worth))), "GBP")
        lines.append(OrderLine("off", 1, off, kind=LineKind.DISCOUNT, id="off"))
    return lines


def facts(lines: Sequence[OrderLine], **counters: int) -> Facts:
    order = Order("k", tuple(lines), placed_at=AT)
    return Facts(trigger="order.paid", at=AT, order=order, contact=WHO, counters=counters)


def decide(*rules: Any, lines: Sequence[OrderLine], vetoes: Sequence[Any] = ()) -> Decision:
    owned = [Owned[RewardRule](owner="test", value=rule) for rule in rules]
    return evaluate(owned, facts(lines), [Owned(owner="guard", value=veto) for veto in vetoes])


def amount(rule: Any, lines: Sequence[OrderLine]) -> int:
    return sum(award.amount for award in decide(rule, lines=lines).awards)


@attrs.define
class Answers:
    """A rule that answers what it is told to."""

    answers: Any
    cap: int | None = None
    name: str = "answers"
    version: int = 3

    def evaluate(self, facts: Facts) -> Any:
        if isinstance(self.answers, BaseException):
            raise self.answers
        return self.answers() if callable(self.answers) else self.answers


GOODS = [OrderLine("sku", 1, Money(1000, "GBP"))]


# --- 14: purity ----------------------------------------------------------------------------------------------------


def law_14(rule: Any, lines: Sequence[OrderLine]) -> None:
    known = facts(lines)
    before = repr(known)
    first, second = rule.evaluate(known), rule.evaluate(known)
    with localcontext(Context(prec=3)):
        third = rule.evaluate(known)
    assert first == second == third, "law 14: the same facts give the same answer"
    assert repr(known) == before, "law 14: the facts are left alone"


@given(lines_of(), BASES)
def test_law_14_the_rule_is_pure(lines: list[OrderLine], base: Base) -> None:
    law_14(PointsPerUnit(rate=Fraction(7, 3), base=base), lines)


def test_law_14_is_seen_to_fail() -> None:
    numbers = count(1)
    with pytest.raises(AssertionError, match="law 14"):
        law_14(Answers(lambda: Award(amount=next(numbers))), GOODS)


def test_law_14_the_facts_cannot_be_changed() -> None:
    known = facts(GOODS, **{"orders.count": 1})
    with pytest.raises(TypeError):
        known.counters["orders.count"] = 2  # type: ignore[index]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        known.at = AT + timedelta(days=1)  # type: ignore[misc]


# --- 17-19: what counts ---------------------------------------------------------------------------------------------


def law_17(rule: Any, lines: Sequence[OrderLine], more: Sequence[OrderLine]) -> None:
    assert amount(rule, [*lines, *more]) == amount(rule, lines), (
        "law 17: lines outside the base count for nothing"
    )


@st.composite
def outside(draw: st.DrawFn) -> list[OrderLine]:
    kinds = draw(st.lists(st.tuples(st.sampled_from(OUTSIDE), st.integers(0, 5000)), min_size=1, max_size=3))
    return [
        OrderLine(kind, 1, Money(price, "GBP"), tax=Money(price // 6, "GBP"), kind=kind, id=f"o{n}")
        for n, (kind, price) in enumerate(kinds)
    ]


@given(lines_of(), outside(), st.sampled_from([Base.GOODS, Base.NET]))
def test_law_17_shipping_fees_and_gift_cards_earn_nothing(
    lines: list[OrderLine], more: list[OrderLine], base: Base
) -> None:
    law_17(PointsPerUnit(rate=Fraction(7, 3), base=base), lines, more)


@given(lines_of())
def test_law_17_tax_earns_nothing_on_net(lines: list[OrderLine]) -> None:
    untaxed = [
        attrs.evolve(line, total=line.total - line.tax, tax=None) if line.tax else line
        for line in lines
        if line.kind is LineKind.PRODUCT
    ]
    products = [line for line in lines if line.kind is LineKind.PRODUCT]
    rule = PointsPerUnit(rate=Fraction(10), base=Base.NET)
    assert amount(rule, untaxed) == amount(rule, products)


def test_law_17_is_seen_to_fail() -> None:
    """nopCommerce#1917, RepairDesk#1050."""
    post = OrderLine("post", 1, Money(499, "GBP"), kind=LineKind.SHIPPING, id="post")
    with pytest.raises(AssertionError, match="law 17"):
        law_17(PointsPerUnit(base=Base.TOTAL), GOODS, [post])


def law_18(rule: Any, lines: Sequence[OrderLine], mixed: Sequence[OrderLine]) -> None:
    assert amount(rule, mixed) == amount(rule, lines), "law 18: the order of lines does not matter"


@given(lines_of(), BASES, st.randoms(use_true_random=False))
def test_law_18_lines_may_stand_in_any_order(
    lines: list[OrderLine], base: Base, order: random.Random
) -> None:
    law_18(PointsPerUnit(rate=Fraction(100), base=base), lines, order.sample(lines, len(lines)))


def test_law_18_is_seen_to_fail() -> None:
    """medusa#13431."""

    @attrs.define
    class First(Answers):
        def evaluate(self, facts: Facts) -> Any:
            return Award(amount=facts.order.lines[0].total.minor)

    lines = [OrderLine("sku", 1, Money(n, "GBP"), id=str(n)) for n in (1, 2, 3)]
    with pytest.raises(AssertionError, match="law 18"):
        law_18(First(None), lines, lines[::-1])


def test_law_18_holds_where_a_discount_has_a_penny_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of two lines of one price gets it is decided by what they are; by where they stand breaks the law."""
    taxed = OrderLine("a", 1, Money(100, "GBP"), tax=Money(20, "GBP"), id="a")
    lines = [taxed, OrderLine("b", 1, Money(100, "GBP"), id="b")]
    off = OrderLine("off", 1, Money(-1, "GBP"), kind=LineKind.DISCOUNT, id="off")
    net = [Order("k", (*found, off), placed_at=AT).amount(Base.NET) for found in (lines, lines[::-1])]
    assert net[0] == net[1]
    monkeypatch.setattr(core_orders, "_content", lambda line: 0)
    net = [Order("k", (*found, off), placed_at=AT).amount(Base.NET) for found in (lines, lines[::-1])]
    assert net[0] != net[1]


def law_19(rule: Any, quantity: int, price: int) -> None:
    together = [OrderLine("sku", quantity, Money(quantity * price, "GBP"))]
    apart = [OrderLine("sku", 1, Money(price, "GBP"), id=str(n)) for n in range(quantity)]
    assert amount(rule, together) == amount(rule, apart), "law 19: a line of two is two lines of one"


@given(st.integers(1, 9), st.integers(0, 2000), BASES)
def test_law_19_a_line_of_two_is_two_lines_of_one(quantity: int, price: int, base: Base) -> None:
    law_19(PointsPerUnit(rate=Fraction(7, 3), base=base), quantity, price)


def test_law_19_is_seen_to_fail() -> None:
    """medusa#14432: rounded line by line."""

    @attrs.define
    class ByLine(Answers):
        def evaluate(self, facts: Facts) -> Any:
            return Award(amount=sum(line.total.minor // 100 for line in facts.order.lines))

    with pytest.raises(AssertionError, match="law 19"):
        law_19(ByLine(None), 2, 50)


# --- 24, 26, 30: caps and vetoes --------------------------------------------------------------------------------------

AMOUNTS = st.lists(st.tuples(st.integers(0, 50), st.sampled_from(["points", "stars"])), max_size=5)
CAPS = st.one_of(st.none(), st.integers(0, 60))


def awards_of(amounts: Sequence[tuple[int, str]]) -> list[Award]:
    return [Award(amount=number, unit=unit) for number, unit in amounts]


def by_unit(awards: Sequence[Award]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for award in awards:
        sums[award.unit] = sums.get(award.unit, 0) + award.amount
    return sums


def law_24(asked: Sequence[tuple[int, str]], cap: int | None) -> None:
    decision = decide(Answers(awards_of(asked), cap=cap), lines=GOODS)
    wanted = by_unit(awards_of(asked))
    for unit, number in by_unit(decision.awards).items():
        expected = wanted[unit] if cap is None else min(cap, wanted[unit])
        assert number == expected, f"law 24: {number} {unit} with a cap of {cap}, {wanted[unit]} asked for"
    assert len(decision.awards) + len(decision.refusals) == len(asked)
    assert all(refusal.reason for refusal in decision.refusals)
    cut = [award for award in decision.awards if award.capped_from is not None]
    assert all(award.capped_from > award.amount for award in cut)  # type: ignore[operator]


@given(AMOUNTS, CAPS)
def test_law_24_an_order_earns_at_most_the_cap_of_each_unit(
    asked: list[tuple[int, str]], cap: int | None
) -> None:
    law_24(asked, cap)


def test_law_24_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """vendure#4353: the cap is applied to each award by itself."""
    capped = engine.capped
    monkeypatch.setattr(engine, "capped", lambda answer, rule, granted: capped(answer, rule, {}))
    with pytest.raises(AssertionError, match="law 24"):
        law_24([(40, "points"), (40, "points")], 50)


def law_26(asked: Sequence[tuple[int, str]], cap: int, refused: int) -> None:
    """A vetoed award uses nothing of the cap."""

    def veto(award: Award, facts: Facts) -> str | None:
        return "not this one" if award.inputs["n"] == refused else None

    numbered = [attrs.evolve(award, inputs={"n": n}) for n, award in enumerate(awards_of(asked))]
    with_veto = decide(Answers(numbered, cap=cap), lines=GOODS, vetoes=[veto])
    without = decide(Answers([a for a in numbered if a.inputs["n"] != refused], cap=cap), lines=GOODS)
    assert with_veto.awards == without.awards, "law 26: what has no effect uses nothing up"


@given(AMOUNTS, st.integers(0, 60), st.integers(0, 4))
def test_law_26_a_refused_award_uses_nothing_up(asked: list[tuple[int, str]], cap: int, refused: int) -> None:
    law_26(asked, cap, refused)


def test_law_26_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """vendure#5278: the cap counts what was refused as well."""
    asked: dict[str, int] = {}
    capped = engine.capped

    def greedy(answer: Any, rule: Any, granted: Mapping[str, int]) -> Any:
        found = capped(answer, rule, dict(asked))
        if isinstance(found, Award):
            asked[found.unit] = asked.get(found.unit, 0) + found.amount
        return found

    monkeypatch.setattr(engine, "capped", greedy)
    with pytest.raises(AssertionError, match="law 26"):
        law_26([(40, "points"), (40, "points")], 50, 0)


@given(st.integers(1, 10**6))
def test_law_30_none_is_no_cap_and_0_is_never(asked: int) -> None:
    granted = [decide(Answers(Award(amount=asked), cap=cap), lines=GOODS) for cap in (None, 0)]
    assert [award.amount for award in granted[0].awards] == [asked]
    assert not granted[1].awards
    assert granted[1].refusals[0].reason == "the rule's cap is 0"


@given(lines_of(), st.integers(0, 40))
def test_law_24_points_per_unit_keeps_its_cap(lines: list[OrderLine], cap: int) -> None:
    rule = PointsPerUnit(rate=Fraction(7, 3), cap=cap)
    free = amount(attrs.evolve(rule, cap=None), lines)
    assert amount(rule, lines) == min(free, cap)


# --- refusals and failures --------------------------------------------------------------------------------------------


@given(lines_of())
def test_a_refusal_names_the_values(lines: list[OrderLine]) -> None:
    decision = decide(PointsPerUnit(rate=Fraction(1, 10**6)), lines=lines)
    assert not decision.awards
    goods = facts(lines).order.amount(Base.GOODS)
    assert decision.refusals[0].reason == (
        f"{goods} of goods at 1/1000000 per GBP, rounded to floor comes to 0, less than 1"
    )
    assert (decision.refusals[0].rule, decision.refusals[0].owner) == ("points-per-unit@1", "test")


def test_a_currency_without_a_rate_is_named() -> None:
    decision = decide(PointsPerUnit(rates={"EUR": Fraction(1), "CHF": Fraction(2)}), lines=GOODS)
    assert decision.refusals[0].reason == "currency GBP has no rate; rates are for CHF, EUR"


FAILING = [
    ValueError("oops"),
    SystemExit(1),
    lambda: iter([Award(amount=1), "garbage"]),
    lambda: 1 / 0,
    5,
    "text",
]


@pytest.mark.parametrize("answer", FAILING, ids=repr)
def test_a_failing_rule_grants_nothing_and_hurts_nobody(answer: Any) -> None:
    good = PointsPerUnit()
    decision = decide(Answers(answer), good, lines=GOODS)
    assert [award.rule for award in decision.awards] == ["points-per-unit@1"]
    assert [(failure.owner, failure.rule) for failure in decision.failures] == [("test", "answers@3")]
    assert decision.refusals[0].reason.startswith("the rule failed: ")


def _raising(award: Award, facts: Facts) -> str | None:
    raise LookupError("no idea")


VETOES = {"raises": _raising, "bool": lambda award, facts: False, "int": lambda award, facts: 1}


@pytest.mark.parametrize("veto", VETOES.values(), ids=VETOES)
def test_a_failing_veto_refuses(veto: Callable[[Award, Facts], Any]) -> None:
    decision = decide(PointsPerUnit(), lines=GOODS, vetoes=[veto])
    assert not decision.awards
    assert decision.refusals[0].vetoed == 10
    assert decision.refusals[0].reason.startswith("the veto of guard failed: ")
    assert [failure.owner for failure in decision.failures] == ["guard"]


@given(lines_of(), st.builds(Fraction, st.integers(1, 10**4), st.integers(1, 99)), BASES)
def test_law_74_every_award_can_be_computed_again(lines: list[OrderLine], rate: Fraction, base: Base) -> None:
    for award in decide(PointsPerUnit(rate=rate, base=base, cap=500), lines=lines).awards:
        again = loyalty_rules.RECOMPUTE[award.rule](award.inputs)
        assert again == (award.capped_from or award.amount)
