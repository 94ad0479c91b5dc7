"""Rewards, pure: facts go in, awards come out, and every refusal says why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import attrs

from crmkit.clock import FOREVER
from crmkit.contacts import Contact
from crmkit.errors import ValueRefused
from crmkit.orders import Base, Order
from crmkit.text import clean

T = TypeVar("T")


def _frozen(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(value))


def _unit(value: str) -> str:
    return clean(value, "unit", limit=30, empty=False)


@attrs.frozen(kw_only=True)
class Facts:
    """What a rule may know: frozen values, no connection, no clock.

    Args:
        trigger: what happened, such as "order.paid".
        at: when it happened.
        order: the order as it stands.
        contact: whose order it is.
        counters: named whole numbers that rules declared to read ("orders.count" counts earlier
            paid orders that were neither cancelled nor refunded whole).
    """

    trigger: str
    at: datetime
    order: Order
    contact: Contact
    counters: Mapping[str, int] = attrs.field(factory=dict, converter=_frozen)


#: The counters that a rule may name in `reads`.
COUNTERS = frozenset({"orders.count"})


@attrs.frozen(kw_only=True)
class Lot:
    """When the units of an award may be spent: from `active_from` until before `expires_at`."""

    active_from: datetime | None = None
    expires_at: datetime = FOREVER


def _units(instance: object, attribute: attrs.Attribute[int], value: object) -> None:
    if type(value) is not int or not 0 <= value <= 2**62:
        raise ValueRefused(f"Award.{attribute.name} is {value!r}; it must be a whole number from 0 on")


@attrs.frozen(kw_only=True)
class Award:
    """Units that a rule grants.

    Args:
        amount: how many units.
        unit: what is granted, "points" by default.
        base: the part of the order the amount was computed on; refunds claw back in proportion to it.
        lot: when the units may be spent.
        inputs: the values that decided, plain data, so that the amount can be checked again.
        rule: `name@version`, set by the engine.
        owner: the plugin that brought the rule, set by the engine.
        capped_from: what the rule asked for, if a cap cut it; set by the engine.
    """

    amount: int = attrs.field(validator=_units)
    unit: str = attrs.field(default="points", converter=_unit)
    base: Base = attrs.field(default=Base.GOODS, converter=Base)
    lot: Lot = Lot()
    inputs: Mapping[str, Any] = attrs.field(factory=dict, converter=_frozen)
    rule: str = ""
    owner: str = ""
    capped_from: int | None = None


@attrs.frozen(kw_only=True)
class NoAward:
    """Why a rule granted nothing.

    Args:
        reason: the condition that failed, with its value.
        rule: `name@version`, set by the engine.
        owner: the plugin that brought the rule, or that vetoed; set by the engine.
        vetoed: the amount that was refused by a veto, else None.
    """

    reason: str
    rule: str = ""
    owner: str = ""
    vetoed: int | None = None


@runtime_checkable
class RewardRule(Protocol):
    """A named, versioned, pure function from facts to awards.

    Optional attributes: `triggers` (default `("order.paid",)`), `reads` (counters, default none) and
    `cap` (the most of one unit for one order; None for no cap, 0 for never).
    """

    @property
    def name(self) -> str:
        """The rule's name, unique in one CRM."""
        ...

    @property
    def version(self) -> int:
        """Counts up when the rule's meaning changes; every award carries it."""
        ...

    def evaluate(self, facts: Facts) -> Award | NoAward | Iterable[Award | NoAward]:
        """Return what the facts earn."""
        ...


@attrs.frozen(kw_only=True)
class Owned(Generic[T]):
    """An object with the plugin that brought it.

    Args:
        owner: the plugin's name.
        value: the object itself.
    """

    owner: str
    value: T


@attrs.frozen(kw_only=True)
class RuleFailure:
    """A rule or veto that raised or answered garbage.

    Args:
        owner: the plugin at fault.
        rule: what failed.
        error: the exception.
    """

    owner: str
    rule: str
    error: BaseException = attrs.field(eq=False)


@attrs.frozen(kw_only=True)
class Decision:
    """What a set of rules decided over one set of facts.

    Args:
        awards: granted, in the order of the rules.
        refusals: not granted, each with its reason.
        failures: rules and vetoes that failed; what they touched is not granted.
    """

    awards: tuple[Award, ...] = ()
    refusals: tuple[NoAward, ...] = ()
    failures: tuple[RuleFailure, ...] = ()


#: A veto answers a reason to refuse the award, or None.
Veto = Callable[[Award, Facts], str | None]


def evaluate(
    rules: Sequence[Owned[RewardRule]], facts: Facts, vetoes: Sequence[Owned[Veto]] = ()
) -> Decision:
    """Return what the rules grant for the facts: each rule alone, then its cap, then the vetoes.

    A rule that raises grants nothing and is reported; a veto that raises refuses (fails closed).

    Args:
        rules: owned `RewardRule`s, in order.
        facts: what is known.
        vetoes: owned `Veto`s, in order; the first reason refuses.
    """
    awards: list[Award] = []
    refusals: list[NoAward] = []
    failures: list[RuleFailure] = []
    for owned in rules:
        granted: dict[str, int] = {}
        for answer in _answers(owned, facts, failures):
            decided = _capped(answer, owned.value, granted)
            if isinstance(decided, Award):
                decided = _vetoed(decided, facts, vetoes, failures)
            if isinstance(decided, Award):
                granted[decided.unit] = granted.get(decided.unit, 0) + decided.amount
                awards.append(decided)
            else:
                refusals.append(decided)
    return Decision(awards=tuple(awards), refusals=tuple(refusals), failures=tuple(failures))


def reference(rule: RewardRule) -> str:
    """Return how postings and traces name a rule: `name@version`."""
    return f"{rule.name}@{rule.version}"


def _answers(owned: Owned[RewardRule], facts: Facts, failures: list[RuleFailure]) -> list[Award | NoAward]:
    rule = owned.value
    name = reference(rule)
    if facts.trigger not in getattr(rule, "triggers", ("order.paid",)):
        return []
    try:
        answer = rule.evaluate(facts)
        answers = [answer] if isinstance(answer, (Award, NoAward)) else list(answer)
        return [_stamped(one, rule, owned.owner) for one in answers]
    except (Exception, SystemExit) as error:
        failures.append(RuleFailure(owner=owned.owner, rule=name, error=error))
        return [NoAward(reason=f"the rule failed: {type(error).__name__}", rule=name, owner=owned.owner)]


def _stamped(answer: Award | NoAward, rule: RewardRule, owner: str) -> Award | NoAward:
    name = reference(rule)
    if isinstance(answer, NoAward):
        return attrs.evolve(answer, rule=name, owner=owner)
    if not isinstance(answer, Award):
        raise ValueRefused(f"rule {name!r} answered {answer!r}; it must answer Award or NoAward")
    if inexact := [key for key, value in answer.inputs.items() if isinstance(value, float)]:
        raise ValueRefused(
            f"rule {name!r} gave floats as inputs {inexact}; use int, Fraction, Decimal or text"
        )
    if answer.amount == 0:
        return NoAward(reason="the amount comes to 0", rule=name, owner=owner)
    return attrs.evolve(answer, rule=name, owner=owner)


def _capped(answer: Award | NoAward, rule: RewardRule, granted: Mapping[str, int]) -> Award | NoAward:
    cap: int | None = getattr(rule, "cap", None)
    if cap is None or isinstance(answer, NoAward):
        return answer
    left = cap - granted.get(answer.unit, 0)
    if answer.amount <= left:
        return answer
    if left == 0:
        reached = f"the rule's cap of {cap} {answer.unit} is reached" if cap else "the rule's cap is 0"
        return NoAward(reason=reached, rule=answer.rule, owner=answer.owner)
    return attrs.evolve(answer, amount=left, capped_from=answer.amount)


def _vetoed(
    award: Award, facts: Facts, vetoes: Sequence[Owned[Veto]], failures: list[RuleFailure]
) -> Award | NoAward:
    for owned in vetoes:
        try:
            answer: Any = owned.value(award, facts)
            if answer is not None and not (isinstance(answer, str) and answer.strip()):
                raise ValueRefused(f"a veto answered {answer!r}; it must answer a reason or None")
            reason = answer
        except (Exception, SystemExit) as error:
            failures.append(RuleFailure(owner=owned.owner, rule=award.rule, error=error))
            reason = f"the veto of {owned.owner} failed: {type(error).__name__}"
        if reason is not None:
            return NoAward(reason=reason, rule=award.rule, owner=owned.owner, vetoed=award.amount)
    return award
