"""What time does to a wallet: the same whether or not the job has posted it (laws 31, 34-37, 39 and 41)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs
import pytest
from sqlalchemy import select

from crmkit import FOREVER, Lot, Money, Refund
from crmkit_loyalty import (
    Ends,
    Kind,
    Loyalty,
    PointsActivated,
    PointsExpired,
    Validity,
    passing,
    store,
    waiting,
)

DAY, TICK = timedelta(days=1), timedelta(microseconds=1)


def state(shop: Any) -> Any:
    """Return what can be asked of the wallet."""

    def read(loyalty: Loyalty) -> Any:
        lots = [(lot.order_id, lot.left) for lot in loyalty.lots(shop.ann)]
        return loyalty.balance(shop.ann), loyalty.spendable(shop.ann), lots, loyalty.outstanding()

    return shop.ask(read)


# --- holds ---------------------------------------------------------------------------------------------------------


def test_law_31_what_is_on_hold_becomes_active_by_time_alone_and_by_the_job(open_shop: Any) -> None:
    """Kills: pending units that can be spent (pending_spendable), at one microsecond on either side."""
    shop = open_shop("sqlite://", hold_days=14)
    shop.buy("A1", 1000)
    begins = shop.now + 14 * DAY
    shop.now = begins - TICK
    assert (state(shop)[:2], shop.totals()) == ((10, 0), {"pending": 10})
    assert waiting.post_passed(shop.crm) == 0
    shop.now = begins
    before = state(shop)
    assert (before[:2], shop.totals()) == ((10, 10), {"pending": 10})
    assert waiting.post_passed(shop.crm) == 1
    assert (state(shop), shop.totals(), shop.timers()) == (before, {"active": 10}, 0)
    (entry, earned) = shop.ask(lambda loyalty: loyalty.statement(shop.ann))
    assert (entry.kind, entry.change, entry.at, earned.change) == (Kind.ACTIVATE, 0, begins, 10)
    timeline = shop.do(lambda tx: tx.events.timeline(shop.ann, types=["PointsActivated"]))
    assert [one.event for one in timeline] == [PointsActivated(unit="points", amount=10)]


def test_the_next_touch_of_the_wallet_posts_what_time_has_done(open_shop: Any) -> None:
    shop = open_shop("sqlite://", hold_days=1)
    shop.buy("A1", 1000)
    shop.now += DAY
    shop.ask(lambda loyalty: loyalty.redeem(shop.ann, 4, "mug"))
    assert (shop.totals(), shop.timers()) == ({"active": 6, "redeemed": 4}, 0)
    assert waiting.post_passed(shop.crm) == 0


def test_a_refund_takes_back_from_the_lot_wherever_it_stands(open_shop: Any) -> None:
    """On hold, active, lapsed: nobody owes what was never spent, whether or not the job ran."""
    shop = open_shop("sqlite://", hold_days=14, lot_days=30)
    shop.buy("A1", 1000)
    refunds = iter(Refund.of_amount(f"r{n}", Money(200, "GBP")) for n in range(3))
    found = []
    for days in (0, 20, 31):
        shop.now += timedelta(days=days) - (shop.now - datetime(2026, 3, 1, 12, tzinfo=UTC))
        waiting.post_passed(shop.crm)
        shop.do(lambda tx: tx.orders.refund("A1", next(refunds)))
        found.append(shop.totals())
    assert found == [
        {"pending": 8, "clawed": 2},
        {"active": 6, "clawed": 4},
        {"expired": 4, "clawed": 6},
    ]
    shop.do(lambda tx: tx.orders.refund("A1", Refund.whole("r9")))
    assert (shop.totals(), state(shop)[0]) == ({"clawed": 10}, 0)


def test_debts_are_paid_out_of_what_is_on_hold_as_well(open_shop: Any) -> None:
    shop = open_shop("sqlite://", hold_days=14)
    shop.ask(lambda loyalty: loyalty.grant(shop.ann, 3, "gift"))
    shop.buy("A1", 1000)
    shop.now += 15 * DAY
    shop.ask(lambda loyalty: loyalty.redeem(shop.ann, 13, "mug"))
    shop.do(lambda tx: tx.orders.refund("A1", Refund.whole("r1")))
    assert state(shop)[:2] == (-10, 0)
    shop.buy("A2", 1500)
    assert (state(shop)[:2], shop.totals()["pending"]) == ((5, 0), 5)


# --- lapsing -------------------------------------------------------------------------------------------------------


@pytest.fixture
def lapsing(open_shop: Any, database_url: str) -> Any:
    """A shop where points lapse after 30 days, and a customer who earned 10 on each of three days and spent 12."""
    shop = open_shop(database_url, lot_days=30)
    for number in range(3):
        shop.buy(f"A{number}", 1000)
        shop.now += DAY
    shop.ask(lambda loyalty: loyalty.redeem(shop.ann, 12, "mug"))
    return shop


def test_law_35_only_unspent_parts_lapse(lapsing: Any) -> None:
    """Kills: FloCafe#78, an expiry that takes the lot's quantity."""
    ends = [entry.expires_at for entry in lapsing.ask(lambda loyalty: loyalty.lots(lapsing.ann))]
    for at in (*ends, ends[-1] + DAY):
        for lapsing.now in (at - TICK, at):
            before = state(lapsing)
            waiting.post_passed(lapsing.crm)
            assert state(lapsing) == before
            assert before[0] == sum(left for _, left in before[2])
    assert (lapsing.totals(), lapsing.timers()) == ({"redeemed": 12, "expired": 18}, 0)
    told = lapsing.do(lambda tx: tx.events.timeline(lapsing.ann, types=["PointsExpired"]))
    assert [one.event for one in told] == [
        PointsExpired(unit="points", amount=10),
        PointsExpired(unit="points", amount=8),
    ]
    assert [one.occurred_at for one in told] == ends[::-1]
    changes = [entry.change for entry in lapsing.ask(lambda loyalty: loyalty.statement(lapsing.ann))]
    assert changes == [-10, -8, -12, 10, 10, 10]


def rows(shop: Any) -> list[tuple[Any, ...]]:
    """Return what the ledger holds, without ids and the instants at which it was written down."""
    table = shop.crm.tables["loyalty_transactions"]
    postings = shop.crm.tables["loyalty_postings"]
    joined = table.join(postings, postings.c.transaction_id == table.c.id)
    wanted = select(
        table.c.kind, table.c.effective_at, postings.c.account, postings.c.amount, postings.c.n
    ).select_from(joined)
    return sorted(tuple(row) for row in shop.do(lambda tx: tx.sql.execute(wanted).all()))


def test_law_34_expiring_in_steps_is_expiring_at_once_and_twice_is_once(open_shop: Any) -> None:
    """Kills: expire_drift, an expiry dated by when the job ran."""
    found = []
    for steps in ((31, 32, 33, 60), (60,), (60, 60), (32, 32, 60)):
        shop = open_shop("sqlite://", lot_days=30)
        start = shop.now
        for number in range(3):
            shop.buy(f"A{number}", 1000)
            shop.now += DAY
        for days in steps:
            shop.now = start + days * DAY
            waiting.post_passed(shop.crm)
        found.append((rows(shop), state(shop), shop.timers()))
    assert all(one == found[0] for one in found)


def test_law_34_is_seen_to_fail(open_shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lapse = passing._lapsed
    monkeypatch.setattr(passing, "_lapsed", lambda lot: attrs.evolve(lapse(lot), at=lot.expires_at + DAY))
    with pytest.raises(AssertionError):
        test_law_35_only_unspent_parts_lapse_at_their_end(open_shop)


def test_law_35_only_unspent_parts_lapse_at_their_end(open_shop: Any) -> None:
    shop = open_shop("sqlite://", lot_days=1)
    shop.buy("A1", 1000)
    end = shop.now + DAY
    shop.now += 9 * DAY
    waiting.post_passed(shop.crm)
    (entry, _) = shop.ask(lambda loyalty: loyalty.statement(shop.ann))
    assert (entry.kind, entry.change, entry.at) == (Kind.EXPIRE, -10, end)


def test_law_37_every_lot_lapses_whatever_gave_it(open_shop: Any) -> None:
    """ecommerce-laravel#1056: an award, a grant, a balance taken over, an adjustment and a transfer.

    Kills: a writer of lots that sets no timer (label_never_expires).
    """
    shop = open_shop("sqlite://", lot_days=30)
    lot = Lot(expires_at=shop.now + 30 * DAY)
    ben = shop.do(lambda tx: tx.contacts.add("Ben")).id
    shop.buy("A1", 1000)
    shop.ask(lambda loyalty: loyalty.grant(shop.ann, 1, "g", lot=lot))
    shop.ask(lambda loyalty: loyalty.open(shop.ann, 2, "o", lot=lot))
    shop.ask(lambda loyalty: loyalty.adjust(shop.ann, 3, "a", "forgotten", lot=lot))
    shop.ask(lambda loyalty: loyalty.transfer(shop.ann, ben, 4, "t"))
    assert (shop.totals(), shop.timers()) == ({"active": 16}, 5)
    shop.now += 30 * DAY
    waiting.post_passed(shop.crm)
    assert (shop.totals(), shop.timers()) == ({"expired": 16}, 0)


def test_law_37_is_seen_to_fail(open_shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from crmkit_loyalty import journal

    monkeypatch.setattr(journal, "lot_timers", lambda *given: [])
    with pytest.raises(AssertionError):
        test_law_37_every_lot_lapses_whatever_gave_it(open_shop)


def test_the_job_goes_on_where_it_broke_off(open_shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = open_shop("sqlite://", lot_days=30)
    monkeypatch.setattr(waiting, "BATCH", 2)
    for number in range(7):
        shop.ann = shop.do(lambda tx, n=number: tx.contacts.add(f"member {n}")).id
        shop.buy(f"A{number}", 1000)
    shop.now += 31 * DAY
    stop, left = store.Store.stop, [6]  # in the middle of the second batch

    def stops(self: Any, timers: Any) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError("the machine was switched off")
        return stop(self, timers)

    monkeypatch.setattr(store.Store, "stop", stops)
    with pytest.raises(OSError):
        waiting.post_passed(shop.crm)
    broken = shop.totals()
    assert 0 < broken["expired"] < 70 and broken["expired"] % 20 == 0
    monkeypatch.setattr(store.Store, "stop", stop)
    assert waiting.post_passed(shop.crm) == 7 - broken["expired"] // 10
    assert (shop.totals(), shop.timers()) == ({"expired": 70}, 0)


def test_run_due_runs_the_job(open_shop: Any) -> None:
    shop = open_shop("sqlite://", lot_days=30)
    shop.buy("A1", 1000)
    shop.now += 31 * DAY
    shop.crm.run_due()
    assert shop.totals() == {"expired": 10}


# --- policies ------------------------------------------------------------------------------------------------------


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("validity", "earned", "ends"),
    [
        (Validity(), "2026-01-31T10:00Z", None),
        (Validity(days=30), "2026-01-31T10:00Z", "2026-03-02T10:00Z"),
        (Validity(months=1), "2026-01-31T10:00Z", "2026-02-28T10:00Z"),
        (Validity(months=1), "2028-01-31T10:00Z", "2028-02-29T10:00Z"),
        (Validity(months=12), "2028-02-29T10:00Z", "2029-02-28T10:00Z"),
        (Validity(months=13), "2026-12-31T10:00Z", "2028-01-31T10:00Z"),
        (Validity(ends=Ends.DAY), "2026-03-28T10:00Z", "2026-03-29T00:00Z"),
        (Validity(ends=Ends.MONTH), "2026-12-31T23:59Z", "2027-01-01T00:00Z"),
        (Validity(ends=Ends.MONTH, zone="Europe/London"), "2026-06-30T23:30Z", "2026-07-31T23:00Z"),
        (Validity(ends=Ends.YEAR, months=12), "2026-05-05T00:00Z", "2028-01-01T00:00Z"),
        (Validity(ends=Ends.YEAR, zone="Asia/Tokyo"), "2026-12-31T15:00Z", "2027-12-31T15:00Z"),
        (Validity(on=date(2027, 1, 1), zone="Asia/Tokyo"), "2026-05-05T00:00Z", "2026-12-31T15:00Z"),
        (Validity(on=date(2027, 1, 1), days=3), "2026-05-05T00:00Z", "2026-05-08T00:00Z"),
        (Validity(months=1, zone="Europe/London"), "2026-02-28T12:00Z", "2026-03-28T12:00Z"),
        (Validity(months=1, zone="Europe/London"), "2026-03-15T12:00Z", "2026-04-15T11:00Z"),
    ],
)
def test_law_39_ends_are_clamped_and_never_skip(validity: Validity, earned: str, ends: str | None) -> None:
    """Kills: 31 January and a month as 3 March."""
    assert validity.expires_at(at(earned)) == (FOREVER if ends is None else at(ends))


def test_each_policy_is_a_setting(open_shop: Any) -> None:
    shop = open_shop("sqlite://", lot_months=12, lot_ends="year", hold_days=3, zone="Europe/London")
    shop.buy("A1", 1000)
    (lot,) = shop.ask(lambda loyalty: loyalty.lots(shop.ann))
    assert (lot.active_from, lot.expires_at) == (shop.now + 3 * DAY, at("2028-01-01T00:00Z"))


# --- inactivity ----------------------------------------------------------------------------------------------------


def test_law_41_inactivity_ends_move_forward_on_qualifying_activity_alone(open_shop: Any) -> None:
    """Kills: a claw-back, a grant or the job itself as activity; and a lot that lapsed and comes back."""
    shop = open_shop("sqlite://", inactivity_days=100)
    start = shop.now
    shop.buy("A1", 1000)

    def end() -> int:
        (lot, *_) = shop.ask(lambda loyalty: loyalty.lots(shop.ann))
        return int((lot.expires_at - start) / DAY)

    assert end() == 100
    shop.now += 50 * DAY
    shop.do(lambda tx: tx.orders.refund("A1", Refund.of_amount("r1", Money(100, "GBP"))))
    assert end() == 100
    shop.ask(lambda loyalty: loyalty.redeem(shop.ann, 1, "mug"))
    assert end() == 150
    shop.ask(lambda loyalty: loyalty.grant(shop.ann, 5, "g"))
    assert [int((lot.expires_at - start) / DAY) for lot in shop.ask(lambda one: one.lots(shop.ann))] == [
        150
    ] * 2
    shop.now = start + 120 * DAY
    waiting.post_passed(shop.crm)
    assert (shop.totals()["active"], shop.timers()) == (13, 2)
    shop.buy("A2", 1000)
    assert end() == 220
    shop.now = start + 220 * DAY
    assert state(shop)[:2] == (0, 0)
    shop.buy("A3", 1000)
    assert (state(shop)[:2], shop.totals()["expired"]) == ((10, 10), 23)
    shop.now = start + 319 * DAY
    waiting.post_passed(shop.crm)
    assert (state(shop)[0], shop.timers()) == (10, 1)
    shop.now = start + 320 * DAY
    waiting.post_passed(shop.crm)
    assert (shop.totals().get("active", 0), shop.timers()) == (0, 0)


def test_law_41_is_seen_to_fail(open_shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store.Store, "_active_at", lambda self, *given: self._tx.now)
    with pytest.raises(AssertionError):
        test_law_41_inactivity_ends_move_forward_on_qualifying_activity_alone(open_shop)


# --- redemptions that come back ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "balance"), [("original", 0), ("new", 10)])
def test_what_comes_back_to_a_lot_that_lapsed_goes_by_the_policy(
    open_shop: Any, policy: str, balance: int
) -> None:
    shop = open_shop("sqlite://", lot_days=30, returned_expiry=policy)
    shop.buy("A1", 1000)
    shop.ask(lambda loyalty: loyalty.redeem(shop.ann, 10, "mug"))
    shop.now += 40 * DAY
    first = shop.ask(lambda loyalty: loyalty.cancel_redemption("mug"))
    assert shop.ask(lambda loyalty: loyalty.cancel_redemption("mug")) == first
    assert (first.change, state(shop)[:2]) == (balance, (balance, balance))
    assert shop.totals() == ({"active": 10} if balance else {"expired": 10})
    assert [lot.expires_at for lot in shop.ask(lambda loyalty: loyalty.lots(shop.ann))] == (
        [shop.now + 30 * DAY] if balance else []
    )
    shop.do(lambda tx: tx.orders.refund("A1", Refund.whole("r1")))
    assert (shop.totals(), state(shop)[0]) == ({"clawed": 10}, 0)
