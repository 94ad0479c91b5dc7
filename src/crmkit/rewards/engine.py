"""A set of rules decides over facts: conditions, caps, limits, vetoes, and which awards stand side by side."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import attrs

from crmkit.errors import ValueRefused
from crmkit.orders import replaced
from crmkit.rewards.awards import Award, NoAward
from crmkit.rewards.capping import Tally, capped, limited, limits_of
from crmkit.rewards.facts import Facts
from crmkit.rewards.limits import Asked, Limit, Usage, Used, nothing_used
from crmkit.rewards.prices import fitted
from crmkit.rewards.rules import Decision, Owned, RewardRule, RuleFailure, Veto
from crmkit.rewards.stacking import Entrant, chosen
from crmkit.rewards.standing import Standing

#: A limit of an award's rule, with what to ask the ledger about it.
_Limits = tuple[tuple[Limit, Asked | None], ...]


def evaluate(
    rules: Sequence[Owned[RewardRule]],
    facts: Facts,
    vetoes: Sequence[Owned[Veto]] = (),
    usage: Usage = nothing_used,
) -> Decision:
    """Return what the rules grant for the facts; see `RuleBook.decide`.

    Args:
        rules: owned `RewardRule`s; those of one priority in their order.
        facts: what is known.
        vetoes: owned `Veto`s, in order; the first reason refuses.
        usage: answers how much of limits is used up.
    """
    return RuleBook(rules).decide(facts, vetoes, usage)


class RuleBook:
    """Rules in the order in which they are evaluated: by priority, those of one priority as they are given.

    Args:
        rules: owned `RewardRule`s.
    """

    def __init__(self, rules: Iterable[Owned[RewardRule]]) -> None:
        found = sorted(map(Standing.of, rules), key=lambda standing: -standing.priority)
        self.rules: tuple[Standing, ...] = tuple(found)
        self._on: dict[str, tuple[Standing, ...]] = {
            trigger: tuple(one for one in found if trigger in one.triggers)
            for trigger in {trigger for one in found for trigger in one.triggers}
        }

    def on(self, trigger: str) -> tuple[Standing, ...]:
        """Return the rules that are about a trigger."""
        return self._on.get(trigger, ())

    def decide(
        self,
        facts: Facts,
        vetoes: Sequence[Owned[Veto]] = (),
        usage: Usage = nothing_used,
        *,
        owners: Collection[str] | None = None,
        explained: bool = True,
    ) -> Decision:
        """Return what the rules grant: each alone, then its cap and limits, the vetoes, and the stacking.

        A rule that raises grants nothing and is reported; a veto that raises refuses (fails closed).

        Args:
            facts: what is known.
            vetoes: owned `Veto`s, in order; the first reason refuses.
            usage: answers how much of limits is used up; asked once, if at all.
            owners: whose rules decide; None for all.
            explained: whether refusals are wanted; without them it is quicker.
        """
        concerned = self.on(facts.trigger)
        if owners is not None:
            concerned = tuple(one for one in concerned if one.owner in owners)
        hearing = _Hearing(facts, vetoes, explained)
        heard = [(one, answers) for one in concerned if (answers := hearing.answers(one))]
        limits = hearing.limits(heard) if any(one.limits for one, _ in heard) else {}
        asked = {one: None for found in limits.values() for _, one in found if one is not None}
        used = usage(tuple(asked)) if asked else {}
        entrants = []
        for standing, answers in heard:
            if awards := hearing.granted(standing, answers, limits, used):
                entrants.append(Entrant(standing, tuple(awards)))
        return hearing.decision(entrants)


@attrs.frozen
class _Hearing:
    """One decision in the making."""

    facts: Facts
    vetoes: Sequence[Owned[Veto]]
    explained: bool
    refusals: list[NoAward] = attrs.field(factory=list, init=False)
    failures: list[RuleFailure] = attrs.field(factory=list, init=False)

    def answers(self, standing: Standing) -> list[Award | NoAward]:
        """Return what a rule answers, checked and stamped with its name."""
        try:
            if standing.grants is not None and not self.explained:
                award = standing.grants(self.facts)
                return [_stamped(award, standing)] if award is not None else []
            answer = standing.rule.evaluate(self.facts)
            answers = [answer] if isinstance(answer, (Award, NoAward)) else list(answer)
            return [_stamped(one, standing) for one in answers]
        except (Exception, SystemExit) as error:
            return [self.failed(standing, error)]

    def failed(self, standing: Standing, error: BaseException) -> NoAward:
        """Take down that a rule failed, and return why it grants nothing."""
        name = standing.reference
        self.failures.append(RuleFailure(owner=standing.owner, rule=name, error=error))
        return NoAward(reason=f"the rule failed: {type(error).__name__}", rule=name, owner=standing.owner)

    def limits(self, heard: list[tuple[Standing, list[Award | NoAward]]]) -> dict[tuple[str, str], _Limits]:
        """Return the limits of the awards, by rule and unit."""
        found: dict[tuple[str, str], _Limits] = {}
        for standing, answers in heard:
            for award in answers:
                if standing.limits and isinstance(award, Award):
                    limits = limits_of(award, standing.limits, self.facts, standing.zone)
                    found[award.rule, award.unit] = limits
        return found

    def granted(
        self,
        standing: Standing,
        answers: list[Award | NoAward],
        limits: Mapping[tuple[str, str], _Limits],
        used: Mapping[Asked, Used],
    ) -> list[Award]:
        """Return what is left of a rule's answers after its cap, its limits and the vetoes."""
        tally, awards = Tally(), []
        for answer in answers:
            decided = capped(answer, standing.cap, tally.units)
            if isinstance(decided, Award) and standing.limits:
                decided = self._limited(decided, standing, limits, used, tally)
            if isinstance(decided, Award):
                decided = _vetoed(decided, self.facts, self.vetoes, self.failures)
            if isinstance(decided, Award):
                tally.add(decided)
                awards.append(decided)
            elif self.explained:
                self.refusals.append(decided)
        return awards

    def _limited(
        self,
        award: Award,
        standing: Standing,
        limits: Mapping[tuple[str, str], _Limits],
        used: Mapping[Asked, Used],
        tally: Tally,
    ) -> Award | NoAward:
        decided: Award | NoAward = award
        try:
            for limit, asked in limits[award.rule, award.unit]:
                if isinstance(decided, Award):
                    decided = limited(decided, limit, tally, used[asked] if asked is not None else Used())
        except ValueError as error:
            return self.failed(standing, error)
        return decided

    def decision(self, entrants: list[Entrant]) -> Decision:
        """Return what stands of what the rules may grant."""
        kept, beaten = chosen(entrants)
        found = list(fitted([award for entrant in kept for award in entrant.awards], self.facts))
        beaten += [one for one in found if isinstance(one, NoAward)]
        return Decision(
            awards=tuple(one for one in found if isinstance(one, Award)),
            refusals=(*self.refusals, *beaten) if self.explained else (),
            failures=tuple(self.failures),
        )


def _stamped(answer: Award | NoAward, standing: Standing) -> Award | NoAward:
    name, owner = standing.reference, standing.owner
    if isinstance(answer, NoAward):
        return replaced(answer, rule=name, owner=owner)
    if not isinstance(answer, Award):
        raise ValueRefused(f"rule {name!r} answered {answer!r}; it must answer Award or NoAward")
    if inexact := [key for key, value in answer.inputs.items() if isinstance(value, float)]:
        raise ValueRefused(
            f"rule {name!r} gave floats as inputs {inexact}; use int, Fraction, Decimal or text"
        )
    if answer.amount == 0:
        return NoAward(reason="the amount comes to 0", rule=name, owner=owner)
    lane, programme = standing.lane, standing.programme
    return replaced(answer, rule=name, owner=owner, lane=lane, programme=programme)


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
