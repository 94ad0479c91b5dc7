"""Segments ask for the balance that `Loyalty.balance` gives."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from crmkit import Lot, Refund


def agrees(shop: Any, expected: int) -> None:
    """Assert that the ledger and the field have this balance, in SQL and in Python."""
    assert shop.balance() == expected
    with shop.crm.begin() as tx:
        question = tx.segments.ask(f"loyalty.points == {expected}")
        assert question.in_sql
        assert shop.ann in {member.id for member in question.members()}
        assert question.contains(shop.ann)
        assert shop.ann not in {
            member.id for member in tx.segments.ask(f"loyalty.points > {expected}").members()
        }


def test_the_balance_can_be_asked_whatever_lapsed_or_is_owed(shop: Any) -> None:
    with shop.crm.begin() as tx:
        assert tx.segments.ask("loyalty.points is missing").contains(shop.ann)
    soon = Lot(expires_at=shop.now + timedelta(days=30))
    shop.ask(lambda loyalty: loyalty.grant(shop.ann, 50, "one"))
    shop.ask(lambda loyalty: loyalty.grant(shop.ann, 7, "two", lot=soon))
    agrees(shop, 57)
    shop.ask(lambda loyalty: loyalty.redeem(shop.ann, 10, "mug"))
    agrees(shop, 47)
    shop.now += timedelta(days=31)
    agrees(shop, 47)
    ben = shop.do(lambda tx: tx.contacts.add("Ben")).id
    shop.ask(lambda loyalty: loyalty.grant(ben, 5, "three", lot=Lot(expires_at=shop.now + timedelta(days=1))))
    shop.do(lambda tx: tx.merges.merge(ben, shop.ann))
    agrees(shop, 52)
    shop.now += timedelta(days=2)
    agrees(shop, 47)


def test_debts_count_though_the_lot_has_lapsed(shop: Any) -> None:
    shop.buy("A1", 1000)
    earned = shop.balance()
    assert earned > 0
    shop.ask(lambda loyalty: loyalty.redeem(shop.ann, earned, "all"))
    shop.do(lambda tx: tx.orders.refund("A1", Refund.whole("r1")))
    agrees(shop, -earned)
    shop.now += timedelta(days=4000)
    agrees(shop, -earned)
