"""What the tests of the loyalty plugin share: a shop with a clock, and orders."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import attrs
import pytest
from sqlalchemy import func, select

from crmkit import CRM, Money, Order, OrderLine, Transaction
from crmkit_loyalty import Loyalty, LoyaltyPlugin, LoyaltySettings, Totals

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@attrs.define
class Shop:
    """A CRM with the loyalty plugin, a clock that stands still, and a customer.

    Args:
        crm: the CRM.
        now: its present instant.
        ann: the customer's contact.
        ben: another customer's, where a test needs one.
    """

    crm: CRM
    now: datetime = NOW
    ann: UUID = attrs.field(init=False)
    ben: UUID = attrs.field(init=False)

    def order(self, key: str, *prices: int, currency: str = "GBP", **fields: Any) -> Order:
        """Return an order of the customer, one line of three for each price in minor units."""
        lines = tuple(OrderLine("sku", 3, Money(price, currency)) for price in prices)
        return Order(key, lines, placed_at=self.now, contact_id=self.ann, **fields)

    def buy(self, key: str, *prices: int, **fields: Any) -> Any:
        """Record an order as paid, in a transaction of its own."""
        with self.crm.begin() as tx:
            return tx.orders.record(self.order(key, *prices, **fields), state="paid")

    def ask(self, question: Callable[[Loyalty], Any]) -> Any:
        """Return what the ledger answers in a transaction of its own."""
        return self.crm.transact(lambda tx: question(Loyalty(tx)), attempts=20)

    def balance(self, unit: str = "points") -> int:
        """Return the customer's balance."""
        found: int = self.ask(lambda loyalty: loyalty.balance(self.ann, unit))
        return found

    def totals(self) -> dict[str, int]:
        """Return the accounts that hold something, once they add up to what was issued."""
        found: Totals = self.ask(lambda loyalty: loyalty.totals())
        held = found.pending + found.active + found.reserved
        assert found.issued == held + found.redeemed + found.clawed + found.expired - found.owed
        return {name: amount for name, amount in attrs.asdict(found).items() if amount and name != "issued"}

    def timers(self) -> int:
        """Return how many things time is going to do."""
        count = select(func.count()).select_from(self.crm.tables["loyalty_timers"])
        return int(self.do(lambda tx: tx.sql.execute(count).scalar_one()))

    def do(self, work: Callable[[Transaction], Any]) -> Any:
        """Return what came of some work in a transaction of its own."""
        return self.crm.transact(work, attempts=20)


@pytest.fixture
def open_shop() -> Any:
    """Makes shops; the settings are the plugin's, and further plugins may be given."""
    made: list[Shop] = []

    def make(url: str = "sqlite://", *plugins: object, strict: bool = True, **settings: Any) -> Shop:
        shop: Shop

        def clock() -> datetime:
            return shop.now

        loyalty = LoyaltyPlugin(LoyaltySettings(**settings))
        shop = Shop.__new__(Shop)
        shop.now = NOW
        shop.crm = CRM(url, plugins=[*plugins, loyalty], clock=clock, strict=strict)
        shop.crm.create_tables()
        shop.ann = shop.do(lambda tx: tx.contacts.add("Ann")).id
        made.append(shop)
        return shop

    yield make
    for shop in made:
        shop.crm.engine.dispose()


@pytest.fixture
def shop(open_shop: Any) -> Shop:
    """A shop in memory, a point for each pound of goods."""
    found: Shop = open_shop()
    return found
