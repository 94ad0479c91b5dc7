"""What a rule gives over several orders: within what it claims for a day, limits and memory included."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import cycle, repeat

import attrs
from hypothesis import strategies as st

from crmkit.rewards import Facts, RewardRule, Window, window_of
from crmkit.rewards.windows import zone_or
from crmkit.testing.laws import law
from crmkit.testing.rewards import variations
from crmkit.testing.rewards.attack import Attacks, by_unit
from crmkit.testing.rewards.remembering import Remembering

#: How often the same order is placed in a day, at most, to use the claimed bound up.
_OFTEN = 200


class LimitLaws(Attacks):
    """Laws of several orders of one member."""

    __test__ = False

    @law(24, "max_per_day")
    def test_24_a_day_stays_within_its_bound(self) -> None:
        """All that one member is granted in a day of the member's zone comes to no more than `max_per_day`."""
        self.attack(24, self._within_a_day, st.lists(st.integers(1, 9), max_size=4))

    def _within_a_day(self, rule: RewardRule, facts: Facts, factors: Sequence[int]) -> None:
        bound, memory = self.claimed.max_per_day or 0, Remembering(rule)
        first = sum(by_unit(memory.decide(facts)).values())
        often = bound // first if first and bound // first < _OFTEN else 0
        for number, one in enumerate(
            _same_day(facts, getattr(rule, "zone", ""), [*factors, *repeat(1, often)]), 2
        ):
            memory.decide(one)
            total = by_unit(award for _, award in memory.granted)
            for unit, amount in total.items():
                if amount > bound:
                    raise self.against(
                        24,
                        rule,
                        facts,
                        expected=f"at most {bound} {unit} in a day",
                        found=f"{amount} {unit} in {number} orders of one day",
                        other=one,
                    )


def _same_day(facts: Facts, zone: str, factors: Sequence[int]) -> Iterator[Facts]:
    """Yield further happenings of the same day, at its edges too; in the rule's zone if the member has none."""
    start, end = window_of(facts.at, Window.DAY, zone_or(facts.zone, zone))
    for number, (factor, at) in enumerate(
        zip(factors, cycle((facts.at, start, end - timedelta(microseconds=1))), strict=False), 2
    ):
        one = attrs.evolve(facts, at=at, key=f"{facts.key}-{number}")
        if one.has_order:
            one = variations.times(one, factor)
            one = attrs.evolve(one, order=attrs.evolve(one.order, key=f"{one.order.key}-{number}"))
        yield one
