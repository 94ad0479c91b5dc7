"""Two transactions at once, at every isolation level: the right answer or `RetryTransaction`, nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import MetaData, create_engine, text

from crmkit import (
    CRM,
    ContactPoint,
    Message,
    Money,
    OrderLine,
    Refund,
    RetryTransaction,
    Transaction,
)
from sql.hosts import order, shop

LEVELS = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]
GIVEN = order()


def lines(pence: int) -> list[OrderLine]:
    return [OrderLine("x", 1, Money(pence, "GBP"))]


STEPS: dict[str, Callable[[Transaction], Any]] = {
    "record": lambda tx: tx.orders.record(GIVEN).replayed,
    "amend": lambda tx: tx.orders.amend("A-1", lines(700), amendment="1").replayed,
    "paid": lambda tx: tx.orders.paid("A-1").replayed,
    "refund": lambda tx: tx.orders.refund("A-1", Refund.of_amount("r1", Money(100, "GBP"))).replayed,
    "rest": lambda tx: tx.orders.refund("A-1", Refund.whole("r2")).entry.event.amount.minor,
    "contact": lambda tx: tx.contacts.find_or_add([ContactPoint.email("new@example.com")]).name,
    "message": lambda tx: tx.messages.queue(
        Message(topic="t", text="x"), channel="pigeon", key="m1", to=ContactPoint.handle("loft", "ann")
    ).delivery.key,
}  # fmt: skip


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["postgresql", "mariadb"])
def server_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


def test_what_another_committed_after_our_snapshot_is_seen_or_retried(server_url: str, level: str) -> None:
    if server_url.startswith("mariadb") and level == "SERIALIZABLE":
        return  # there every SELECT locks what it reads: nobody commits in between
    crm = shop(server_url)
    engine = create_engine(server_url, isolation_level=level)  # type: ignore[arg-type]
    for name, step in STEPS.items():
        with engine.connect() as mine:
            mine.execute(text("SELECT COUNT(*) FROM crm_orders"))  # takes the snapshot, where there is one
            crm.transact(step)
            try:
                answer = step(crm.join(mine))
                mine.commit()
            except RetryTransaction:
                mine.rollback()
                answer = step(crm.join(mine))
                mine.commit()
            expected = {"contact": "", "message": "m1", "rest": 600}.get(name, True)
            assert answer == expected, (name, level)
    with crm.begin() as tx:
        assert [entry.type for entry in tx.orders.history("A-1")] == [
            "OrderRecorded", "OrderAmended", "OrderPaid", "OrderRefunded", "OrderRefunded",
        ]  # fmt: skip
        assert len(tx.messages.list()) == 1


def test_many_at_once_make_one(server_url: str, level: str) -> None:
    """Eight threads record one order of one new customer at once: one order, one contact, seven replays."""
    shop(server_url).engine.dispose()
    engine = create_engine(server_url, isolation_level=level, pool_size=8)  # type: ignore[arg-type]
    crm = CRM(engine)
    answers: list[Any] = []
    start = threading.Barrier(8)

    def record() -> None:
        start.wait()
        answers.append(crm.transact(lambda tx: tx.orders.record(GIVEN), attempts=50))

    threads = [threading.Thread(target=record) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.dispose()
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 7
    assert len({answer.contact_id for answer in answers}) == 1


def test_many_at_once_on_sqlite(sqlite_url: str) -> None:
    crm = shop(sqlite_url)
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(crm.transact(lambda tx: tx.orders.record(GIVEN))))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 7


def test_a_host_that_reads_before_another_writes_on_sqlite_is_told_to_retry(sqlite_url: str) -> None:
    crm = shop(sqlite_url)
    engine = create_engine(sqlite_url)
    with engine.connect() as mine:
        tx = crm.join(mine)
        tx.contacts.find(ContactPoint.email("ann@example.com"))
        crm.transact(lambda tx: tx.orders.record(GIVEN))
        with pytest.raises(RetryTransaction, match="again"):
            tx.orders.record(order("A-2"))
        mine.rollback()
        assert crm.join(mine).orders.record(GIVEN).replayed


def test_a_crm_built_twice_over_the_hosts_metadata_finds_its_tables(sqlite_url: str) -> None:
    metadata = MetaData()
    first, second = CRM(sqlite_url, metadata=metadata), CRM(sqlite_url, metadata=metadata)
    assert dict(first.tables) == dict(second.tables)
