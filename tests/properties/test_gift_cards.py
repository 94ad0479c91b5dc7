"""Gift cards under attack: whatever is paid, given back, refunded and disabled, no money comes or goes unseen.

The numbers are those of the laws of loyalty: 71 (the face is conserved), 72 (what is given back), 73 (no card buys
a card, so that cards never pay more of an order than it costs).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from crmkit import CRM, Conflict, Money, NotFound, Order, OrderLine, Refund, Transaction, ValueRefused
from crmkit.testing import FakeClock, memory_crm
from crmkit_loyalty import GiftCards
from crmkit_loyalty.gift_cards import orders
from crmkit_loyalty.gift_cards.payments import Payments
from crmkit_loyalty.gift_cards.store import CardStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@attrs.define
class Shop:
    """A CRM and a customer."""

    crm: CRM
    ann: UUID


@pytest.fixture(scope="module")
def shop() -> Shop:
    """A shop in memory."""
    crm = memory_crm(plugins=["loyalty"], clock=FakeClock(NOW))
    with crm.begin() as tx:
        return Shop(crm, tx.contacts.add("Ann").id)


def done(shop: Shop, work: Callable[[Transaction], Any]) -> Any:
    """Return what came of some work in a transaction of its own."""
    with shop.crm.begin() as tx:
        return work(tx)


def gbp(minor: int) -> Money:
    """Return pence."""
    return Money(minor, "GBP")


def conserved(shop: Shop, deeds: list[tuple[str, int, int]]) -> None:
    """Law 71, whatever is done: the face is what is on the card, what it paid, and what is gone."""
    run = next(RUNS)
    cards = [done(shop, lambda tx, n=n: GiftCards(tx).issue(gbp(5000), f"{run} {n}")) for n in range(2)]
    tea = [OrderLine("tea", 1, gbp(6000))]
    bill = [Order(f"B{run} {n}", tea, placed_at=NOW, contact_id=shop.ann) for n in range(2)]
    for order in bill:
        done(shop, lambda tx, order=order: tx.orders.record(order, state="paid"))
    for number, (deed, which, amount) in enumerate(deeds):
        code, order, key = cards[which].code, bill[amount % 2], f"{run} {number}"
        with suppress(Conflict, ValueRefused, NotFound):
            if deed == "pay":
                payment = (code, gbp(amount), order, key)
                done(shop, lambda tx, payment=payment: GiftCards(tx).capture(*payment))
            elif deed == "restore":
                before = f"{run} {amount % (number + 1)}"
                done(shop, lambda tx, key=key, before=before: GiftCards(tx).restore(before, key))
            elif deed == "refund":
                refund = Refund.of_amount(key, gbp(amount))
                done(shop, lambda tx, order=order, refund=refund: tx.orders.refund(order.key, refund))
            else:
                done(shop, lambda tx, id=cards[which].card.id: GiftCards(tx).disable(id))
        for issued_ in cards:
            _conserved(shop, issued_.card.id)
    paid = {order.key: sum(done(shop, lambda tx, key=order.key: _paid(tx, key))) for order in bill}
    assert all(0 <= one <= 6000 for one in paid.values()), "law 73"


def _paid(tx: Any, order_key: str) -> list[int]:
    moves = CardStore(tx).paid_for(order_key)
    return [move.amount * (1 if move.kind == "capture" else -1) for move in moves]


def _conserved(shop: Shop, card_id: Any) -> None:
    moves = done(shop, lambda tx: GiftCards(tx).statement(card_id))
    card = done(shop, lambda tx: GiftCards(tx).get(card_id))
    taken = sum(move.amount for move in moves if move.kind == "capture")
    back = sum(move.amount for move in moves if move.kind == "restore")
    gone = sum(move.amount for move in moves if move.target in ("disabled", "expired"))
    refunded_to_nobody = sum(m.amount for m in moves if m.kind == "restore" and m.target == "disabled")
    assert card.face.minor == card.balance.minor + taken - back + gone, "law 71"
    assert 0 <= card.balance.minor <= card.face.minor, "law 71"
    assert 0 <= back <= taken and refunded_to_nobody <= gone, "law 72"
    assert not card.disabled or card.balance.minor == 0, "law 72"


RUNS = count(1)
DEEDS = st.tuples(
    st.sampled_from(["pay", "pay", "pay", "restore", "refund", "disable"]),
    st.integers(0, 1),
    st.sampled_from([1, 999, 2500, 3001, 5000, 6000]),
)


@settings(max_examples=max(30, settings().max_examples // 3))
@given(st.lists(DEEDS, max_size=8))
def test_law_71_the_face_is_conserved(shop: Shop, deeds: list[tuple[str, int, int]]) -> None:
    conserved(shop, deeds)


def everything_again(moves: Any, amount: int) -> list[tuple[Any, int]]:
    """Give all captures back, whatever was given back before."""
    return [(move, move.amount) for move in moves if move.kind == "capture"]


@pytest.mark.parametrize(
    "where, name, variant",
    [
        (Payments, "_refuse_short", lambda self, card, amount: None),
        (Payments, "_refuse_stored_value", lambda self, order, amount, paid: None),
        (orders, "_parts", everything_again),
        (
            CardStore,
            "card",
            lambda self, id, card=CardStore.card: attrs.evolve(card(self, id), disabled=False),
        ),
    ],
    ids=["overdrawn", "orders paid twice", "restored twice", "disabled cards live on"],
)
def test_law_71_is_seen_to_fail(
    shop: Shop, where: Any, name: str, variant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(where, name, variant)
    hunt = settings(
        max_examples=150,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    with pytest.raises((AssertionError, IntegrityError), match=r"law|UNIQUE"):
        hunt(given(st.lists(DEEDS, min_size=3, max_size=8))(lambda deeds: conserved(shop, deeds)))()
