"""What is left of an award when a part of the order is returned."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import floor

from crmkit.orders import LineKind, Order, OrderLine
from crmkit.rewards import Award, Facts, RewardRule
from crmkit.testing.laws import law
from crmkit.testing.rewards import variations
from crmkit.testing.rewards.attack import Attacks, by_unit


class RefundLaws(Attacks):
    """Laws of returns."""

    __test__ = False

    @law(43, "refund")
    def test_43_a_return_takes_back_its_part(self) -> None:
        """Who returns a line keeps what the rule gives for an order without it, give or take the rounding."""
        self.attack(43, self._returned)

    def _returned(self, rule: RewardRule, facts: Facts) -> None:
        if not facts.has_order:
            return
        facts = variations.with_lines(
            facts, [line for line in facts.order.lines if line.kind is not LineKind.DISCOUNT]
        )
        awards = self.awarded(43, rule, facts)
        goods = [line for line in facts.order.lines if line.kind is LineKind.PRODUCT]
        for line in goods if len(goods) > 1 else ():
            self._without(rule, facts, awards, line)

    def _without(self, rule: RewardRule, facts: Facts, awards: Sequence[Award], line: OrderLine) -> None:
        rest = variations.with_lines(facts, [one for one in facts.order.lines if one is not line])
        again, slack = self.granted(43, rule, rest), 1 + len(facts.order.lines)
        kept = by_unit(awards)
        for award in awards:
            kept[award.unit] -= taken_back(award, facts.order, line)
        capped = {award.unit for award in awards if award.capped_from is not None}
        for unit in kept.keys() | again.keys():
            more = kept.get(unit, 0) - again.get(unit, 0)
            if more > slack or (more < -slack and unit not in capped):
                raise self.against(
                    43,
                    rule,
                    facts,
                    expected=f"{again.get(unit, 0)} {unit}, give or take {slack}, as for an order without {line.sku!r}",
                    found=f"{kept.get(unit, 0)} {unit} are kept when that line is returned",
                    other=rest,
                )


def taken_back(award: Award, order: Order, line: OrderLine) -> int:
    """Return how much of an award the return of one whole line takes back.

    Args:
        award: what the order earned.
        order: the whole order.
        line: the line that comes back.
    """
    if award.lines:
        return award.lines.get(line.id, 0)
    base = order.amount(award.base).minor
    return (
        floor(award.amount * Fraction(order.base_shares(award.base).get(line.id, 0), base)) if base > 0 else 0
    )
