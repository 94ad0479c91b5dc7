"""Units taken over, corrected and handed on by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from crmkit import KeyConflict, Lot, NotFound, Refund, ValueRefused
from crmkit_loyalty import InsufficientPoints, Kind, Loyalty, PointsAdjusted, PointsOpened, PointsTransferred

DAY = timedelta(days=1)


@pytest.fixture
def two(open_shop: Any) -> Any:
    """A shop with two customers; Ann has 10 points."""
    shop = open_shop("sqlite://", negative_adjustments="debt")
    shop.ben = shop.do(lambda tx: tx.contacts.add("Ben")).id
    shop.buy("A1", 1000)
    return shop


def held(shop: Any, *ids: Any) -> list[int]:
    """Return balances."""
    return [shop.ask(lambda one, id=id: one.balance(id)) for id in ids]


def test_a_balance_is_taken_over_once(two: Any) -> None:
    first = two.ask(lambda one: one.open(two.ben, 250, "old:17", "from the stamp cards"))
    assert two.ask(lambda one: one.open(two.ben, 250, "old:17", "from the stamp cards")) == first
    assert (first.kind, first.key, first.change) == (Kind.OPEN, "open:old:17", 250)
    with pytest.raises(KeyConflict):
        two.ask(lambda one: one.open(two.ben, 251, "old:17", "from the stamp cards"))
    (told, *_) = two.do(lambda tx: tx.events.timeline(two.ben, types=["PointsOpened"]))
    assert told.event == PointsOpened(key="old:17", unit="points", amount=250, reason="from the stamp cards")


def test_an_adjustment_says_why_and_who(two: Any) -> None:
    def work(amount: int, key: str, actor: str = "staff:eve") -> Any:
        with two.crm.begin(actor=actor) as tx:
            return Loyalty(tx).adjust(two.ann, amount, key, "counted twice")

    first = work(-4, "a1")
    assert (first.kind, first.change) == (Kind.ADJUST, -4)
    assert first.content == {"amount": -4, "reason": "counted twice", "actor": "staff:eve"}
    assert work(-4, "a1") == first
    for amount, actor in ((-5, "staff:eve"), (4, "staff:eve"), (-4, "staff:ida")):
        with pytest.raises(KeyConflict):
            work(amount, "a1", actor)
    assert (work(3, "a2").change, held(two, two.ann)) == (3, [9])
    told = [one.event for one in two.do(lambda tx: tx.events.timeline(two.ann, types=["PointsAdjusted"]))]
    assert told[-1] == PointsAdjusted(key="a1", unit="points", amount=-4, reason="counted twice")


def test_an_adjustment_is_no_part_of_what_a_refund_takes_back(two: Any) -> None:
    two.ask(lambda one: one.adjust(two.ann, -4, "a1", "counted twice"))
    two.do(lambda tx: tx.orders.refund("A1", Refund.whole("r1")))
    assert (held(two, two.ann), two.totals()) == ([-4], {"owed": 4, "clawed": 14})


def test_how_far_an_adjustment_goes_is_a_policy(two: Any, open_shop: Any) -> None:
    assert two.ask(lambda one: one.adjust(two.ann, -12, "a1", "fraud")).change == -12
    assert (held(two, two.ann), two.totals()) == ([-2], {"owed": 2, "clawed": 12})
    shop = open_shop("sqlite://")
    shop.buy("A1", 1000)
    with pytest.raises(InsufficientPoints, match="cannot spend 12 points: 10"):
        shop.ask(lambda one: one.adjust(shop.ann, -12, "a1", "fraud"))
    assert held(shop, shop.ann) == [10]


@pytest.mark.parametrize(
    ("amount", "reason", "said"), [(0, "x", "amount is 0"), (1, " ", "reason is ' '"), (2.0, "x", "amount")]
)
def test_an_adjustment_of_nothing_or_without_a_reason_is_refused(
    two: Any, amount: Any, reason: str, said: str
) -> None:
    with pytest.raises(ValueRefused, match=said):
        two.ask(lambda one: one.adjust(two.ann, amount, "a1", reason))


def test_units_are_handed_on_with_their_validity(two: Any) -> None:
    soon = Lot(expires_at=two.now + 30 * DAY)
    two.ask(lambda one: one.grant(two.ann, 5, "soon", lot=soon))
    first = two.ask(lambda one: one.transfer(two.ann, two.ben, 8, "t1", "for you"))
    assert two.ask(lambda one: one.transfer(two.ann, two.ben, 8, "t1", "for you")) == first
    assert (first.kind, first.change, held(two, two.ann, two.ben)) == (Kind.TRANSFER, -8, [7, 8])
    lots = two.ask(lambda one: one.lots(two.ben))
    assert [(lot.left, lot.expires_at == soon.expires_at, lot.qualifying) for lot in lots] == [
        (5, True, False),
        (3, False, False),
    ]
    (entry,) = two.ask(lambda one: one.statement(two.ben))
    assert (entry.kind, entry.change, entry.content["from"]) == (Kind.TRANSFER, 8, str(two.ann))
    told = two.do(lambda tx: tx.events.timeline(two.ben, types=["PointsTransferred"]))
    assert told[0].event == PointsTransferred(
        key="t1", unit="points", amount=8, other=two.ann, reason="for you"
    )
    two.do(lambda tx: tx.orders.refund("A1", Refund.whole("r1")))
    assert held(two, two.ann, two.ben) == [-3, 8]


def test_what_is_handed_on_pays_what_the_other_owes(two: Any) -> None:
    two.ask(lambda one: one.adjust(two.ben, -6, "a1", "fraud"))
    two.ask(lambda one: one.transfer(two.ann, two.ben, 8, "t1"))
    assert held(two, two.ann, two.ben) == [2, 2]
    assert two.totals() == {"active": 4, "clawed": 6}


def test_nobody_hands_to_himself_or_more_than_there_is(two: Any) -> None:
    with pytest.raises(InsufficientPoints):
        two.ask(lambda one: one.transfer(two.ann, two.ben, 11, "t1"))
    two.do(lambda tx: tx.merges.merge(two.ben, two.ann))
    with pytest.raises(ValueRefused, match="is the one that has the units"):
        two.ask(lambda one: one.transfer(two.ann, two.ben, 1, "t1"))
    with pytest.raises(NotFound):
        two.ask(lambda one: one.transfer(two.ann, two.crm.new_id(), 1, "t1"))
    assert held(two, two.ann) == [10]


def test_each_kind_explains_itself(two: Any) -> None:
    two.ask(lambda one: one.transfer(two.ann, two.ben, 8, "t1"))
    two.ask(lambda one: one.reserve(two.ben, 8, "mug", timedelta(hours=1)))
    two.ask(lambda one: one.commit("mug"))
    for key, said in (
        ("transfer:t1", "posted: active -8, transferred +8"),
        ("redeem:mug", "posted: active -8, reserved +8"),
        ("end:mug", "posted: reserved -8, redeemed +8"),
    ):
        assert said in two.ask(lambda one, key=key: one.explain(key))
