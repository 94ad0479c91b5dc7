"""Caps and limits applied: an award is left, cut or refused, given what has been used up."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import attrs

from crmkit.money import Money, allocate
from crmkit.orders import replaced
from crmkit.rewards.awards import Award, Effect, NoAward
from crmkit.rewards.facts import Facts
from crmkit.rewards.limits import Asked, Limit, Over, Used, question

#: What cannot be had in part: half a coupon is none.
_WHOLE = (Effect.COUPON,)


@attrs.define
class Tally:
    """What a rule has been granted in this decision, by unit."""

    units: dict[str, int] = attrs.field(factory=dict)
    times: int = 0
    costs: dict[str, int] = attrs.field(factory=dict)

    def add(self, award: Award) -> None:
        """Count an award that is granted."""
        self.units[award.unit] = self.units.get(award.unit, 0) + award.amount
        self.times += 1
        if award.cost is not None:
            currency = award.cost.currency
            self.costs[currency] = self.costs.get(currency, 0) + award.cost.minor


def cut(award: Award, amount: int, by: str) -> Award:
    """Return an award of less, its cost and its lines in proportion.

    Args:
        award: as the rule gave it.
        amount: how much of it is left, from 1 on.
        by: what cut it, in words.
    """
    asked = award.amount if award.capped_from is None else award.capped_from
    changes: dict[str, Any] = {"amount": amount, "capped_from": asked, "capped_by": by}
    if award.lines:
        parts = allocate(amount, list(award.lines.values()))
        changes["lines"] = MappingProxyType(dict(zip(award.lines, parts, strict=True)))
    if award.cost is not None:
        changes["cost"] = Money(_share(award.cost.minor, amount, award.amount), award.cost.currency)
    return replaced(award, **changes)


def capped(answer: Award | NoAward, cap: int | None, granted: Mapping[str, int]) -> Award | NoAward:
    """Return what a rule's cap leaves of an award: the most of one unit for one event.

    Args:
        answer: what the rule answered.
        cap: None for no cap, 0 for never.
        granted: what the rule was granted before, by unit.
    """
    if cap is None or isinstance(answer, NoAward):
        return answer
    left = cap - granted.get(answer.unit, 0)
    if answer.amount <= left:
        return answer
    if left <= 0 or answer.effect in _WHOLE:
        reached = f"the rule's cap of {cap} {answer.unit} is reached" if cap else "the rule's cap is 0"
        return NoAward(reason=reached, rule=answer.rule, owner=answer.owner)
    return cut(answer, left, f"the rule's cap of {cap} {answer.unit}")


def limited(award: Award, limit: Limit, tally: Tally, used: Used) -> Award | NoAward:
    """Return what a limit leaves of an award.

    Args:
        award: what the rule asks for.
        limit: the limit.
        tally: what the rule was granted in this decision.
        used: what it was granted before, as far as the limit counts it.
    """
    amount, before, bound, unit = _measured(award, limit, tally, used)
    if bound is None or before + amount <= bound:
        return award
    left = max(0, bound - before)
    part = award.amount if amount == 0 else award.amount * left // amount
    said = f"{limit}: {_told(before, unit, limit)} used, {_told(amount, unit, limit)} more asked"
    whole = limit.over is Over.REFUSE or limit.times is not None or award.effect in _WHOLE
    if part <= 0 or whole:
        return NoAward(reason=said, rule=award.rule, owner=award.owner)
    return cut(award, part, said)


def limits_of(
    award: Award, limits: tuple[Limit, ...], facts: Facts, zone: str
) -> tuple[tuple[Limit, Asked | None], ...]:
    """Return the limits of an award's rule, each with what to ask the ledger about it, if anything."""
    rule = award.rule.rpartition("@")[0]
    return tuple(
        (limit, question(limit, rule, award.unit, facts, zone) if limit.needs_memory else None)
        for limit in limits
        if limit.is_bounded
    )


def _measured(award: Award, limit: Limit, tally: Tally, used: Used) -> tuple[int, int, int | None, str]:
    """Return what the award comes to, what was used before, and the bound, all as the limit counts."""
    if limit.units is not None:
        return award.amount, used.units + tally.units.get(award.unit, 0), limit.units, award.unit
    if limit.times is not None:
        return 1, used.times + tally.times, limit.times, "times"
    if limit.money is None:
        return 0, 0, None, ""
    currency = limit.money.currency
    if award.cost is None or award.cost.currency != currency:
        raise UncountableCost(award, limit)
    return award.cost.minor, used.money + tally.costs.get(currency, 0), limit.money.minor, currency


class UncountableCost(ValueError):
    """A limit in money stands over an award whose cost nobody said in that currency."""

    def __init__(self, award: Award, limit: Limit) -> None:
        said = "has no cost" if award.cost is None else f"costs {award.cost}"
        super().__init__(f"{limit}, but the award of {award.amount} {award.unit} {said}")


def _share(minor: int, part: int, whole: int) -> int:
    # up: a budget in money is never overdrawn by what rounding hides
    return -(-minor * part // whole)


def _told(amount: int, unit: str, limit: Limit) -> str:
    return str(Money(amount, unit)) if limit.money is not None else f"{amount} {unit}"
