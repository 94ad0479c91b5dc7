from double_points import DoublePoints

from crmkit.testing import RewardRuleSuite


class TestDoublePoints(RewardRuleSuite):
    rule = DoublePoints(category="coffee")
    claims = dict(base="goods", monotone=True)
