"""A wallet of two contacts that were merged: read, locked and spent as one; undone, each burn keeps its lots."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from crmkit import Lot, Money, Refund, Transaction
from crmkit_loyalty import InsufficientPoints, Loyalty
from crmkit_loyalty.store import Store


@pytest.fixture
def couple(shop: Any) -> Any:
    """A shop with two customers, Ann and Ben, of whom each has 50 points; Ben's lapse first."""
    shop.ben = shop.do(lambda tx: tx.contacts.add("Ben")).id
    soon = Lot(expires_at=shop.now + timedelta(days=30))
    shop.ask(lambda loyalty: loyalty.grant(shop.ann, 50, "ann's"))
    shop.ask(lambda loyalty: loyalty.grant(shop.ben, 50, "ben's", lot=soon))
    return shop


def merged(shop: Any, loser: UUID, into: UUID) -> UUID:
    """Merge two contacts and return the merge's id."""
    id: UUID = shop.do(lambda tx: tx.merges.merge(loser, into)).id
    return id


def holdings(shop: Any, id: UUID) -> tuple[int, int, list[int], list[int]]:
    """Return balance, spendable units, what is left of each lot, and the changes of the statement."""

    def read(loyalty: Loyalty) -> Any:
        lots = [lot.left for lot in loyalty.lots(id)]
        changes = [entry.change for entry in loyalty.statement(id)]
        assert sum(changes) == loyalty.balance(id)
        return loyalty.balance(id), loyalty.spendable(id), lots, changes

    return shop.ask(read)  # type: ignore[no-any-return]


def test_what_lapses_first_is_spent_first_whoever_had_it(couple: Any) -> None:
    merge = merged(couple, couple.ben, couple.ann)
    assert holdings(couple, couple.ben) == holdings(couple, couple.ann) == (100, 100, [50, 50], [50, 50])
    couple.ask(lambda loyalty: loyalty.redeem(couple.ann, 70, "mug"))
    assert holdings(couple, couple.ben) == (30, 30, [30], [-70, 50, 50])
    with pytest.raises(InsufficientPoints, match="30 may be spent"):
        couple.ask(lambda loyalty: loyalty.redeem(couple.ben, 31, "cup"))
    couple.do(lambda tx: tx.merges.unmerge(merge))
    assert holdings(couple, couple.ann) == (30, 30, [30], [-20, 50])
    assert holdings(couple, couple.ben) == (0, 0, [], [-50, 50])
    couple.now += timedelta(
        days=31
    )  # Ben's lot has lapsed: what goes back to it is there and cannot be spent
    couple.ask(lambda loyalty: loyalty.cancel_redemption("mug"))
    assert couple.ask(lambda loyalty: loyalty.spendable(couple.ann)) == 50
    assert couple.ask(lambda loyalty: loyalty.spendable(couple.ben)) == 0


def test_a_debt_of_one_is_paid_by_the_other_while_they_are_one(couple: Any) -> None:
    couple.buy("A1", 10000)
    couple.ask(lambda loyalty: loyalty.redeem(couple.ann, 150, "all"))
    couple.do(lambda tx: tx.orders.refund("A1", Refund.whole("r1")))
    assert couple.ask(lambda loyalty: loyalty.balance(couple.ann)) == -100
    merge = merged(couple, couple.ann, couple.ben)
    assert couple.ask(lambda loyalty: (loyalty.balance(couple.ben), loyalty.spendable(couple.ann))) == (
        -50,
        0,
    )
    couple.do(lambda tx: tx.merges.unmerge(merge))
    assert couple.ask(lambda loyalty: (loyalty.balance(couple.ben), loyalty.balance(couple.ann))) == (
        50,
        -100,
    )
    merge = merged(couple, couple.ann, couple.ben)
    couple.ask(lambda loyalty: loyalty.grant(couple.ben, 70, "sorry"))  # the next write settles
    assert holdings(couple, couple.ann)[:3] == (20, 20, [20])
    couple.do(lambda tx: tx.merges.unmerge(merge))
    assert holdings(couple, couple.ann)[:3] == (0, 0, [])
    assert holdings(couple, couple.ben)[:3] == (20, 20, [20])


def test_a_refund_of_a_losers_order_takes_back_from_its_own_lot(couple: Any) -> None:
    couple.buy("A1", 1000)
    merge = merged(couple, couple.ann, couple.ben)
    couple.do(lambda tx: tx.orders.refund("A1", Refund.of_amount("r1", Money(400, "GBP"))))
    assert couple.ask(lambda loyalty: loyalty.balance(couple.ben)) == 106
    couple.do(lambda tx: tx.merges.unmerge(merge))
    assert holdings(couple, couple.ann)[0] == 56
    assert holdings(couple, couple.ben)[0] == 50


def race(shop: Any) -> int:
    """Let two spend 40 of 50 at once, by two ids of one person; return how many could."""
    ben = shop.do(lambda tx: tx.contacts.add("Ben")).id
    shop.ask(lambda loyalty: loyalty.grant(shop.ann, 50, "start"))
    merged(shop, shop.ann, ben)
    spent: list[str] = []
    ready, go = threading.Event(), threading.Event()

    def second() -> None:
        def work(tx: Transaction) -> None:
            ready.set()
            Loyalty(tx).redeem(ben, 40, "second")

        try:
            shop.do(work)
            spent.append("second")
        except InsufficientPoints:
            go.set()

    thread = threading.Thread(target=second)
    with shop.crm.begin() as tx:
        Loyalty(tx).redeem(shop.ann, 40, "first")
        spent.append("first")
        thread.start()
        ready.wait(10)
        go.wait(0.5)
    thread.join(60)
    return len(spent)


def test_two_ids_of_one_person_spend_a_point_once(open_shop: Any, database_url: str) -> None:
    shop = open_shop(database_url)
    assert race(shop) == 1
    assert shop.balance() == 10


def test_it_is_seen_to_fail_where_each_locks_its_own_wallet(
    open_shop: Any, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = Store.lock
    monkeypatch.setattr(Store, "lock", lambda self, ids, units: lock(self, list(ids)[:0], units))
    shop = open_shop(postgresql_url)
    assert race(shop) == 2
    assert shop.balance() == -30
