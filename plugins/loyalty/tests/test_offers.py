"""Offers(tx) and GiftLog(tx): budgets that hold, uses that are given back once, and who was given what."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from fractions import Fraction
from inspect import signature
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from crmkit import (
    Award,
    Effect,
    Facts,
    KeyConflict,
    Money,
    NotFound,
    Refund,
    RewardRule,
    ValueRefused,
    hookimpl,
)
from crmkit_loyalty import GiftCards, GiftLog, Offer, OfferRefused, Offers, RewardIssued
from crmkit_loyalty.keyed import by_key
from crmkit_loyalty.offers import offer as offers
from crmkit_loyalty.offers import service
from crmkit_loyalty.offers.offer import Usage, Wanted, decide
from crmkit_loyalty.offers.store import OfferStore
from racing import at_once

GBP = "GBP"


def gbp(minor: int) -> Money:
    """Return pence."""
    return Money(minor, GBP)


@pytest.fixture
def sold(shop: Any) -> Any:
    """A shop with an offer of 50.00 in all, twice a customer."""
    define(shop, budget=gbp(5000), per_customer=2)
    return shop


def define(shop: Any, **limits: Any) -> Offer:
    """Define the offer "tea"."""
    offer: Offer = shop.do(lambda tx: Offers(tx).define(Offer(name="tea", **limits)))
    return offer


def use(shop: Any, cost: int, key: str, who: Any = None, **options: Any) -> Any:
    """Use the offer in a transaction of its own."""
    return shop.do(lambda tx: Offers(tx).redeem("tea", who or shop.ann, key, cost=gbp(cost), **options))


def test_law_28_the_last_use_does_not_exceed_the_budget(sold: Any) -> None:
    """kills: asking whether the budget is used up before the use and not after it (oscar's max_discount)."""
    use(sold, 3000, "a")
    with pytest.raises(OfferRefused, match=r"budget of 50\.00 GBP 2000 are left, 2001 are wanted"):
        use(sold, 2001, "b")
    assert use(sold, 2000, "b").cost == 2000


def test_law_28_or_is_cut_to_what_is_left(shop: Any) -> None:
    define(shop, budget=gbp(5000), per_customer=None, over="truncate")
    assert [use(shop, 3000, key).cost for key in "ab"] == [3000, 2000]
    assert use(shop, 3000, "b").cost == 2000  # law 6
    with pytest.raises(OfferRefused, match="0 are left"):
        use(shop, 1, "c")


def test_law_29_what_others_used_is_no_customers_limit(sold: Any) -> None:
    ben = sold.do(lambda tx: tx.contacts.add("Ben")).id
    for key in "ab":
        use(sold, 100, key)
    with pytest.raises(OfferRefused, match="it was used 2 of 2 times"):
        use(sold, 100, "c")
    use(sold, 100, "c", ben)


def test_law_30_none_is_unlimited_and_0_is_never(shop: Any) -> None:
    """kills: `if limit` for `if limit is not None` (Sylius#2077)."""
    define(shop, per_customer=None)
    for number in range(5):
        use(shop, 10**6, f"k{number}")
    for version, limits in enumerate([{"per_customer": 0}, {"budget": gbp(0)}, {"units": 0}], 2):
        define(shop, version=version, **limits)
        ben = shop.do(lambda tx: tx.contacts.add("Ben")).id
        with pytest.raises(OfferRefused):
            use(shop, 1, f"v{version}", ben, units=1)


def test_law_26_what_gives_nothing_uses_nothing(sold: Any) -> None:
    """kills: counting a use before looking at what it comes to (vendure#5278)."""
    assert use(sold, 0, "a") is None
    assert sold.do(lambda tx: Offers(tx).used("tea")) == Usage()


def test_law_27_a_use_is_given_back_exactly_once(sold: Any) -> None:
    """kills: each cancelling gives back (vendure#1466, Sylius#10125)."""
    sold.do(lambda tx: tx.orders.record(sold.order("A1", 9000), state="paid"))
    use(sold, 3000, "a", order_key="A1")
    for _ in range(2):
        sold.do(lambda tx: tx.orders.cancel("A1"))
        sold.do(lambda tx: Offers(tx).release("a"))
    assert sold.do(lambda tx: Offers(tx).used("tea")) == Usage()
    use(sold, 5000, "b")
    with pytest.raises(NotFound, match="'z'"):
        sold.do(lambda tx: Offers(tx).release("z"))


def test_law_70_merged_customers_share_their_limit(sold: Any) -> None:
    ben = sold.do(lambda tx: tx.contacts.add("Ben")).id
    use(sold, 100, "a")
    use(sold, 100, "b", ben)
    sold.do(lambda tx: tx.merges.merge(ben, sold.ann))
    with pytest.raises(OfferRefused, match="2 of 2 times"):
        use(sold, 100, "c", ben)


def test_an_offer_for_those_it_was_granted_to(shop: Any) -> None:
    define(shop, granted_only=True)
    with pytest.raises(OfferRefused, match="was not granted"):
        use(shop, 100, "a")
    for _ in range(2):
        shop.do(lambda tx: Offers(tx).grant("tea", shop.ann, "g"))
    use(shop, 100, "a")
    assert [one.kind for one in shop.do(lambda tx: Offers(tx).of(shop.ann))] == ["grant", "redeem"]


def test_it_is_valid_in_a_half_open_time(shop: Any) -> None:
    define(shop, from_at=shop.now, until_at=shop.now + timedelta(days=1), per_customer=None)
    use(shop, 100, "a")
    for moved in (timedelta(days=1), -timedelta(microseconds=1)):
        shop.now += moved
        if moved > timedelta(0):
            with pytest.raises(OfferRefused, match="it is valid from"):
                use(shop, 100, "b")
    use(shop, 100, "b")


def test_the_margin_floor_holds(shop: Any) -> None:
    define(shop, margin_floor="0.2", per_customer=None)
    assert use(shop, 1000, "a", price=gbp(10000), margin=gbp(2800)).cost == 1000  # 1800 of 9000
    with pytest.raises(OfferRefused, match="a margin of 1799 would remain of 9000"):
        use(shop, 1000, "b", price=gbp(10000), margin=gbp(2799))
    with pytest.raises(ValueRefused, match="say what the price and the margin are"):
        use(shop, 1000, "b")


def test_a_version_is_immutable_and_a_new_one_counts_on(sold: Any) -> None:
    use(sold, 3000, "a")
    with pytest.raises(KeyConflict, match="tea@1"):
        define(sold, budget=gbp(1))
    define(sold, version=2, budget=gbp(3500), per_customer=None)
    with pytest.raises(OfferRefused, match="500 are left"):
        use(sold, 501, "b")
    assert sold.do(lambda tx: Offers(tx).get("tea")).version == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"budget": 5},
        {"per_customer": -1},
        {"margin_floor": 0.2},
        {"margin_floor": "2"},
        {"units": True},
    ],
)
def test_an_offer_that_says_nothing_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueRefused):
        Offer(**{"name": "tea", **wrong})


AMOUNTS = st.integers(0, 50)


def within_budget(
    budget: int | None, units: int | None, times: int | None, wanted: list[tuple[int, int]]
) -> None:
    """Laws 28 and 30, whatever is asked for."""
    offer = Offer(
        name="tea",
        budget=None if budget is None else gbp(budget),
        units=units,
        per_customer=times,
        over="truncate",
    )
    used = Usage()
    for cost, given_ in wanted:
        try:
            found = decide(
                offer, Wanted(cost=gbp(cost), units=given_), used, used, offers.FOREVER.replace(year=2026)
            )
        except OfferRefused:
            continue
        used = Usage(used.times + 1, used.units + found.units, used.cost + found.cost.minor)
    assert budget is None or used.cost <= budget, "law 28"
    assert units is None or used.units <= units, "law 28"
    assert times is None or used.times <= times, "law 30"


@given(
    st.none() | AMOUNTS,
    st.none() | AMOUNTS,
    st.none() | st.integers(0, 3),
    st.lists(st.tuples(AMOUNTS, AMOUNTS)),
)
def test_law_28_and_30_whatever_is_asked_for(
    budget: int | None, units: int | None, times: int | None, wanted: list[tuple[int, int]]
) -> None:
    within_budget(budget, units, times, wanted)


def test_law_28_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last use may exceed what is left."""
    monkeypatch.setattr(offers, "_cut", lambda offer, amount, left, limit: amount if left > 0 else 0)
    with pytest.raises(AssertionError, match="law 28"):
        within_budget(30, None, None, [(20, 0), (20, 0)])


def _released_again(self: Offers, key: str, cause: Any = None) -> Any:
    used = by_key(self._tx, self._store.uses, f"redeem:{key}")
    assert used is not None
    back = {**used, "id": self._tx.new_id(), "key": f"release:{self._tx.new_id()}", "kind": "release"}
    self._tx.sql.insert(
        self._store.uses, [{**back, "times": -used["times"], "units": -used["units"], "cost": -used["cost"]}]
    )


def _truthy(offer: Offer, wanted: Wanted, everybody: Usage, mine: Usage, at: Any) -> Wanted:
    drop = {name: None for name in ("per_customer", "units") if getattr(offer, name) == 0}
    drop |= {"budget": None} if offer.budget is not None and not offer.budget.minor else {}
    return decide(attrs.evolve(offer, **drop), wanted, everybody, mine, at)


#: Which test sees which broken variant of the real code.
MUTANTS: dict[str, tuple[Callable[..., None], Any, str, Any]] = {
    "the budget is asked before the use (oscar's max_discount)": (
        test_law_28_the_last_use_does_not_exceed_the_budget,
        offers,
        "_cut",
        lambda offer, amount, left, limit: amount if left > 0 else 0,
    ),
    "what others used is counted for a customer (medusa#15960)": (
        test_law_29_what_others_used_is_no_customers_limit,
        OfferStore,
        "used",
        lambda self, offer, ids=None, used=OfferStore.used: used(self, offer),
    ),
    "0 is no limit (Sylius#2077)": (
        test_law_30_none_is_unlimited_and_0_is_never,
        service,
        "decide",
        _truthy,
    ),
    "each cancelling gives back (vendure#1466)": (
        test_law_27_a_use_is_given_back_exactly_once,
        Offers,
        "release",
        _released_again,
    ),
    "uses are counted under one id": (
        test_law_70_merged_customers_share_their_limit,
        OfferStore,
        "used",
        lambda self, offer, ids=None, used=OfferStore.used: used(self, offer, ids and ids[1:]),
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_each_mutant_is_seen(open_shop: Any, mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    test, where, name, variant = MUTANTS[mutant]
    shop = open_shop()
    if "sold" in signature(test).parameters:
        define(shop, budget=gbp(5000), per_customer=2)
    monkeypatch.setattr(where, name, variant)
    with pytest.raises((AssertionError, pytest.fail.Exception, OfferRefused)):
        test(shop)


def test_law_28_budgets_hold_however_many_ask_at_once(open_shop: Any, database_url: str) -> None:
    shop = open_shop(database_url)
    define(shop, budget=gbp(500), per_customer=None)
    people = [shop.do(lambda tx: tx.contacts.add("somebody")).id for _ in range(10)]

    def spend(number: int) -> Callable[[], str]:
        def work() -> str:
            use(shop, 120, f"k{number}", people[number])
            return "used"

        return work

    assert at_once([spend(number) for number in range(10)]) == {"used": 4, "OfferRefused": 6}
    assert shop.do(lambda tx: Offers(tx).used("tea")) == Usage(4, 0, 480)


def test_money_is_exact(shop: Any) -> None:
    assert define(shop, margin_floor="1/3").margin_floor == Fraction(1, 3)
    assert shop.do(lambda tx: Offers(tx).get("tea")).margin_floor == Fraction(1, 3)


# --- the gift log --------------------------------------------------------------------------------------------------


def test_gifts_are_written_down_once_and_listed_latest_first(shop: Any) -> None:
    def give(tx: Any, what: str, key: str, **options: Any) -> Any:
        return GiftLog(tx).record(shop.ann, what, key, **options)

    first = shop.do(lambda tx: give(tx, "a mug", "1", why="her tenth order", cost=gbp(450)))
    assert shop.do(lambda tx: give(tx, "a mug", "1", why="her tenth order", cost=gbp(450))) == first
    with pytest.raises(KeyConflict):
        shop.do(lambda tx: give(tx, "a mug", "1", cost=gbp(451)))
    shop.now += timedelta(days=1)
    shop.do(lambda tx: give(tx, "flowers", "2"))
    found = shop.do(lambda tx: GiftLog(tx).of(shop.ann))
    assert [(gift.what, gift.cost, gift.actor) for gift in found] == [
        ("flowers", None, "system"),
        ("a mug", gbp(450), "system"),
    ]
    with pytest.raises(ValueRefused, match="1 to 200"):
        shop.do(lambda tx: give(tx, "", "3"))


def test_gifts_of_merged_contacts_are_one_list_and_erasure_takes_the_words(shop: Any) -> None:
    ben = shop.do(lambda tx: tx.contacts.add("Ben")).id
    for who, key in ((shop.ann, "1"), (ben, "2")):
        shop.do(
            lambda tx, who=who, key=key: GiftLog(tx).record(who, f"zq{key}", key, why="zqwhy", cost=gbp(1))
        )
    shop.do(lambda tx: tx.merges.merge(ben, shop.ann))
    assert len(shop.do(lambda tx: GiftLog(tx).of(ben))) == 2
    shop.crm.erase(shop.ann)
    with shop.crm.begin() as tx:
        rows = tx.sql.execute(select(tx.table("loyalty_gifts"))).all()
        assert len(rows) == 2 and "zq" not in repr(rows)


@attrs.frozen
class Mug:
    """A mug and a gift card for every order."""

    name: str = "mug"
    version: int = 1

    def evaluate(self, facts: Facts) -> list[Award]:
        mug = Award(amount=1, effect=Effect.FREE_PRODUCT, item="MUG", cost=gbp(450))
        return [mug, Award(amount=500, unit=GBP, effect=Effect.GIFT_CARD)]


@attrs.define(eq=False)
class MugPlugin:
    """Brings the rule."""

    name: str = "mug"

    @hookimpl
    def crmkit_reward_rules(self) -> list[RewardRule]:
        return [Mug()]


def test_what_rules_give_is_in_the_gift_log_and_void_with_the_order(open_shop: Any) -> None:
    """kills: a reward's card that outlives the order for which it was given."""
    shop = open_shop("sqlite://", MugPlugin())
    shop.buy("A1", 1000)
    shop.buy("A1", 1000)
    found = shop.do(lambda tx: GiftLog(tx).of(shop.ann))
    assert {(gift.what, gift.why, gift.cost) for gift in found} == {
        ("1 x MUG", "mug@1", gbp(450)),
        ("gift card", "mug@1", None),
    }
    with shop.crm.begin() as tx:
        key = next(
            entry.key
            for entry in tx.events.timeline(shop.ann, types=["RewardIssued"])
            if isinstance(entry.event, RewardIssued) and entry.event.effect == "gift_card"
        )
        code = GiftCards(tx).issue(gbp(500), key, contact_id=shop.ann).code
        tx.orders.refund("A1", Refund.whole("r"))
        assert GiftCards(tx).balance(code) == gbp(0)
