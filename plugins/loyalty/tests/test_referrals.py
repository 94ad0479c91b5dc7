"""Referrals over real locks: no circle closes and nobody is rewarded twice, however many ask at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest

from crmkit import AlreadyErased, Award, ConfigError, Facts, RewardRule, hookimpl
from crmkit_loyalty import Loyalty, Referrals
from crmkit_loyalty.referrals import orders
from racing import at_once


@attrs.frozen
class Thanks:
    """Points for both sides."""

    name: str = "thanks"
    version: int = 1
    triggers: tuple[str, ...] = ("referral.qualified",)

    def evaluate(self, facts: Facts) -> Award:
        return Award(amount=100 if facts.payload["side"] == "referrer" else 50)


@attrs.define(eq=False)
class ThanksPlugin:
    """Brings the rule."""

    name: str = "thanks"

    @hookimpl
    def crmkit_reward_rules(self) -> list[RewardRule]:
        return [Thanks()]


@attrs.frozen
class Circle:
    """Three people who have codes, and their shop."""

    shop: Any
    people: list[Any]
    codes: list[str]


@pytest.fixture
def circle(open_shop: Any, database_url: str) -> Any:
    """A shop with three people who have codes."""
    shop = open_shop(database_url, ThanksPlugin(), points_per_unit=0, referrals={"hold_days": 5})
    people = [shop.do(lambda tx: tx.contacts.add("somebody")).id for _ in range(3)]
    codes = [shop.do(lambda tx, id=id: Referrals(tx).code(id)) for id in people]
    return Circle(shop, people, codes)


def claim(circle: Circle, who: int, by: int) -> Callable[[], str]:
    """Return the work of somebody who says who brought it."""

    def work() -> str:
        code, friend = circle.codes[by], circle.people[who]
        circle.shop.crm.transact(lambda tx: Referrals(tx).claim(code, friend, f"{who}"), attempts=50)
        return "claimed"

    return work


def test_law_67_of_claims_that_close_a_circle_one_is_refused(circle: Circle) -> None:
    """kills: a chain that is looked at before the roots are locked."""
    answers = at_once([claim(circle, n, (n + 1) % 3) for n in range(3)])
    assert answers == {"claimed": 2, "ReferralRefused": 1}


def test_law_6_one_claim_asked_for_by_many(circle: Circle) -> None:
    assert at_once([claim(circle, 0, 1)] * 5) == {"claimed": 5}


def test_law_67_a_hold_that_ends_for_many_workers_is_rewarded_once(circle: Circle) -> None:
    """kills: a state that is read before the lock."""
    shop = circle.shop
    shop.ann = circle.people[0]
    claim(circle, 0, 1)()
    shop.buy("A1", 1000)
    shop.now += timedelta(days=5)
    at_once([lambda: orders.end_holds(shop.crm)] * 5)
    balances = shop.do(lambda tx: [Loyalty(tx).balance(id) for id in circle.people])
    assert balances == [50, 100, 0]


def test_whoever_was_erased_brings_nobody(open_shop: Any) -> None:
    shop = open_shop(referrals={})
    ben = shop.do(lambda tx: tx.contacts.add("Ben")).id
    code = shop.do(lambda tx: Referrals(tx).code(shop.ann))
    assert shop.do(lambda tx: Referrals(tx).code(shop.ann)) == code
    shop.crm.erase(shop.ann)
    with pytest.raises(AlreadyErased):
        shop.do(lambda tx: Referrals(tx).claim(code, ben, "k"))


def test_without_settings_there_are_none(shop: Any) -> None:
    with pytest.raises(ConfigError, match=r"'referrals': {}"):
        shop.do(lambda tx: Referrals(tx).code(shop.ann))
