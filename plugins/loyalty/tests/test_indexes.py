"""Every look-up of the ledger reads an index that fits its WHERE and its ORDER BY (by EXPLAIN)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from sqlalchemy import event, text

from crmkit import Asked, Award, Facts, Limit, Money, Per, Refund, RewardRule, hookimpl
from crmkit_loyalty import GiftCards, GiftLog, Loyalty, Members, Offer, Offers, Referrals, Tiers
from crmkit_loyalty.gift_cards.store import CardStore
from crmkit_loyalty.members.store import MemberStore
from crmkit_loyalty.offers.store import OfferStore
from crmkit_loyalty.referrals.store import ReferralStore
from crmkit_loyalty.store import Store
from crmkit_loyalty.tiers.store import TierStore
from crmkit_loyalty.usage import LoyaltyRewardLedger


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
    "reserve": lambda tx, who: Loyalty(tx).reserve(who, 1, "v", timedelta(hours=1)),
    "reservations": lambda tx, who: Loyalty(tx).reservations(who),
    "commit": lambda tx, who: Loyalty(tx).commit("v"),
    "cancel redemption": lambda tx, who: Loyalty(tx).cancel_redemption("v"),
    "transfer": lambda tx, who: Loyalty(tx).transfer(who, tx.orders.get("A-0-0").contact_id, 1, "t"),
    "idle": lambda tx, who: Store(tx)._active_at([who], "points", True),
    "due": lambda tx, who: Store(tx).due(100),
    "rebuild": lambda tx, who: Loyalty(tx).rebuild(who),
    "limit of a member": lambda tx, who: LoyaltyRewardLedger().used(tx, [_asked(Per.MEMBER, (who,))]),
    "limit of all": lambda tx, who: LoyaltyRewardLedger().used(tx, [_asked(Per.ALL, None)]),
    "undone": lambda tx, who: tx.orders.cancel("A-118-0"),
}


def _asked(per: Per, ids: Any) -> Asked:
    day = datetime(2026, 3, 2, tzinfo=UTC)  # of all orders' own day the whole table is wanted
    return Asked(
        per=per, rule="limited", unit="points", contact_ids=ids, start=day, end=day + timedelta(days=1)
    )


@attrs.define(eq=False)
class Limited:
    """A plugin with a rule within limits."""

    name: str = "limited"
    version: int = 1
    limits: tuple[Limit, ...] = (Limit(per="member", times=10**6), Limit(per="all", times=10**6))

    def evaluate(self, facts: Facts) -> Award:
        return Award(amount=5)

    @hookimpl
    def crmkit_reward_rules(self) -> list[RewardRule]:
        return [self]


STANDING: dict[str, Callable[[Any, Any], Any]] = {
    "tier": lambda tx, who: Tiers(tx).of(who),
    "progress": lambda tx, who: Tiers(tx).progress(who),
    "evaluate": lambda tx, who: Tiers(tx).evaluate(who),
    "tiers due": lambda tx, who: TierStore(tx).due(tx.now, 10),
    "member": lambda tx, who: Members(tx).of(who),
    "number": lambda tx, who: Members(tx).by_number(Members(tx).of(who).number),
    "members": lambda tx, who: MemberStore(tx).page(who, 10),
    "cards": lambda tx, who: GiftCards(tx).of(who),
    "capture": lambda tx, who: GiftCards(tx).capture(
        GiftCards(tx).issue(Money(100, "GBP"), "new").code,
        Money(10, "GBP"),
        tx.orders.get("A-119-0").order,
        "p",
    ),
    "restore": lambda tx, who: GiftCards(tx).restore("p", "r"),
    "cards of an order": lambda tx, who: CardStore(tx).bought_with("A-1-0"),
    "lapsed": lambda tx, who: CardStore(tx).lapsed(tx.now, 10),
    "referred": lambda tx, who: Referrals(tx).of(who),
    "refers": lambda tx, who: Referrals(tx).by(who),
    "code": lambda tx, who: Referrals(tx).code(who),
    "referrals due": lambda tx, who: ReferralStore(tx).due(tx.now, 10),
    "offer": lambda tx, who: Offers(tx).redeem("o7", who, "k", cost=Money(1, "GBP"), order_key="A-119-0"),
    "uses of an order": lambda tx, who: OfferStore(tx).of_order("A-119-0"),
    "gifts": lambda tx, who: GiftLog(tx).of(who),
}


def stand(tx: Any, who: Any, number: int) -> None:
    """Give a member everything that stands on the ledger."""
    Members(tx).join(who)
    GiftCards(tx).issue(Money(100, "GBP"), f"c{number}", contact_id=who, order_key=f"A-{number}-0")
    Offers(tx).define(Offer(name=f"o{number}"))
    Offers(tx).redeem(f"o{number}", who, f"u{number}", cost=Money(1, "GBP"), order_key=f"A-{number}-0")
    GiftLog(tx).record(who, "a mug", f"g{number}")


@pytest.fixture
def filled(open_shop: Any, database_url: str) -> Any:
    """A shop with many members, three orders each."""
    tiers = {"levels": [{"name": "bronze", "threshold": 0}, {"name": "gold", "threshold": 100}]}
    shop = open_shop(database_url, Limited(), lot_days=30, tiers=tiers, referrals={"new_only": False})
    with shop.crm.begin() as tx:
        code = Referrals(tx).code(shop.ann)
        for number in range(120):
            shop.ann = tx.contacts.add(f"member {number}").id
            Referrals(tx).claim(code, shop.ann, f"r{number}")
            for order in range(3):
                tx.orders.record(shop.order(f"A-{number}-{order}", 1000), state="paid")
            stand(tx, shop.ann, number)
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

    for name, look_up in (LOOKUPS | STANDING).items():
        event.listen(shop.crm.engine, "before_cursor_execute", note)
        shop.do(lambda tx, look_up=look_up: look_up(tx, shop.ann))
        event.remove(shop.crm.engine, "before_cursor_execute", note)
        assert found, name
        assert {s: wrong for s, p in found if (wrong := faults(shop.crm, s, p))} == {}, name
        found.clear()
