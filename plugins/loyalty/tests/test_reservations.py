"""Two-phase redemption: set aside, then spent, given up, or out of time; it ends once (laws 6, 7, 10, 31 and 46)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from crmkit import KeyConflict, Lot, Money, NotFound, Refund, ValueRefused
from crmkit_loyalty import (
    InsufficientPoints,
    Kind,
    PointsRedeemed,
    PointsReleased,
    PointsReserved,
    ReservationEnded,
    reservations,
    waiting,
)
from crmkit_loyalty.store import Store

DAY, HOUR, TICK = timedelta(days=1), timedelta(hours=1), timedelta(microseconds=1)


@pytest.fixture
def till(shop: Any) -> Any:
    """A shop whose customer has 10 points and has reserved 7 of them for an hour, as "mug"."""
    shop.buy("A1", 1000)
    shop.ask(lambda loyalty: loyalty.reserve(shop.ann, 7, "mug", HOUR, "a mug"))
    return shop


def held(shop: Any) -> tuple[int, int]:
    """Return balance and spendable units."""
    found: tuple[int, int] = shop.ask(lambda one: (one.balance(shop.ann), one.spendable(shop.ann)))
    return found


def names(shop: Any) -> list[str]:
    """Return the keys of the open reservations."""
    return [one.key for one in shop.ask(lambda loyalty: loyalty.reservations(shop.ann))]


def test_what_is_reserved_is_held_and_not_to_be_spent(till: Any) -> None:
    assert (held(till), till.totals(), names(till)) == ((10, 3), {"active": 3, "reserved": 7}, ["mug"])
    with pytest.raises(InsufficientPoints, match="3 may be spent"):
        till.ask(lambda loyalty: loyalty.redeem(till.ann, 4, "cup"))
    (entry, _) = till.ask(lambda loyalty: loyalty.statement(till.ann))
    assert (entry.kind, entry.change) == (Kind.RESERVE, 0)


def test_it_is_spent_once(till: Any) -> None:
    first = till.ask(lambda loyalty: loyalty.commit("mug"))
    assert (first.kind, first.change, held(till)) == (Kind.COMMIT, -7, (3, 3))
    assert till.ask(lambda loyalty: loyalty.commit("mug")) == first
    with pytest.raises(ReservationEnded, match="'mug' was spent at 2026-03-01") as caught:
        till.ask(lambda loyalty: loyalty.release("mug"))
    assert (caught.value.kind, caught.value.key) == (Kind.COMMIT, "mug")
    assert (till.totals(), till.timers(), names(till)) == ({"active": 3, "redeemed": 7}, 0, [])


def test_it_is_given_up_once(till: Any) -> None:
    first = till.ask(lambda loyalty: loyalty.release("mug"))
    assert (first.kind, first.change, held(till)) == (Kind.RELEASE, 0, (10, 10))
    assert till.ask(lambda loyalty: loyalty.release("mug")) == first
    with pytest.raises(ReservationEnded, match="was released"):
        till.ask(lambda loyalty: loyalty.commit("mug"))
    assert (till.totals(), till.timers()) == ({"active": 10}, 0)


@pytest.mark.parametrize("posted_by", ["nobody", "the job", "a touch"])
def test_law_31_it_runs_out_by_time_alone(till: Any, posted_by: str) -> None:
    """Kills: a reservation that holds for ever, or one microsecond too long."""
    end = till.now + HOUR
    till.now = end - TICK
    assert (held(till), waiting.post_passed(till.crm)) == ((10, 3), 0)
    till.now = end
    if posted_by == "the job":
        assert waiting.post_passed(till.crm) == 1
    if posted_by == "a touch":
        till.ask(lambda loyalty: loyalty.redeem(till.ann, 10, "cup"))
        till.ask(lambda loyalty: loyalty.cancel_redemption("cup"))
    assert (held(till), names(till)) == ((10, 10), [])
    with pytest.raises(ReservationEnded, match="was released at 2026-03-01T13:00:00"):
        till.ask(lambda loyalty: loyalty.commit("mug"))
    ended = till.ask(lambda loyalty: loyalty.release("mug"))
    assert (ended.kind, ended.at, till.totals(), till.timers()) == (Kind.RELEASE, end, {"active": 10}, 0)


def test_it_can_be_committed_until_its_last_microsecond(till: Any) -> None:
    till.now += HOUR - TICK
    assert till.ask(lambda loyalty: loyalty.commit("mug")).change == -7


def test_law_6_and_7_its_key_is_a_redemptions(till: Any) -> None:
    first = till.ask(lambda one: one.reserve(till.ann, 7, "mug", HOUR, "a mug"))
    assert (first.kind, till.totals()["reserved"]) == (Kind.RESERVE, 7)
    for call in (
        lambda one: one.reserve(till.ann, 7, "mug", 2 * HOUR, "a mug"),
        lambda one: one.reserve(till.ann, 6, "mug", HOUR, "a mug"),
        lambda one: one.redeem(till.ann, 7, "mug", "a mug"),
    ):
        with pytest.raises(KeyConflict, match="redeem:mug"):
            till.ask(call)
    till.ask(lambda one: one.redeem(till.ann, 1, "cup"))
    with pytest.raises(KeyConflict):
        till.ask(lambda one: one.reserve(till.ann, 1, "cup", HOUR))
    for call in (lambda one: one.commit("cup"), lambda one: one.release("none")):
        with pytest.raises(NotFound, match="no reservation with the key"):
            till.ask(call)


def test_law_46_what_was_committed_comes_back_as_a_redemption_does(till: Any) -> None:
    with pytest.raises(NotFound, match="no redemption with the key 'mug'"):
        till.ask(lambda loyalty: loyalty.cancel_redemption("mug"))
    till.ask(lambda loyalty: loyalty.commit("mug"))
    first = till.ask(lambda loyalty: loyalty.cancel_redemption("mug"))
    assert till.ask(lambda loyalty: loyalty.cancel_redemption("mug")) == first
    assert (first.change, held(till), till.totals()) == (7, (10, 10), {"active": 10})


def test_what_is_reserved_is_clawed_back_as_a_debt_that_its_release_pays(till: Any) -> None:
    till.do(lambda tx: tx.orders.refund("A1", Refund.of_amount("r1", Money(500, "GBP"))))
    assert (held(till), till.totals()) == ((5, 0), {"reserved": 7, "owed": 2, "clawed": 5})
    till.ask(lambda loyalty: loyalty.release("mug"))
    assert (held(till), till.totals()) == ((5, 5), {"active": 5, "clawed": 5})


def test_what_is_reserved_may_be_spent_though_its_lot_lapses_and_else_lapses_too(shop: Any) -> None:
    lot = Lot(expires_at=shop.now + HOUR)
    for key in ("mug", "cup"):
        shop.ask(lambda one, key=key: one.grant(shop.ann, 5, key, lot=lot))
        shop.ask(lambda one, key=key: one.reserve(shop.ann, 4, key, 2 * HOUR))
    shop.now += HOUR + TICK
    waiting.post_passed(shop.crm)
    assert (held(shop), shop.totals()) == ((0, 0), {"reserved": 8, "expired": 2})
    assert shop.ask(lambda one: one.commit("mug")).change == -4
    assert shop.ask(lambda one: one.release("cup")).change == -4
    assert (held(shop), shop.totals()) == ((0, 0), {"redeemed": 4, "expired": 6})


def test_the_log_tells(till: Any) -> None:
    till.ask(lambda one: one.reserve(till.ann, 1, "cup", HOUR))
    till.ask(lambda one: one.commit("mug"))
    till.ask(lambda one: one.reserve(till.ann, 1, "pin", HOUR))
    till.ask(lambda one: one.release("pin"))
    began = till.now
    till.now += HOUR
    waiting.post_passed(till.crm)
    types = ["PointsReserved", "PointsRedeemed", "PointsReleased"]
    told = {repr(one.event) for one in till.do(lambda tx: tx.events.timeline(till.ann, types=types))}
    until = began + HOUR
    assert {
        repr(PointsReserved(key="mug", unit="points", amount=7, until=until, reason="a mug")),
        repr(PointsRedeemed(key="mug", unit="points", amount=7, reason="a mug")),
        repr(PointsReleased(key="cup", unit="points", amount=1, because="ran out")),
        repr(PointsReleased(key="pin", unit="points", amount=1, because="released")),
    } <= told


@pytest.mark.parametrize("ttl", [timedelta(0), -HOUR, 3600, None, timedelta(days=367), HOUR + TICK])
def test_a_time_that_is_none_is_refused(shop: Any, ttl: Any) -> None:
    with pytest.raises(ValueRefused, match=r"ttl is .* whole seconds, of at most 366 days"):
        shop.ask(lambda one: one.reserve(shop.ann, 1, "mug", ttl))


def test_a_reservation_of_merged_contacts_ends_after_they_are_two_again(till: Any) -> None:
    """Its lots go back to whom they belong, whoever's wallet is touched first."""
    ben = till.do(lambda tx: tx.contacts.add("Ben")).id
    till.ask(lambda one: one.grant(ben, 5, "g", lot=Lot(expires_at=till.now + DAY)))
    merge = till.do(lambda tx: tx.merges.merge(till.ann, ben))
    till.ask(lambda one: one.reserve(till.ann, 8, "cup", HOUR))
    till.do(lambda tx: tx.merges.unmerge(merge.id))
    assert [till.ask(lambda one, id=id: (one.balance(id), one.spendable(id))) for id in (till.ann, ben)] == [
        (10, 0),
        (5, 0),
    ]
    till.now += HOUR
    assert [till.ask(lambda one, id=id: one.spendable(id)) for id in (till.ann, ben)] == [10, 5]
    till.ask(lambda one: one.redeem(ben, 5, "pin"))
    assert [till.ask(lambda one, id=id: one.spendable(id)) for id in (till.ann, ben)] == [10, 0]
    assert till.ask(lambda one: one.release("cup")).kind is Kind.RELEASE


def test_a_reservation_that_may_end_twice_is_seen_to_fail(till: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """TigerBeetle's "a pending transfer resolves at most once", without the one key of its end."""
    monkeypatch.setattr(reservations, "ended", lambda key: f"end:{key}:{Kind.COMMIT}")
    monkeypatch.setattr(Store, "stop", lambda self, timers: 0)
    till.now += HOUR
    till.ask(lambda one: one.redeem(till.ann, 10, "all"))
    till.ask(lambda one: one.commit("mug"))  # what ran out is spent nevertheless
    assert held(till)[0] == -7
