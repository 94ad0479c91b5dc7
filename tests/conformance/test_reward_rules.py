"""The rules of our own plugins, attacked as any other."""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar

from crmkit import Base
from crmkit.testing import RewardRuleSuite
from crmkit_loyalty import LoyaltySettings
from crmkit_loyalty.rules import PointsPerUnit


class TestPointsOnGoods(RewardRuleSuite):
    rule = PointsPerUnit()
    claims: ClassVar = {"base": "goods", "monotone": True, "scale": True}


class TestPointsOnNet(RewardRuleSuite):
    rule = PointsPerUnit(rate=Fraction(1, 3), base=Base.NET, cap=500)
    claims: ClassVar = {"base": "net", "monotone": True, "max_per_order": 500}


class TestPointsByCurrency(RewardRuleSuite):
    rule = PointsPerUnit.of(LoyaltySettings(rates={"EUR": "2", "JPY": "0.01"}, lot_days=365))
    claims: ClassVar = {"base": "goods", "monotone": True}
