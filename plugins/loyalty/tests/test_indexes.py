"""Every look-up of the ledger reads an index that fits its WHERE and its ORDER BY (by EXPLAIN)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event, text

from crmkit import Refund
from crmkit_loyalty import Loyalty


def _pages(loyalty: Loyalty, who: Any) -> None:
    page = loyalty.statement(who, limit=2)
    loyalty.statement(who, limit=2, before=page[-1])


LOOKUPS: dict[str, Callable[[Any, Any], Any]] = {
    "balance": lambda tx, who: Loyalty(tx).balance(who),
    "spendable": lambda tx, who: Loyalty(tx).spendable(who),
    "lots": lambda tx, who: Loyalty(tx).lots(who),
    "statement": lambda tx, who: _pages(Loyalty(tx), who),
    "explain": lambda tx, who: Loyalty(tx).explain("order:A-119-0:paid"),
    "redeem": lambda tx, who: Loyalty(tx).redeem(who, 1, "r"),
    "grant": lambda tx, who: Loyalty(tx).grant(who, 1, "g"),
    "refund": lambda tx, who: tx.orders.refund("A-119-0", Refund.whole("r")),
}


@pytest.fixture
def filled(open_shop: Any, database_url: str) -> Any:
    """A shop with many members, three orders each."""
    shop = open_shop(database_url)
    with shop.crm.begin() as tx:
        for number in range(120):
            shop.ann = tx.contacts.add(f"member {number}").id
            for order in range(3):
                tx.orders.record(shop.order(f"A-{number}-{order}", 1000), state="paid")
    tables = ", ".join(table.name for table in shop.crm.tables.values())
    with shop.crm.engine.begin() as connection:
        many = shop.crm.engine.dialect.name in ("mysql", "mariadb")
        connection.execute(text(f"ANALYZE TABLE {tables}" if many else "ANALYZE"))
    return shop


def faults(crm: Any, statement: str, parameters: Any) -> list[str]:
    """Return the steps of the database's plan that read a whole table of the ledger, or sort one."""
    with crm.engine.connect() as connection:
        if crm.engine.dialect.name == "sqlite":
            rows = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters).all()
            return [row[3] for row in rows if re.search(r"^SCAN (?!.*INDEX).*loyalty", str(row[3]))]
        if crm.engine.dialect.name == "postgresql":
            for switch in ("enable_seqscan", "enable_bitmapscan"):
                connection.exec_driver_sql(f"SET LOCAL {switch} = off")
            plan = connection.exec_driver_sql("EXPLAIN " + statement, parameters).scalars()
            return [step for step in plan if re.search(r"Seq Scan on crm_loyalty", step)]
        rows = connection.exec_driver_sql("EXPLAIN " + statement, parameters).mappings().all()
        return [str(dict(r)) for r in rows if r["type"] in ("ALL", "index") and "loyalty" in str(r["table"])]


def test_each_look_up_uses_an_index(filled: Any) -> None:
    shop, found = filled, []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if not many and re.match(r"\s*SELECT.*loyalty", statement, re.DOTALL):
            found.append((statement, parameters))

    for name, look_up in LOOKUPS.items():
        event.listen(shop.crm.engine, "before_cursor_execute", note)
        shop.do(lambda tx, look_up=look_up: look_up(tx, shop.ann))
        event.remove(shop.crm.engine, "before_cursor_execute", note)
        assert found, name
        assert {s: wrong for s, p in found if (wrong := faults(shop.crm, s, p))} == {}, name
        found.clear()
