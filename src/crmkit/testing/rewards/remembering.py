"""What was granted so far, kept in memory, so that limits over several orders can be put to the test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from crmkit.rewards import Asked, Award, Facts, Owned, RewardRule, RuleBook, Used


@attrs.define
class Remembering:
    """Lets a rule decide over one happening after another, and remembers what it granted.

    Args:
        rule: the rule.
    """

    rule: RewardRule
    granted: list[tuple[Facts, Award]] = attrs.field(factory=list, init=False)
    _book: RuleBook = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._book = RuleBook([Owned(owner="suite", value=self.rule)])

    def decide(self, facts: Facts) -> tuple[Award, ...]:
        """Return what the rule grants, its limits applied, and keep it."""
        awards = self._book.decide(facts, usage=self.used).awards
        self.granted += [(facts, award) for award in awards]
        return awards

    def used(self, asked: Sequence[Asked]) -> Mapping[Asked, Used]:
        """Answer how much of limits was used up."""
        return {one: self._used(one) for one in asked}

    def _used(self, asked: Asked) -> Used:
        counted = [award for facts, award in self.granted if _counts(facts, award, asked)]
        costs = [
            award.cost.minor for award in counted if award.cost and award.cost.currency == asked.currency
        ]
        return Used(units=sum(award.amount for award in counted), times=len(counted), money=sum(costs))


def _counts(facts: Facts, award: Award, asked: Asked) -> bool:
    return (
        award.rule.partition("@")[0] == asked.rule
        and award.unit == asked.unit
        and (asked.contact_ids is None or facts.contact.id in asked.contact_ids)
        and asked.start <= facts.at < asked.end
        and not (facts.has_order and facts.order.key == asked.excluding)
    )
