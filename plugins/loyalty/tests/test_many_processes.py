"""Law 10 across processes: one balance, 200 redemptions, 8 processes, on the servers.

Through `crm.transact` nothing is overspent and no deadlock surfaces; through `join` only RetryTransaction does.
"""

from __future__ import annotations

import multiprocessing
from collections import Counter
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import create_engine

from crmkit import CRM, RetryTransaction
from crmkit_loyalty import InsufficientPoints, Loyalty, LoyaltyPlugin

PROCESSES, EACH, BALANCE, COST = 8, 25, 1000, 7


def transacting(url: str, who: UUID, first: int) -> Counter[str]:
    """Spend through transact: what is answered is either spent, or that there is too little."""
    crm = CRM(url, plugins=[LoyaltyPlugin()])
    answers: Counter[str] = Counter()
    for number in range(first, first + EACH):
        try:
            crm.transact(lambda tx, n=number: Loyalty(tx).redeem(who, COST, f"r{n}"), attempts=100)
            answers["spent"] += 1
        except Exception as error:
            answers[type(error).__name__] += 1
    crm.engine.dispose()
    return answers


def joining(url: str, who: UUID, first: int) -> Counter[str]:
    """Spend inside transactions of the host's, which tries again when it is told to."""
    crm, engine = CRM(url, plugins=[LoyaltyPlugin()]), create_engine(url)
    answers: Counter[str] = Counter()
    for number in range(first, first + EACH):
        for _ in range(100):
            answer = _joined(crm, engine, who, f"r{number}")
            if answer != RetryTransaction.__name__:
                break
        answers[answer] += 1
    engine.dispose()
    crm.engine.dispose()
    return answers


def _joined(crm: CRM, engine: Any, who: UUID, key: str) -> str:
    try:
        with engine.connect() as connection, connection.begin():
            tx = crm.join(connection)
            Loyalty(tx).spendable(who)  # a read first: a snapshot that is stale once the wallet is locked
            Loyalty(tx).redeem(who, COST, key)
        return "spent"
    except Exception as error:
        return type(error).__name__


def processes() -> Any:
    """What makes processes that share nothing with this one, and have the modules loaded."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["crmkit_loyalty", "crmkit.testing", "psycopg", "pymysql"])
    return context


@pytest.fixture(params=["postgresql", "mariadb"])
def server_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database on each server in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.mark.parametrize("work", [transacting, joining])
def test_law_10_two_hundred_redemptions_of_one_balance(open_shop: Any, server_url: str, work: Any) -> None:
    """odoo#249775; test_concurrency shows it fail without the lock."""
    shop = open_shop(server_url)
    shop.ask(lambda loyalty: loyalty.grant(shop.ann, BALANCE, "start"))
    shop.crm.engine.dispose()
    given = [(server_url, shop.ann, number * EACH) for number in range(PROCESSES)]
    with processes().Pool(PROCESSES) as pool:
        answers: Counter[str] = sum(pool.starmap(work, given), Counter())
    spent = BALANCE // COST
    assert answers == {"spent": spent, InsufficientPoints.__name__: PROCESSES * EACH - spent}
    assert shop.totals() == {"active": BALANCE - spent * COST, "redeemed": spent * COST}
