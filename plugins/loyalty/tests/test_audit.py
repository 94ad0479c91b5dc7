"""What is kept beside the postings follows from them (law 3): verify finds each fault, rebuild mends what it can."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update

from crmkit_loyalty import waiting

HOUR = timedelta(hours=1)


@pytest.fixture
def busy(open_shop: Any, database_url: str) -> Any:
    """A shop with lots on hold, active and lapsing, and two reservations, one of them spent."""
    shop = open_shop(database_url, hold_days=7, lot_days=30)
    shop.buy("A1", 1000)
    shop.now += timedelta(days=8)
    shop.buy("A2", 1000)
    shop.ask(lambda one: one.grant(shop.ann, 5, "g"))
    shop.ask(lambda one: one.reserve(shop.ann, 4, "mug", HOUR))
    shop.ask(lambda one: one.reserve(shop.ann, 3, "cup", HOUR))
    shop.ask(lambda one: one.commit("cup"))
    return shop


def faults(shop: Any) -> list[str]:
    """Return what is wrong."""
    found: list[str] = shop.ask(lambda one: one.verify())
    return found


def test_nothing_is_wrong(busy: Any) -> None:
    assert (faults(busy), busy.timers()) == ([], 4)
    assert (busy.ask(lambda one: one.rebuild(busy.ann)), busy.timers(), faults(busy)) == (4, 4, [])
    busy.now += timedelta(days=40)
    waiting.post_passed(busy.crm)
    assert (faults(busy), busy.timers()) == ([], 0)


def test_lost_timers_are_found_and_set_up_anew(busy: Any) -> None:
    before = busy.totals()
    busy.do(lambda tx: tx.sql.execute(delete(tx.table("loyalty_timers"))))
    found = " / ".join(faults(busy))
    assert "nothing will expire it; rebuild contact" in found
    assert "nothing will activate it" in found
    assert "4 are reserved, 0 by reservations that are open" in found
    assert (busy.ask(lambda one: one.rebuild(busy.ann)), faults(busy)) == (4, [])
    assert busy.totals() == before
    busy.now += HOUR
    assert busy.ask(lambda one: one.spendable(busy.ann)) == 12


def test_other_faults_are_named(busy: Any) -> None:
    def spoil(tx: Any) -> None:
        postings = tx.table("loyalty_postings")
        tx.sql.execute(update(postings).where(postings.c.account == "pending").values(amount=-3))

    busy.do(spoil)
    found = " / ".join(faults(busy))
    assert "its postings of points add up to" in found
    assert "it was given 10 and holds {'pending': -" in found
