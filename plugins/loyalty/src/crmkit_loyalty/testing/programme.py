"""The programme under attack: two units by two rules, with holds, expiry and debts; built on any database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import attrs
from sqlalchemy import delete

from crmkit import CRM, Award, Base, Facts, Lot, NoAward, RewardRule, hookimpl
from crmkit.testing import FakeClock
from crmkit_loyalty.plugin import LoyaltyPlugin
from crmkit_loyalty.settings import LoyaltySettings

UNITS = ("points", "stars")
RATE = Fraction(7, 3)
MEMBERS = 2
HOLD, POINT_DAYS, STAR_DAYS = timedelta(days=2), timedelta(days=9), timedelta(days=5)
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
#: How long a reservation lasts.
TTL = timedelta(days=1)
TICK = timedelta(microseconds=1)


@attrs.frozen
class Stars:
    """Another plugin's rule: stars on the net amount, in lots of several validities."""

    name: str = "stars"
    version: int = 2

    def evaluate(self, facts: Facts) -> Award | NoAward:
        net = facts.order.amount(Base.NET).minor
        if net < 50:
            return NoAward(reason=f"net is {net}, below 50")
        lot = Lot(expires_at=facts.at + STAR_DAYS * (1 + net % 4))
        return Award(amount=net // 50, unit="stars", base=Base.NET, lot=lot)


@attrs.define(eq=False)
class StarsPlugin:
    """Brings the rule."""

    name: str = "stars"

    @hookimpl
    def crmkit_reward_rules(self) -> list[RewardRule]:
        return [Stars()]


def plugins() -> list[object]:
    """Return the plugins that the CRM under attack must have, in this order."""
    told = LoyaltySettings(
        points_per_unit=RATE,
        hold_days=HOLD.days,
        lot_days=POINT_DAYS.days,
        negative_adjustments="debt",
    )
    return [LoyaltyPlugin(told), StarsPlugin()]


def build(url: str, clock: FakeClock) -> CRM:
    """Return the CRM under attack, with its tables.

    Args:
        url: of an empty database.
        clock: the machine's.
    """
    crm = CRM(url, plugins=plugins(), clock=clock, strict=True)
    crm.create_tables()
    return crm


def wipe(crm: CRM) -> None:
    """Empty the tables that a run fills."""
    with crm.begin() as tx:
        for name, table in crm.tables.items():
            if name not in ("installation", "cursors"):
                tx.sql.execute(delete(table))
