"""Reward rules that are wrong in one way each, as others have been; `RULES` says which law finds each."""

from __future__ import annotations

import os
import random
import socket
import time
import uuid
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import attrs

from crmkit import Award, Base, Facts, Limit, LineKind, Money, NoAward, Per
from crmkit.testing import RewardRuleSuite

_seen: list[str] = []


def goods(facts: Facts) -> int:
    """Return the minor units of the goods."""
    return facts.order.amount(Base.GOODS).minor


def rolls_dice(facts: Facts) -> Award:
    return Award(amount=random.randint(1, 6))


def draws_a_uuid(facts: Facts) -> Award:
    return Award(amount=goods(facts) // 100, inputs={"id": str(uuid.uuid4())})


def asks_the_time(facts: Facts) -> Award:
    return Award(amount=10 if time.time() > 0 else 20)


def asks_the_date(facts: Facts) -> Award:
    return Award(amount=20 if datetime.now().year > 2000 else 10)


def asks_for_today(facts: Facts) -> Award:
    return Award(amount=20 if date.today().year > 2000 else 10)


def reads_a_file(facts: Facts) -> Award:
    return Award(amount=len(Path(__file__).read_text()))


def asks_the_network(facts: Facts) -> Award:
    with socket.socket() as connection:
        connection.settimeout(0.01)
        connection.connect_ex(("127.0.0.1", 9))
    return Award(amount=1)


def asks_the_environment(facts: Facts) -> Award:
    return Award(amount=len(os.environ.get("PATH", "")))


def remembers(facts: Facts) -> Award | NoAward:
    if facts.order.key in _seen:
        return NoAward(reason="seen before")
    _seen.append(facts.order.key)
    return Award(amount=1)


def changes_facts(facts: Facts) -> Award:
    doubled = Money(facts.order.lines[0].total.minor * 2, facts.order.currency)
    object.__setattr__(facts.order.lines[0], "total", doubled)
    return Award(amount=1)


def answers_a_float(facts: Facts) -> Award:
    return Award(amount=goods(facts) / 100)  # type: ignore[arg-type]


def answers_below_zero(facts: Facts) -> Award:
    return Award(amount=goods(facts) // 100 - 5)


def answers_a_number(facts: Facts) -> Any:
    return goods(facts) // 100


def answers_none(facts: Facts) -> Any:
    return None if goods(facts) < 100 else Award(amount=1)


def divides_by_zero(facts: Facts) -> Award:
    tax = sum(line.tax.minor for line in facts.order.lines if line.tax)
    return Award(amount=goods(facts) // tax)


def gives_without_bound(facts: Facts) -> Award:
    return Award(amount=goods(facts))


def counts_shipping(facts: Facts) -> Award:
    return Award(amount=facts.order.total.minor // 100)


def counts_gift_cards(facts: Facts) -> Award:
    kinds = (LineKind.PRODUCT, LineKind.GIFT_CARD)
    return Award(amount=sum(line.total.minor for line in facts.order.lines if line.kind in kinds) // 100)


def needs_a_threshold_with_shipping(facts: Facts) -> Award | NoAward:
    spent = facts.order.total.minor
    return Award(amount=10) if spent >= 5000 else NoAward(reason=f"{spent} is below 5000")


def counts_tax(facts: Facts) -> Award:
    return Award(amount=goods(facts) // 100, base=Base.NET)


def names_another_base(facts: Facts) -> Award:
    return Award(amount=facts.order.amount(Base.NET).minor // 100)


def rewards_small_orders(facts: Facts) -> Award:
    spent = goods(facts)
    return Award(amount=spent // 100 if spent < 5000 else spent // 200)


def gives_a_bonus_per_line(facts: Facts) -> Award:
    return Award(amount=max(0, 100 - len(facts.order.lines)))


@attrs.define(eq=False)
class Forgetful:
    """Gives the double every second time."""

    name: str = "forgetful"
    version: int = 1
    turn: int = 0

    def evaluate(self, facts: Facts) -> Award:
        self.turn += 1
        return Award(amount=1 + self.turn % 2)


def gives_ten_per_order(facts: Facts) -> Award:
    return Award(amount=10)


@attrs.define(eq=False)
class LimitsTheWrongThing:
    """Means fifty a day, and says fifty for one order."""

    name: str = "limits-the-wrong-thing"
    version: int = 1
    limits: tuple[Limit, ...] = (Limit(per=Per.EVENT, units=50),)

    def evaluate(self, facts: Facts) -> Award:
        return Award(amount=goods(facts) // 100)


def pays_a_bonus_at_fifty(facts: Facts) -> Award | NoAward:
    spent = goods(facts)
    return Award(amount=100) if spent >= 5000 else NoAward(reason=f"{spent} is below 5000")


def doubles_coffee_and_forgets_the_lines(facts: Facts) -> Award:
    shares = facts.order.base_shares(Base.GOODS)
    coffee = {line.id for line in facts.order.lines if line.category == "coffee"}
    return Award(amount=sum(share * (2 if id in coffee else 1) for id, share in shares.items()) // 100)


#: Each broken rule with the claims made for it, the law that must find it, and a word that must be said.
RULES: tuple[tuple[Callable[..., Any], dict[str, Any], int, str], ...] = (
    (rolls_dice, {}, 14, "random."),
    (draws_a_uuid, {}, 14, "os.urandom() at broken_rules.py"),
    (asks_the_time, {}, 14, "time.time() at broken_rules.py"),
    (asks_the_date, {}, 14, "datetime.now() at broken_rules.py"),
    (asks_for_today, {}, 14, "date.today() at broken_rules.py"),
    (reads_a_file, {}, 14, "open()"),
    (asks_the_network, {}, 14, "socket."),
    (asks_the_environment, {}, 14, "os.environ['PATH'] at broken_rules.py"),
    (remembers, {}, 14, "seen before"),
    (changes_facts, {}, 14, "changed facts"),
    (Forgetful(), {}, 14, "amount=2"),  # type: ignore[arg-type]
    (answers_a_float, {}, 15, "must be a whole number"),
    (answers_below_zero, {}, 15, "must be a whole number from 0 on"),
    (answers_a_number, {}, 15, "a int"),
    (answers_none, {}, 15, "None, a NoneType"),
    (divides_by_zero, {}, 15, "ZeroDivisionError"),
    (gives_without_bound, {"max_per_order": 500}, 15, "at most 500 points"),
    (rewards_small_orders, {"scale": True}, 15, "times the order"),
    (rewards_small_orders, {"monotone": True}, 16, "dearer goods"),
    (gives_a_bonus_per_line, {"monotone": True}, 16, "more goods"),
    (counts_shipping, {}, 17, "minor units of"),
    (counts_gift_cards, {}, 17, "minor units of gift_card"),
    (needs_a_threshold_with_shipping, {}, 17, "no award"),
    (counts_tax, {"base": "net"}, 17, "of tax"),
    (names_another_base, {"base": "net"}, 17, "base='goods'"),
    (gives_ten_per_order, {"max_per_day": 50}, 24, "60 points in 6 orders of one day"),
    (LimitsTheWrongThing(), {"max_per_day": 50}, 24, "orders of one day"),  # type: ignore[arg-type]
    (pays_a_bonus_at_fifty, {"refund": "proportional"}, 43, "are kept when that line is returned"),
    (
        doubles_coffee_and_forgets_the_lines,
        {"refund": "proportional"},
        43,
        "are kept when that line is returned",
    ),
)


def suite_for(rule: Any, claims: dict[str, Any]) -> type[RewardRuleSuite]:
    """Return a suite as an author would write it."""
    name = f"Test_{getattr(rule, '__name__', type(rule).__name__)}"
    return type(
        name,
        (RewardRuleSuite,),
        {"rule": staticmethod(rule) if hasattr(rule, "__code__") else rule, "claims": claims},
    )
