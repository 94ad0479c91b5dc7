"""How rules are decided, attacked: caps, limits, vetoes, stacking, prices, and the arithmetic of orders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import attrs
from hypothesis import strategies as st

from crmkit.contacts import Contact
from crmkit.money import Money
from crmkit.orders import Base, LineKind, Order, OrderLine
from crmkit.rewards import Award, Decision, Effect, Facts, Limit, Over, Owned, Per, Window, evaluate
from crmkit.testing.attacks import for_all
from crmkit.testing.catalogue import loyalty_law
from crmkit.testing.clock import START
from crmkit.testing.rewards.attack import by_unit
from crmkit.testing.rewards.remembering import Remembering
from crmkit.testing.strategies.orders import orders

PEOPLE = tuple(Contact(id=UUID(int=number)) for number in (1, 2))
_ASKED = st.integers(1, 60)
_BOUND = st.integers(0, 100)
#: Until the next happening: at once, in the hour, the next day, week, month, year.
_HOURS = st.sampled_from((0, 1, 24, 24 * 7, 24 * 31, 24 * 366))
_WHO = st.integers(0, len(PEOPLE) - 1)
_SPANS: Mapping[Window, Callable[[datetime], Any]] = {
    Window.DAY: lambda at: at.date(),
    Window.WEEK: lambda at: at.isocalendar()[:2],
    Window.MONTH: lambda at: (at.year, at.month),
    Window.YEAR: lambda at: at.year,
    Window.EVER: lambda at: None,
}

#: Who asks for how much, one after another.
Asking = Sequence[tuple[int, int]]
_ASKING = st.lists(st.tuples(_WHO, _ASKED), min_size=1, max_size=6)


@attrs.frozen(kw_only=True)
class Asks:
    """A rule that asks for what the payload says."""

    name: str = "asks"
    version: int = 1
    cap: int | None = None
    limits: tuple[Limit, ...] = ()
    lane: str = ""
    priority: int = 0
    group: str = ""
    best_of: str = ""

    def evaluate(self, facts: Facts) -> Iterable[Award]:
        """Return the awards."""
        found: Iterable[Award] = facts.payload.get(self.name, facts.payload.get("asked", ()))
        return found


def happening(
    asked: Iterable[Award], *, who: int = 0, at: datetime = START, order: Order | None = None
) -> Facts:
    """Return facts in which a rule asks for awards."""
    return Facts(
        trigger="order.paid", at=at, contact=PEOPLE[who], order=order, payload={"asked": tuple(asked)}
    )


def decided(rules: Iterable[Asks], facts: Facts, *vetoes: Any) -> Decision:
    """Return what the engine decides."""
    owned = [Owned[Any](owner="kit", value=rule) for rule in rules]
    return evaluate(owned, facts, [Owned[Any](owner="kit", value=veto) for veto in vetoes])


@for_all(st.lists(st.tuples(_ASKED, st.sampled_from(["points", "stars"])), max_size=5), _BOUND)
def caps_hold(asked: Sequence[tuple[int, str]], cap: int) -> None:
    """Law 24 for one event: of each unit at most the cap, and no less than may be."""
    awards = [Award(amount=amount, unit=unit) for amount, unit in asked]
    granted = by_unit(decided([Asks(cap=cap)], happening(awards)).awards)
    for unit, wanted in by_unit(awards).items():
        found = granted.get(unit, 0)
        loyalty_law(24).check(f"{unit} with a cap of {cap} for {wanted}", found, min(cap, wanted))


@for_all(st.lists(_ASKED, min_size=1, max_size=5), _BOUND, st.integers(0, 4))
def refusals_use_nothing_up(asked: Sequence[int], cap: int, refused: int) -> None:
    """Law 26: what is vetoed leaves as much of the cap as if it had not been asked for."""
    awards = [Award(amount=amount, inputs={"n": n}) for n, amount in enumerate(asked)]
    rest = [award for award in awards if award.inputs["n"] != refused]
    vetoed = decided(
        [Asks(cap=cap)],
        happening(awards),
        lambda award, facts: "not this one" if award.inputs["n"] == refused else None,
    )
    expected = [award.amount for award in decided([Asks(cap=cap)], happening(rest)).awards]
    loyalty_law(26).check("what is left of the cap", [award.amount for award in vetoed.awards], expected)


@for_all(_ASKED, st.sampled_from([None, 0]), st.sampled_from(Per))
def none_is_no_limit_and_zero_is_never(asked: int, bound: int | None, per: Per) -> None:
    """Law 30."""
    memory = Remembering(Asks(limits=(Limit(per=per, units=bound),)))
    granted = by_unit(memory.decide(happening([Award(amount=asked)])))
    expected = {} if bound == 0 else {"points": asked}
    loyalty_law(30).check(f"a limit of {bound} {per}", granted, expected)


@for_all(
    st.sampled_from([Per.MEMBER, Per.ALL]),
    st.sampled_from(Window),
    st.sampled_from(Over),
    _BOUND,
    st.lists(st.tuples(_HOURS, _WHO, _ASKED), min_size=1, max_size=6),
)
def limits_hold_in_each_window(
    per: Per, window: Window, over: Over, bound: int, asking: Sequence[tuple[int, int, int]]
) -> None:
    """Law 24 over time: what is left of the window's limit is granted, in part or not at all, and no more."""
    memory = Remembering(Asks(limits=(Limit(per=per, window=window, units=bound, over=over),)))
    used: Counter[Any] = Counter()
    at = START
    for hours, who, asked in asking:
        at += timedelta(hours=hours)
        span = who if per is Per.MEMBER else None, _SPANS[window](at)
        left = bound - used[span]
        expected = asked if asked <= left else left if over is Over.TRUNCATE else 0
        granted = sum(by_unit(memory.decide(happening([Award(amount=asked)], who=who, at=at))).values())
        loyalty_law(24).check(f"{asked} for member {who} at {at}, {left} left", granted, expected)
        used[span] += granted


@for_all(_BOUND, _ASKING)
def members_have_limits_of_their_own(bound: int, asking: Asking) -> None:
    """Law 29: what one member used is nothing to the limit of another."""
    rule = Asks(limits=(Limit(per=Per.MEMBER, window=Window.DAY, units=bound),))
    together, apart = Remembering(rule), [Remembering(rule) for _ in PEOPLE]
    for who, asked in asking:
        facts = happening([Award(amount=asked)], who=who)
        granted, alone = by_unit(together.decide(facts)), by_unit(apart[who].decide(facts))
        loyalty_law(29).check(f"{asked} for member {who} with a limit of {bound}", granted, alone)


@for_all(_BOUND, st.sampled_from(Over), st.lists(st.tuples(_ASKED, _ASKED), min_size=1, max_size=6))
def budgets_are_never_overdrawn(bound: int, over: Over, asked: Sequence[tuple[int, int]]) -> None:
    """Law 28: the costs of all that was granted stay within the budget."""
    budget = Limit(per=Per.ALL, money=Money(bound, "EUR"), over=over)
    memory, spent = Remembering(Asks(limits=(budget,))), 0
    for amount, cost in asked:
        awards = memory.decide(happening([Award(amount=amount, cost=Money(cost, "EUR"))]))
        spent += sum(award.cost.minor for award in awards if award.cost)
        loyalty_law(28).check(f"that {spent} cents stay within the budget of {bound}", spent <= bound, True)


@for_all(
    st.lists(st.tuples(st.sampled_from(["", "a", "b"]), st.integers(0, 2), _ASKED), min_size=1, max_size=5)
)
def a_group_grants_once(rules: Sequence[tuple[str, int, int]]) -> None:
    """Law 57: of a group the rule that goes first, and of the others all."""
    made = [
        Asks(name=f"r{n}", group=group, priority=priority) for n, (group, priority, _) in enumerate(rules)
    ]
    payload = {f"r{n}": (Award(amount=amount),) for n, (_, _, amount) in enumerate(rules)}
    found = decided(made, attrs.evolve(happening(()), payload=payload)).awards
    first: dict[str, str] = {}
    for rule in sorted(made, key=lambda rule: -rule.priority):
        first.setdefault(rule.group or rule.name, rule.name)
    names = sorted(award.rule.partition("@")[0] for award in found)
    loyalty_law(57).check("which rules grant", names, sorted(first.values()))


@for_all(st.lists(_ASKED, min_size=1, max_size=5))
def the_best_of_several_is_granted(amounts: Sequence[int]) -> None:
    """Law 62."""
    made = [Asks(name=f"r{n}", best_of="one") for n, _ in enumerate(amounts)]
    payload = {f"r{n}": (Award(amount=amount),) for n, amount in enumerate(amounts)}
    found = decided(made, attrs.evolve(happening(()), payload=payload)).awards
    loyalty_law(62).check("the best", [award.amount for award in found], [max(amounts)])


@for_all(orders("EUR", most=3), st.lists(st.integers(1, 50_000), min_size=1, max_size=4))
def prices_leave_no_line_below_zero(order: Order, off: Sequence[int]) -> None:
    """Law 53: what is taken off an order comes to no more than it costs, line by line."""
    awards = [Award(amount=amount, unit="EUR", effect=Effect.PRICE) for amount in off]
    taken: Counter[str] = Counter()
    for award in decided([Asks()], happening(awards, order=order)).awards:
        taken.update(award.lines)
        loyalty_law(53).check("the lines of a price and its amount", sum(award.lines.values()), award.amount)
    below = {id: part for id, part in taken.items() if part > order.shares.get(id, 0)}
    loyalty_law(53).check("lines below nothing", below, {})


@st.composite
def discounted(draw: st.DrawFn) -> Order:
    """Draw an order with a discount that seldom goes up evenly over its lines."""
    prices = draw(
        st.lists(st.tuples(st.sampled_from([1, 2, 100]), st.integers(0, 2)), min_size=2, max_size=4)
    )
    lines = [
        OrderLine("TEA", 1, Money(price, "EUR"), tax=Money(price * halves // 2, "EUR"), id=f"line {n}")
        for n, (price, halves) in enumerate(prices)
    ]
    off = draw(st.integers(1, sum(price for price, _ in prices)))
    lines.append(OrderLine("OFF", 1, Money(-off, "EUR"), kind=LineKind.DISCOUNT, id="off"))
    return Order("A1", lines, placed_at=START)


@st.composite
def mixed(draw: st.DrawFn) -> tuple[Order, Order]:
    """Draw an order, and the same with its lines in another order."""
    order = draw(discounted())
    return order, attrs.evolve(order, lines=draw(st.permutations(order.lines)))


@for_all(mixed(), st.sampled_from(Base))
def lines_stand_in_any_order(orders: tuple[Order, Order], base: Base) -> None:
    """Law 18: the base of an order is the same however its lines stand."""
    named = ", ".join(line.id for line in orders[1].lines)
    loyalty_law(18).check(f"the base {base} of {named}", orders[1].amount(base), orders[0].amount(base))


@for_all(discounted())
def discounts_come_to_their_lines(order: Order) -> None:
    """Law 54: what the lines pay, the discount spread over them, comes to the lines and the discount."""
    told = sum(line.total.minor for line in order.lines)
    loyalty_law(54).check("what the lines pay", sum(order.shares.values()), told)
