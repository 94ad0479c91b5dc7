"""A reward rule: a point for each whole euro spent on goods, two for those of a category."""

from fractions import Fraction

import attrs

from crmkit import Award, Base, Facts, LineKind, NoAward, hookimpl


@attrs.define(eq=False)
class DoublePoints:
    """Gives double points for a category; also the plugin that brings the rule.

    Args:
        category: the shop's product category.
    """

    category: str = "coffee"
    name = "double-points"
    version = 1

    def evaluate(self, facts: Facts) -> Award | NoAward:
        order = facts.order
        if order.currency != "EUR":
            return NoAward(reason=f"the order is in {order.currency}, not in EUR")
        doubled = {
            line.id
            for line in order.lines
            if line.kind is LineKind.PRODUCT and line.category == self.category
        }
        cents = order.base_shares(Base.GOODS)
        counted = sum(share * (2 if id in doubled else 1) for id, share in cents.items())
        return Award(amount=int(Fraction(counted, 100)), base=Base.GOODS, inputs={"counted": counted})

    @hookimpl
    def crmkit_reward_rules(self):
        return [self]
