"""The arithmetic by example; the laws are in tests/properties."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from uuid import UUID

import pytest

from crmkit import FOREVER, Base, LineKind, Money, Order, OrderLine, Returned
from crmkit_loyalty import HeldLot
from crmkit_loyalty.ledger import Account, Posting, Wallet, clawed_back, refunded_part
from crmkit_loyalty.moves import claw_back, earn, give_back, settle, spend

AT = datetime(2026, 3, 1, tzinfo=UTC)
ANN, BEN = UUID(int=1), UUID(int=2)


def lot(number: int, left: int, *, days: int = 0, who: UUID = ANN) -> HeldLot:
    expires_at = AT + timedelta(days=days) if days else FOREVER
    return HeldLot(
        id=UUID(int=number), contact_id=who, quantity=100, active=left, active_from=AT, expires_at=expires_at
    )


def test_what_expires_first_is_spent_first_and_ties_go_to_the_lesser_id() -> None:
    wallet = Wallet((lot(12, 5), lot(11, 5), lot(13, 5, days=9), lot(14, 5, days=3)))
    assert spend(wallet, ANN, 12, AT) == [
        Posting(Account.ACTIVE, -5, ANN, UUID(int=14)),
        Posting(Account.ACTIVE, -5, ANN, UUID(int=13)),
        Posting(Account.ACTIVE, -2, ANN, UUID(int=11)),
        Posting(Account.REDEEMED, 12, ANN),
    ]


def test_a_lot_is_spendable_from_its_first_instant_until_before_its_last() -> None:
    """Law 31."""
    one, tick = lot(1, 5, days=1), timedelta(microseconds=1)
    probes = (AT - tick, AT, one.expires_at - tick, one.expires_at)
    assert [one.spendable(at) for at in probes] == [False, True, True, False]
    assert [Wallet((one,)).spendable(at) for at in probes] == [0, 5, 5, 0]


def test_what_is_owed_cannot_be_spent() -> None:
    assert Wallet((lot(1, 5),), {ANN: 2}).spendable(AT) == 3
    assert Wallet((lot(1, 5),), {ANN: 9}).spendable(AT) == 0


def test_a_claw_back_takes_what_its_lot_has_and_the_rest_is_owed() -> None:
    assert claw_back(lot(1, 30), 50) == [
        Posting(Account.CLAWED, 50, ANN, UUID(int=1)),
        Posting(Account.ACTIVE, -30, ANN, UUID(int=1)),
        Posting(Account.DEBT, -20, ANN, UUID(int=1)),
    ]
    assert [posting.account for posting in claw_back(lot(1, 30), 30)] == [Account.CLAWED, Account.ACTIVE]


def test_debts_are_paid_out_of_what_has_not_expired() -> None:
    """Each under the id under which it is owed, from whichever id's lots: a merge rewrites no row."""
    wallet = Wallet((lot(1, 5, days=1), lot(2, 5, who=BEN), lot(3, 5)), {ANN: 4, BEN: 9})
    later = AT + timedelta(days=1)
    after = wallet.after(settle(wallet, later))
    assert [one.left for one in after.lots] == [5, 0, 0]
    assert after.owed == {BEN: 3}
    assert sum(posting.amount for posting in settle(wallet, later)) == 0


def test_a_returned_redemption_is_the_redemption_undone() -> None:
    wallet = Wallet((lot(1, 5), lot(2, 5)))
    burn = spend(wallet, ANN, 7, AT)
    assert wallet.after(burn).after(give_back(burn)) == wallet


def test_an_earned_lot_is_filled_out_of_the_issuance() -> None:
    new = HeldLot(id=UUID(int=9), contact_id=ANN, quantity=7, active_from=AT, expires_at=FOREVER)
    assert Wallet().after(earn(new, AT), new).lots[0].left == 7
    assert sum(posting.amount for posting in earn(new, AT)) == 0


@pytest.mark.parametrize(
    ("earned", "refunded", "amount", "whole", "taken"),
    [
        (10, Fraction(0), 1000, False, 0),
        (10, Fraction(999), 1000, False, 9),
        (10, Fraction(1000), 1000, False, 10),
        (10, Fraction(1), 1000, True, 10),
        (10, Fraction(0), 0, False, 0),  # a reward that hangs on no amount goes with the whole order only
        (10, Fraction(0), 0, True, 10),
        (7, Fraction(1, 3), 1, False, 2),
    ],
)
def test_what_a_refund_takes_back(
    earned: int, refunded: Fraction, amount: int, whole: bool, taken: int
) -> None:
    assert clawed_back(earned, refunded, amount, whole=whole) == taken


def test_a_refund_counts_on_a_base_as_far_as_its_lines_do() -> None:
    lines = (
        OrderLine("a", 2, Money(1200, "GBP"), tax=Money(200, "GBP"), id="a"),
        OrderLine("post", 1, Money(499, "GBP"), kind=LineKind.SHIPPING, id="post"),
    )
    order = Order("k", lines, placed_at=AT)
    returned = {"a": Returned(1, 600), "post": Returned(1, 499)}
    assert refunded_part(order, returned, Base.TOTAL) == 1099
    assert refunded_part(order, returned, Base.GOODS) == 600
    assert refunded_part(order, returned, Base.NET) == 500
