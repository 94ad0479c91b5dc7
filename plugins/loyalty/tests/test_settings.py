"""Settings are exact or refused, and the refusal says what would have been right."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from crmkit import CRM, SettingsError
from crmkit_loyalty import LoyaltyPlugin, LoyaltySettings, PointsPerUnit, Validity

EXACT = [
    (2, 2),
    ("0.5", Fraction(1, 2)),
    ("1/3", Fraction(1, 3)),
    (Decimal("0.01"), Fraction(1, 100)),
    (0, 0),
]


@pytest.mark.parametrize(("given", "kept"), EXACT)
def test_a_rate_is_kept_exactly(given: Any, kept: Any) -> None:
    assert LoyaltySettings(points_per_unit=given).points_per_unit == kept


BAD_RATES = [
    0.5,
    -1,
    "-1",
    True,
    None,
    "a",
    "1/0",
    "",
    "1e9",
    10**6 + 1,
    Decimal("NaN"),
    Decimal("1e999999"),
    "٣",
]


@pytest.mark.parametrize("value", BAD_RATES, ids=repr)
def test_a_rate_that_is_not_exact_is_refused(value: Any) -> None:
    with pytest.raises(
        SettingsError, match=r"settings\['loyalty'\]\['points_per_unit'\] is .*must be an exact number"
    ):
        LoyaltySettings(points_per_unit=value)


BAD = [
    ("base", "gross", "must be one of: total, goods, net"),
    ("rounding", "bankers", "must be one of: floor, nearest, ceiling"),
    ("unit", "", "must be a text of 1 to 30 letters"),
    ("unit", 5, "must be a text of 1 to 30 letters"),
    ("cap", -1, "must be a whole number from 0"),
    ("cap", True, "must be a whole number from 0"),
    ("lot_days", 0, "must be a whole number from 1"),
    ("lot_days", "30", "must be a whole number from 1"),
    ("rates", [("GBP", 1)], "must be a mapping of currencies"),
    ("rates", {"gbp": 1}, "is not in ISO 4217"),
    ("rates", {"GBP": 0.5}, "must be an exact number"),
]


@pytest.mark.parametrize(("name", "value", "right"), BAD)
def test_a_wrong_setting_is_named(name: str, value: Any, right: str) -> None:
    with pytest.raises(SettingsError, match=right) as caught:
        LoyaltySettings(**{name: value})
    assert f"settings['loyalty']['{name}" in str(caught.value)


def test_it_is_enabled_by_name_and_needs_no_settings() -> None:
    crm = CRM("sqlite://", plugins=["loyalty"])
    assert [owned.value.name for owned in crm.registry.rules] == ["points-per-unit"]


def test_settings_given_by_name_reach_the_rule() -> None:
    settings = {
        "loyalty": {"rates": {"EUR": "1/2"}, "base": "net", "cap": 9, "lot_days": 30, "unit": "miles"}
    }
    rule: Any = CRM("sqlite://", plugins=["loyalty"], settings=settings).registry.rules[0].value
    assert rule == PointsPerUnit(
        rates={"EUR": Fraction(1, 2)},
        base="net",
        cap=9,
        validity=Validity(days=30),
        unit="miles",  # type: ignore[arg-type]
    )


def test_a_rate_of_0_brings_no_rule() -> None:
    assert list(LoyaltyPlugin(LoyaltySettings(points_per_unit=0)).crmkit_reward_rules()) == []
    with_rates = LoyaltySettings(points_per_unit=0, rates={"GBP": 1})
    assert len(list(LoyaltyPlugin(with_rates).crmkit_reward_rules())) == 1


def test_an_unknown_setting_is_named() -> None:
    with pytest.raises(SettingsError, match="did you mean 'points_per_unit'"):
        CRM("sqlite://", plugins=["loyalty"], settings={"loyalty": {"point_per_unit": 2}})
