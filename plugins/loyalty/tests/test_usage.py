"""Limits over several events, remembered by the ledger (laws 24-29): used once, given back once, under locks."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest

from crmkit import Award, Effect, Facts, Limit, Money, OrderLine, Refund, RewardRule, hookimpl
from crmkit_loyalty import Loyalty, RewardIssued, RewardRevoked, usage
from racing import at_once


@attrs.define(eq=False)
class Limited:
    """A plugin with one rule: it answers what it is given, within limits.

    Args:
        limits: the rule's.
        answer: for every event; by default ten points.
    """

    limits: tuple[Limit, ...]
    answer: Any = attrs.field(factory=lambda: Award(amount=10))
    name: str = "limited"
    version: int = 3
    triggers: tuple[str, ...] = ("order.paid", "review.approved")

    def evaluate(self, facts: Facts) -> Any:
        return self.answer

    @hookimpl
    def crmkit_reward_rules(self) -> list[RewardRule]:
        return [self]


@pytest.fixture
def limited(open_shop: Any) -> Any:
    """Makes shops with a rule within limits."""

    def make(*limits: Limit, url: str = "sqlite://", answer: Any = None) -> Any:
        given = {} if answer is None else {"answer": answer}
        shop = open_shop(url, Limited(limits, **given), points_per_unit=0)
        shop.ben = shop.do(lambda tx: tx.contacts.add("Ben")).id
        return shop

    return make


def granted(outcome: Any) -> int:
    """Return how much an outcome grants."""
    return sum(award.amount for award in outcome.awards)


def happened(shop: Any, key: str, who: Any = None) -> int:
    """Let a review be approved."""
    return granted(shop.do(lambda tx: tx.rewards.happened("review.approved", who or shop.ann, key=key)))


def test_law_24_a_limit_holds_whichever_path_granted(limited: Any) -> None:
    """vendure#4353. Kills: a happening that is not taken down."""
    shop = limited(Limit(per="member", window="day", units=25))
    assert [granted(shop.buy("A1", 1)), happened(shop, "r1"), granted(shop.buy("A2", 1))] == [10, 10, 5]
    assert (happened(shop, "r2"), happened(shop, "r1"), shop.balance()) == (0, 10, 25)
    shop.now += timedelta(days=1)
    assert (granted(shop.buy("A3", 1)), shop.balance()) == (10, 35)


def test_law_25_an_order_that_is_decided_anew_does_not_count_itself(limited: Any) -> None:
    """solidus#3205."""
    shop = limited(Limit(per="member", units=10))
    shop.buy("A1", 1)
    for number in range(2):
        lines = [OrderLine("sku", 1, Money(number + 5, "GBP"))]
        done = shop.do(lambda tx, n=number, lines=lines: tx.orders.amend("A1", lines, amendment=f"a{n}"))
        assert (granted(done), shop.balance()) == (10, 10)
    assert granted(shop.buy("A2", 1)) == 0


def cancelled(shop: Any) -> None:
    shop.do(lambda tx: tx.orders.cancel("A1"))


def refunded(shop: Any) -> None:
    for refund in (Refund.of_amount("r1", Money(400, "GBP")), Refund.whole("r2")):
        assert granted(shop.buy(f"before {refund.key}", 1)) == 0
        shop.do(lambda tx, refund=refund: tx.orders.refund("A1", refund))
        shop.do(lambda tx, refund=refund: tx.orders.refund("A1", refund))


@pytest.mark.parametrize("end", [cancelled, refunded])
def test_law_27_what_is_undone_gives_its_use_back_once(limited: Any, end: Callable[[Any], None]) -> None:
    """vendure#1466, Sylius#10125. Kills: usage that stays, usage given back twice, or in another window."""
    shop = limited(Limit(per="member", window="month", times=1))
    assert granted(shop.buy("A1", 1000)) == 10
    assert granted(shop.buy("A2", 1000)) == 0
    end(shop)
    assert granted(shop.buy("A3", 1000)) == 10
    shop.do(lambda tx: usage.undo(tx, usage.order_happening("A1")))
    assert granted(shop.buy("A4", 1000)) == 0


def test_law_27_is_seen_to_fail(limited: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from crmkit_loyalty import orders

    monkeypatch.setattr(orders, "undo", lambda tx, happening: None)
    with pytest.raises(AssertionError):
        test_law_27_what_is_undone_gives_its_use_back_once(limited, cancelled)


def test_law_28_a_budget_in_money_is_never_exceeded(limited: Any) -> None:
    """oscar's max_discount. Kills: a last award that goes over the budget."""
    answer = Award(amount=1, effect=Effect.COUPON, item="TEA", cost=Money(300, "GBP"))
    shop = limited(Limit(per="all", money=Money(1000, "GBP")), answer=answer)
    assert [granted(shop.buy(f"A{n}", 1)) for n in range(5)] == [1, 1, 1, 0, 0]
    assert happened(shop, "r1", shop.ben) == 0


def test_law_29_what_one_member_used_is_not_compared_with_the_limit_of_all(limited: Any) -> None:
    """medusa#15960."""
    shop = limited(Limit(per="member", times=2), Limit(per="all", times=5))
    mine = [happened(shop, f"a{n}") for n in range(4)]
    theirs = [happened(shop, f"b{n}", shop.ben) for n in range(4)]
    cid = shop.do(lambda tx: tx.contacts.add("Cid")).id
    assert (mine, theirs, [happened(shop, f"c{n}", cid) for n in range(3)]) == (
        [10, 10, 0, 0],
        [10, 10, 0, 0],
        [10, 0, 0],
    )


def test_a_merged_member_has_one_limit(limited: Any) -> None:
    """Law 70: caps are not doubled."""
    shop = limited(Limit(per="member", times=2))
    assert [happened(shop, "a"), happened(shop, "b", shop.ben)] == [10, 10]
    merge = shop.do(lambda tx: tx.merges.merge(shop.ben, shop.ann)).id
    assert happened(shop, "c") == 0
    shop.do(lambda tx: tx.merges.unmerge(merge))
    assert happened(shop, "d") == 10


def test_what_is_no_points_is_issued_and_revoked(limited: Any) -> None:
    answer = [
        Award(amount=1, effect=Effect.COUPON, item="TEA", cost=Money(300, "GBP")),
        Award(amount=2, effect=Effect.FREE_PRODUCT, item="mug"),
    ]
    shop = limited(Limit(per="member", times=9), answer=answer)
    shop.buy("A1", 1000)
    happened(shop, "r1")
    types = ["RewardIssued", "RewardRevoked"]

    def told() -> list[Any]:
        return shop.do(lambda tx: tx.events.timeline(shop.ann, types=types))  # type: ignore[no-any-return]

    issued = [entry.event for entry in told()]
    assert issued == 2 * [
        RewardIssued(effect="free_product", item="mug", amount=2, unit="points", rule="limited@3"),
        RewardIssued(
            effect="coupon",
            item="TEA",
            amount=1,
            unit="points",
            rule="limited@3",
            cost=Money(300, "GBP"),
        ),
    ]
    shop.do(lambda tx: tx.orders.cancel("A1"))
    revoked = [entry.event for entry in told() if isinstance(entry.event, RewardRevoked)]
    assert {(one.effect, one.item, one.because) for one in revoked} == {
        ("coupon", "TEA", "cancelled"),
        ("free_product", "mug", "cancelled"),
    }
    assert shop.balance() == 0


def test_what_lines_earned_goes_with_these_lines(open_shop: Any) -> None:
    """An award by lines: what is given back of another line takes nothing."""

    class ByLine(Limited):
        def evaluate(self, facts: Facts) -> Any:
            return Award(amount=9, lines={"2": 9})

    shop = open_shop("sqlite://", ByLine(()), points_per_unit=0)
    shop.buy("A1", 1000, 900)
    found = []
    for refund in (
        Refund.of_lines("r1", {"1": 3}),
        Refund.of_lines("r2", {"2": 1}),
        Refund.whole("r3"),
    ):
        shop.do(lambda tx, refund=refund: tx.orders.refund("A1", refund))
        found.append(shop.balance())
    assert found == [9, 6, 0]


def race(shop: Any) -> Counter[Any]:
    """Let eight orders of eight members be paid at once, of which five may earn."""
    members = [shop.do(lambda tx, n=n: tx.contacts.add(f"member {n}")).id for n in range(8)]

    def pay(number: int) -> Callable[[], int]:
        order = attrs.evolve(shop.order(f"A{number}", 1000), contact_id=members[number])
        return lambda: granted(
            shop.crm.transact(lambda tx: tx.orders.record(order, state="paid"), attempts=50)
        )

    return at_once([pay(number) for number in range(8)])


def test_law_28_two_transactions_never_use_the_last_unit_both(limited: Any, database_url: str) -> None:
    """Over real locks. Kills: shopware#11245, a counter that is read without a lock."""
    shop = limited(Limit(per="all", units=45), url=database_url)
    assert race(shop) == {10: 4, 5: 1, 0: 3}
    assert shop.ask(lambda loyalty: loyalty.outstanding()) == 45


def test_law_28_is_seen_to_fail(limited: Any, postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Barrier(8)
    used = usage._used

    def unlocked(tx: Any, asked: Any) -> Any:
        found = used(tx, asked)
        gate.wait(20)
        return found

    monkeypatch.setattr(usage, "lock", lambda tx, *names: None)
    monkeypatch.setattr(usage, "_used", unlocked)
    shop = limited(Limit(per="all", units=45), url=postgresql_url)
    assert race(shop)[10] == 8


def test_the_ledger_and_the_limits_agree_after_a_week(limited: Any) -> None:
    """Limits replay with the ledger: what stands of the awards is what is used."""
    shop = limited(Limit(per="all", units=1000))
    for number in range(6):
        shop.buy(f"A{number}", 1000)
    shop.do(lambda tx: tx.orders.cancel("A1"))
    shop.do(lambda tx: tx.orders.refund("A2", Refund.whole("r")))
    lines = [OrderLine("sku", 1, Money(5, "GBP"))]
    shop.do(lambda tx: tx.orders.amend("A3", lines, amendment="a"))

    def sums(tx: Any) -> tuple[int, int]:
        from sqlalchemy import func, select

        table = tx.table("loyalty_usage").c
        used = tx.sql.execute(select(func.sum(table.units))).scalar_one()
        return int(used), Loyalty(tx).outstanding()

    assert shop.do(sums) == (40, 40)
