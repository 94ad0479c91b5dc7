"""The rules of our own plugins, attacked as any other."""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar

from conformance.broken_rules import gives_without_bound, rewards_small_orders, suite_for
from crmkit import Base
from crmkit.testing import RewardRuleSuite, broken_laws
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


def test_law_15_awards_are_bounded_and_scale() -> None:
    """kills: gives_without_bound, rewards_small_orders"""
    assert broken_laws(TestPointsOnGoods, 15) == ()
    for rule, claims in (
        (gives_without_bound, {"max_per_order": 50}),
        (rewards_small_orders, {"scale": True}),
    ):
        assert [broken.number for broken in broken_laws(suite_for(rule, claims), 15)] == [15]


def test_law_16_who_spends_more_gets_no_less() -> None:
    """kills: rewards_small_orders"""
    assert broken_laws(TestPointsOnGoods, 16) == ()
    assert [
        broken.number for broken in broken_laws(suite_for(rewards_small_orders, {"monotone": True}), 16)
    ] == [16]
