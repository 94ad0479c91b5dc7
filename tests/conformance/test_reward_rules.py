"""The rules of our own plugins, attacked as any other."""

from __future__ import annotations

from fractions import Fraction

from crmkit_loyalty import LoyaltySettings
from crmkit_loyalty.rules import PointsPerUnit

from crmkit import Base
from crmkit.testing import RewardRuleSuite


class TestPointsOnGoods(RewardRuleSuite):
    rule = PointsPerUnit()
    claims = {"base": "goods", "monotone": True, "scale": True}


class TestPointsOnNet(RewardRuleSuite):
    rule = PointsPerUnit(rate=Fraction(1, 3), base=Base.NET, cap=500)
    claims = {"base": "net", "monotone": True, "max_per_order": 500}


class TestPointsByCurrency(RewardRuleSuite):
    rule = PointsPerUnit.of(LoyaltySettings(rates={"EUR": "2", "JPY": "0.01"}, lot_days=365))
    claims = {"base": "goods", "monotone": True}
