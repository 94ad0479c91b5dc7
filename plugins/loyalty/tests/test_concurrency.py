"""Law 10 and law 13 over real locks: nothing is overspent, and a wallet is opened once, however many ask at once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import create_engine, func, select

from crmkit import Refund, RetryTransaction
from crmkit_loyalty import InsufficientPoints, Loyalty
from crmkit_loyalty.store import Store

LEVELS = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]


def at_once(works: list[Callable[[], Any]]) -> Counter[Any]:
    """Do works in threads that start together; return how often each answer or exception type came."""
    gate, answers = threading.Barrier(len(works)), []

    def run(work: Callable[[], Any]) -> None:
        gate.wait()
        try:
            answers.append(work())
        except Exception as error:
            answers.append(type(error).__name__)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return Counter(answers)


def test_law_10_twenty_redemptions_of_one_balance(open_shop: Any, database_url: str) -> None:
    shop = open_shop(database_url)
    shop.ask(lambda loyalty: loyalty.grant(shop.ann, 50, "start"))

    def spend(number: int) -> Callable[[], str]:
        def work() -> str:
            shop.crm.transact(lambda tx: Loyalty(tx).redeem(shop.ann, 7, f"r{number}"), attempts=50)
            return "spent"

        return work

    assert at_once([spend(number) for number in range(20)]) == {"spent": 7, "InsufficientPoints": 13}
    assert (shop.balance(), shop.ask(lambda loyalty: loyalty.spendable(shop.ann))) == (1, 1)


def test_law_6_one_redemption_asked_for_by_many(open_shop: Any, database_url: str) -> None:
    shop = open_shop(database_url)
    shop.ask(lambda loyalty: loyalty.grant(shop.ann, 50, "start"))

    def work() -> Any:
        return shop.crm.transact(lambda tx: Loyalty(tx).redeem(shop.ann, 7, "mug"), attempts=50).id

    assert list(at_once([work] * 8).values()) == [8]
    assert shop.balance() == 43


def test_law_13_first_earns_at_once_open_one_wallet(open_shop: Any, database_url: str) -> None:
    shop = open_shop(database_url)

    def earn(number: int) -> Callable[[], str]:
        def work() -> str:
            order = shop.order(f"A{number}", 1000)
            shop.crm.transact(lambda tx: tx.orders.record(order, state="paid"), attempts=50)
            return "earned"

        return work

    assert at_once([earn(number) for number in range(6)]) == {"earned": 6}
    assert shop.balance() == 60
    count = select(func.count()).select_from(shop.crm.tables["loyalty_wallets"])
    assert shop.do(lambda tx: tx.sql.execute(count).scalar_one()) == 1


@pytest.fixture(params=["postgresql", "mariadb"])
def server_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database on each server in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def raced(open_shop: Any, server_url: str) -> Any:
    """Lets a transaction see a balance of 10, another spend 7 of it and commit, and the first spend 7 as well."""
    shop = open_shop(server_url)
    shop.ask(lambda loyalty: loyalty.grant(shop.ann, 10, "start"))

    def race(level: Any) -> str:
        engine = create_engine(server_url, isolation_level=level)
        try:
            with engine.connect() as connection, connection.begin() as host:
                tx = shop.crm.join(connection)
                assert Loyalty(tx).spendable(shop.ann) == 10
                shop.ask(lambda loyalty: loyalty.redeem(shop.ann, 7, "first"))
                try:
                    Loyalty(tx).redeem(shop.ann, 7, "second")
                except (InsufficientPoints, RetryTransaction) as error:
                    host.rollback()
                    return type(error).__name__
            return "spent"
        finally:
            engine.dispose()

    race.shop = shop  # type: ignore[attr-defined]
    return race


@pytest.mark.parametrize("level", LEVELS)
def test_law_10_holds_at_every_isolation_level(raced: Any, level: str, server_url: str) -> None:
    if server_url.startswith("mariadb") and level == "SERIALIZABLE":
        return  # there every SELECT locks what it reads: nobody commits in between
    assert raced(level) in ("InsufficientPoints", "RetryTransaction")
    assert raced.shop.balance() == 3


def test_law_10_is_seen_to_fail(raced: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """odoo#249775, shopware#11245: without the lock, and without looking past the snapshot."""
    wallet = Store.wallet
    monkeypatch.setattr(Store, "lock", lambda self, ids, units: True)
    monkeypatch.setattr(Store, "wallet", lambda self, ids, unit, **_: wallet(self, ids, unit))
    assert raced("REPEATABLE READ") == "spent"
    assert raced.shop.balance() == -4


def test_a_claw_back_waits_for_a_redemption(open_shop: Any, server_url: str) -> None:
    """Whoever comes second sees what the first has left."""
    shop = open_shop(server_url)
    shop.buy("A1", 1000)

    def refund() -> str:
        shop.crm.transact(lambda tx: tx.orders.refund("A1", Refund.whole("r1")), attempts=50)
        return "refunded"

    def spend() -> str:
        shop.crm.transact(lambda tx: Loyalty(tx).redeem(shop.ann, 10, "mug"), attempts=50)
        return "spent"

    answers = at_once([refund, spend])
    assert answers["refunded"] == 1
    assert shop.balance() == (-10 if answers["spent"] else 0)
    totals = shop.ask(lambda loyalty: loyalty.totals())
    assert totals.issued == totals.active + totals.redeemed + totals.clawed - totals.owed
