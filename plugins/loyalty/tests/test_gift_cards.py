"""GiftCards(tx): codes that stand nowhere, partial use, refunds, and many bearers at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import attrs
import pytest
from sqlalchemy import create_engine, select

from crmkit import (
    KeyConflict,
    LineKind,
    Money,
    NotFound,
    Order,
    OrderLine,
    Refund,
    RetryTransaction,
    ValueRefused,
)
from crmkit_loyalty import GiftCards, GiftCardShort, StoredValueRefused
from crmkit_loyalty.gift_cards import orders, payments
from crmkit_loyalty.gift_cards.card import GiftCard
from crmkit_loyalty.gift_cards.payments import Payments
from crmkit_loyalty.gift_cards.store import CardStore
from racing import at_once


def gbp(minor: int) -> Money:
    """Return pence."""
    return Money(minor, "GBP")


def issued(shop: Any, face: int = 5000, key: str = "k", **fields: Any) -> Any:
    """Issue a card in a transaction of its own."""
    return shop.do(lambda tx: GiftCards(tx).issue(gbp(face), key, **fields))


def pay(shop: Any, code: str, amount: int, order: Order, key: str) -> Any:
    """Pay for an order in a transaction of its own."""
    return shop.do(lambda tx: GiftCards(tx).capture(code, gbp(amount), order, key))


def balance(shop: Any, code: str) -> int:
    """Return what a card can pay."""
    return int(shop.do(lambda tx: GiftCards(tx).balance(code)).minor)


def test_the_code_is_shown_once_and_stands_nowhere(shop: Any) -> None:
    card = issued(shop, contact_id=shop.ann)
    again = issued(shop, contact_id=shop.ann)
    assert (again.code, again.card) == ("", card.card)
    assert card.code not in repr(card)
    plain = card.code.replace("-", "")
    with shop.crm.begin() as tx:
        for table in shop.crm.tables.values():
            for row in tx.sql.execute(select(table)):
                assert plain not in repr(row) and card.code not in repr(row)
    assert card.code.endswith(card.card.hint)


def test_a_code_is_read_however_it_is_typed(shop: Any) -> None:
    code = issued(shop).code
    for written in (code, code.lower(), code.replace("-", " "), code.replace("0", "o").replace("1", "l")):
        assert balance(shop, written) == 5000


@pytest.mark.parametrize("code", ["", "x", "0" * 16, "0" * 10**6, "é" * 16, "0000-0000-0000-000U", None, 7])
def test_whatever_is_wrong_with_a_code_the_answer_is_the_same(shop: Any, code: Any) -> None:
    with pytest.raises(NotFound, match=r"^there is no gift card with this code$"):
        balance(shop, code)


def test_a_card_pays_in_parts_and_never_more_than_it_has(shop: Any) -> None:
    code, order = issued(shop).code, shop.order("A1", 9000)
    pay(shop, code, 3000, order, "p1")
    assert pay(shop, code, 3000, order, "p1").amount == 3000  # law 6: once
    with pytest.raises(GiftCardShort, match=r"20\.00 GBP can be used now"):
        pay(shop, code, 2001, order, "p2")
    pay(shop, code, 2000, order, "p2")
    assert balance(shop, code) == 0
    with pytest.raises(KeyConflict):
        pay(shop, code, 2999, order, "p1")


@pytest.mark.parametrize("amount", [gbp(0), gbp(-1), Money(5, "EUR"), 5])
def test_an_amount_that_cannot_be_paid_is_refused(shop: Any, amount: Any) -> None:
    code = issued(shop).code
    with pytest.raises(ValueRefused, match=r"GBP|Money above 0"):
        shop.do(lambda tx: GiftCards(tx).capture(code, amount, shop.order("A1", 9000), "p"))
    assert balance(shop, code) == 5000


def test_law_31_a_card_pays_until_before_it_expires(shop: Any) -> None:
    """kills: comparing with <= instead of <."""
    end = shop.now + timedelta(days=30)
    code = issued(shop, expires_at=end).code
    shop.now = end - timedelta(microseconds=1)
    assert balance(shop, code) == 5000
    shop.now = end
    assert balance(shop, code) == 0
    with pytest.raises(GiftCardShort, match="it expired on 2026-03-31"):
        pay(shop, code, 1, shop.order("A1", 9000), "p")


def test_law_34_what_lapses_is_posted_once(shop: Any) -> None:
    card = issued(shop, expires_at=shop.now + timedelta(days=1)).card
    shop.now += timedelta(days=2)
    for _ in range(2):
        shop.crm.run_due()
        shop.now += timedelta(days=1)
    kinds = shop.do(lambda tx: [move.kind.value for move in GiftCards(tx).statement(card.id)])
    assert kinds == ["issue", "expire"]


def test_months_of_validity_come_from_the_settings(open_shop: Any) -> None:
    shop = open_shop(gift_cards={"months": 12}, zone="Europe/London")
    assert issued(shop).card.expires_at.isoformat() == "2027-03-01T12:00:00+00:00"


def bought(shop: Any, key: str, *, cards: int = 1, goods: int = 0) -> Order:
    """Record an order with a line of gift cards of 50.00 each, and perhaps goods."""
    lines = [OrderLine("card", cards, gbp(5000 * cards), kind=LineKind.GIFT_CARD, id="c")]
    lines += [OrderLine("tea", 1, gbp(goods), id="t")] if goods else []
    order = Order(key, lines, placed_at=shop.now, contact_id=shop.ann)
    shop.do(lambda tx: tx.orders.record(order, state="paid"))
    return order


def test_law_72_refunding_the_purchase_disables_the_card_once(shop: Any) -> None:
    """kills: a reaction that does not disable (Setono#284)."""
    bought(shop, "A1", cards=2, goods=1000)
    codes = [issued(shop, key=f"c{n}", order_key="A1", line_id="c").code for n in range(2)]
    pay(shop, codes[0], 100, shop.order("B1", 9000), "p")
    shop.do(lambda tx: tx.orders.refund("A1", Refund.of_lines("r1", {"c": 1})))
    assert [balance(shop, code) for code in codes] == [4900, 0]  # the unspent one
    shop.do(lambda tx: tx.orders.refund("A1", Refund.of_lines("r1", {"c": 1})))
    shop.do(lambda tx: tx.orders.refund("A1", Refund.of_lines("r2", {"t": 1})))
    assert [balance(shop, code) for code in codes] == [4900, 0]
    shop.do(lambda tx: tx.orders.refund("A1", Refund.whole("r3")))
    assert [balance(shop, code) for code in codes] == [0, 0]


def test_law_72_refunding_the_payment_restores_it_once(shop: Any) -> None:
    """kills: restoring the whole payment with each refund."""
    code, order = issued(shop).code, shop.order("B1", 9000)
    pay(shop, code, 3000, order, "p")
    shop.do(lambda tx: tx.orders.record(order, state="paid"))
    for number, (amount, expected) in enumerate([(1000, 3000), (1500, 4500), (2000, 5000), (4500, 5000)]):
        refund = Refund.of_amount(f"r{number}", gbp(amount))
        for _ in range(2):
            shop.do(lambda tx, refund=refund: tx.orders.refund("B1", refund))
        assert balance(shop, code) == expected


def test_a_refund_after_both_leaves_nothing_on_the_card(shop: Any) -> None:
    """Purchase and payment given back, in either order: the money went back to the buyer."""
    for first, second in (("A", "B"), ("B", "A")):
        bought(shop, f"A{first}")
        code = issued(shop, key=f"c{first}", order_key=f"A{first}", line_id="c").code
        order = shop.order(f"B{first}", 9000)
        pay(shop, code, 3000, order, f"p{first}")
        shop.do(lambda tx, order=order: tx.orders.record(order, state="paid"))
        for which in (first, second):
            refund = Refund.whole("r")
            shop.do(lambda tx, key=which + first, refund=refund: tx.orders.refund(key, refund))
        assert balance(shop, code) == 0


@pytest.mark.parametrize("policy, expected", [("cards_first", 5000), ("cards_last", 2000), ("by_hand", 2000)])
def test_whose_a_refund_is_says_the_policy(open_shop: Any, policy: str, expected: int) -> None:
    shop = open_shop(gift_cards={"restore": policy})
    code, order = issued(shop).code, shop.order("B1", 9000)
    pay(shop, code, 3000, order, "p")
    shop.do(lambda tx: tx.orders.record(order, state="paid"))
    shop.do(lambda tx: tx.orders.refund("B1", Refund.of_amount("r", gbp(6000))))
    assert balance(shop, code) == expected
    shop.do(lambda tx: tx.orders.refund("B1", Refund.whole("r2")))
    assert balance(shop, code) == (2000 if policy == "by_hand" else 5000)


def test_by_hand_a_payment_is_given_back_in_parts_and_never_more(shop: Any) -> None:
    code = issued(shop).code
    pay(shop, code, 3000, shop.order("B1", 9000), "p")
    back = shop.do(lambda tx: GiftCards(tx).restore("p", "x", gbp(1000)))
    assert shop.do(lambda tx: GiftCards(tx).restore("p", "x", gbp(1000))) == back
    with pytest.raises(ValueRefused, match=r"20\.00 GBP is left"):
        shop.do(lambda tx: GiftCards(tx).restore("p", "y", gbp(2001)))
    assert shop.do(lambda tx: GiftCards(tx).restore("p", "y")).amount == 2000
    assert balance(shop, code) == 5000
    with pytest.raises(NotFound, match="'q'"):
        shop.do(lambda tx: GiftCards(tx).restore("q", "z"))


def test_a_cancelled_order_gives_back_what_it_took_and_disables_what_it_sold(shop: Any) -> None:
    code = issued(shop).code
    order = Order(
        "A1",
        [
            OrderLine("card", 1, gbp(5000), kind=LineKind.GIFT_CARD, id="c"),
            OrderLine("tea", 1, gbp(3000), id="t"),
        ],
        placed_at=shop.now,
        contact_id=shop.ann,
    )
    pay(shop, code, 3000, order, "p")
    shop.do(lambda tx: tx.orders.record(order, state="paid"))
    sold = issued(shop, key="sold", order_key="A1", line_id="c").code
    shop.do(lambda tx: tx.orders.cancel("A1"))
    assert (balance(shop, code), balance(shop, sold)) == (5000, 0)


def test_law_73_a_card_cannot_buy_a_card(shop: Any) -> None:
    """kills: comparing with what the order costs in all (odoo#273419)."""
    code = issued(shop, 20000).code
    lines = [
        OrderLine("card", 1, gbp(5000), kind=LineKind.GIFT_CARD, id="c"),
        OrderLine("tea", 1, gbp(3000), id="t"),
    ]
    order = Order("A1", lines, placed_at=shop.now, contact_id=shop.ann)
    pay(shop, code, 2000, order, "p1")
    with pytest.raises(StoredValueRefused, match=r"they may pay 30\.00 GBP"):
        pay(shop, code, 1001, order, "p2")
    pay(shop, code, 1000, order, "p2")


def test_law_73_nor_by_a_line_that_is_added_later(shop: Any) -> None:
    code, order = issued(shop).code, shop.order("A1", 5000)
    pay(shop, code, 5000, order, "p")
    shop.do(lambda tx: tx.orders.record(order, state="paid"))
    lines = [OrderLine("card", 1, gbp(5000), kind=LineKind.GIFT_CARD, id="c")]
    shop.do(lambda tx: tx.orders.amend("A1", lines, amendment="a"))
    with pytest.raises(StoredValueRefused, match=r"gift cards would pay 50\.00 GBP"):
        issued(shop, key="c", order_key="A1", line_id="c")
    assert shop.do(lambda tx: GiftCards(tx).outstanding("GBP")) == gbp(0)


def test_law_17_gift_cards_earn_no_points(shop: Any) -> None:
    bought(shop, "A1", goods=1000)
    assert shop.balance() == 10


def test_law_70_cards_of_merged_contacts_are_listed_as_one_persons(shop: Any) -> None:
    ben = shop.do(lambda tx: tx.contacts.add("Ben")).id
    cards = [issued(shop, key=f"c{n}", contact_id=id).card for n, id in enumerate((shop.ann, ben))]
    merge = shop.do(lambda tx: tx.merges.merge(ben, shop.ann))
    assert shop.do(lambda tx: GiftCards(tx).of(ben)) == cards
    shop.do(lambda tx: tx.merges.unmerge(merge.id))
    assert shop.do(lambda tx: GiftCards(tx).of(ben)) == cards[1:]


def test_an_erased_holder_leaves_the_card_to_its_bearer(shop: Any) -> None:
    code = issued(shop, contact_id=shop.ann).code
    shop.crm.erase(shop.ann)
    assert balance(shop, code) == 5000


def test_nobody_and_nothing_is_refused_before_anything_is_written(shop: Any) -> None:
    with pytest.raises(NotFound, match="no contact"):
        issued(shop, contact_id=uuid4())
    with pytest.raises(NotFound, match="no order has the number 'A9'"):
        issued(shop, order_key="A9")
    assert shop.do(lambda tx: GiftCards(tx).outstanding("GBP")) == gbp(0)


#: Which test sees which broken variant of the real code.
MUTANTS: dict[str, tuple[Callable[..., None], Any, str, Any]] = {
    "an expired card pays": (
        test_law_31_a_card_pays_until_before_it_expires,
        GiftCard,
        "usable",
        lambda self, at: self.balance if at <= self.expires_at else gbp(0),
    ),
    "what is there is not asked for (Azuriom#285)": (
        test_a_card_pays_in_parts_and_never_more_than_it_has,
        Payments,
        "_refuse_short",
        lambda self, card, amount: None,
    ),
    "a returned purchase disables nothing (Setono#284)": (
        test_law_72_refunding_the_purchase_disables_the_card_once,
        orders,
        "_disable",
        lambda tx, cards, because, entry: None,
    ),
    "any returned card disables all": (
        test_law_72_refunding_the_purchase_disables_the_card_once,
        orders,
        "undone",
        lambda cards, part: cards,
    ),
    "each refund restores the whole payment": (
        test_law_72_refunding_the_payment_restores_it_once,
        orders,
        "due_back",
        lambda policy, captured, total, refunded: captured,
    ),
    "a refund restores nothing": (
        test_law_72_refunding_the_payment_restores_it_once,
        orders,
        "due_back",
        lambda policy, captured, total, refunded: 0,
    ),
    "a disabled card gets its money back": (
        test_a_refund_after_both_leaves_nothing_on_the_card,
        CardStore,
        "card",
        lambda self, id, card=CardStore.card: attrs.evolve(card(self, id), disabled=False),
    ),
    "a card buys a card (odoo#273419)": (
        test_law_73_a_card_cannot_buy_a_card,
        payments,
        "payable",
        lambda order: order.total,
    ),
    "an order that was paid is not looked at again": (
        test_law_73_nor_by_a_line_that_is_added_later,
        Payments,
        "refuse_stored_value",
        lambda self, order: None,
    ),
    "what lapses is not posted": (
        test_law_34_what_lapses_is_posted_once,
        GiftCards,
        "expire",
        lambda self, card_id: gbp(0),
    ),
    "the code is kept": (
        test_the_code_is_shown_once_and_stands_nowhere,
        GiftCards,
        "_digest",
        lambda self, code: code,
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_each_mutant_is_seen(shop: Any, mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    test, where, name, variant = MUTANTS[mutant]
    monkeypatch.setattr(where, name, variant)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        test(shop)


def test_law_10_twenty_payments_of_one_card_at_once(open_shop: Any, database_url: str) -> None:
    shop = open_shop(database_url)
    code = issued(shop, 5000).code

    def spend(number: int) -> Callable[[], str]:
        def work() -> str:
            order = shop.order(f"A{number}", 9000)
            shop.crm.transact(
                lambda tx: GiftCards(tx).capture(code, gbp(700), order, f"p{number}"), attempts=50
            )
            return "paid"

        return work

    assert at_once([spend(number) for number in range(20)]) == {"paid": 7, "GiftCardShort": 13}
    assert balance(shop, code) == 100


def test_law_73_two_cards_pay_for_one_order_at_once(open_shop: Any, database_url: str) -> None:
    shop = open_shop(database_url)
    codes = [issued(shop, 5000, f"c{n}").code for n in range(6)]
    order = shop.order("A1", 9000)

    def spend(code: str) -> Callable[[], str]:
        def work() -> str:
            shop.crm.transact(lambda tx: GiftCards(tx).capture(code, gbp(4000), order, code), attempts=50)
            return "paid"

        return work

    assert at_once([spend(code) for code in codes]) == {"paid": 2, "StoredValueRefused": 4}


@pytest.fixture(params=["postgresql", "mariadb"])
def raced(request: pytest.FixtureRequest, open_shop: Any) -> Any:
    """Lets a transaction see a card of 10, another spend 7 of it and commit, and the first spend 7 as well."""
    url = request.getfixturevalue(f"{request.param}_url")
    shop = open_shop(url)
    code = issued(shop, 1000).code

    def race(level: Any) -> str:
        engine = create_engine(url, isolation_level=level)
        try:
            with engine.connect() as connection, connection.begin() as host:
                tx = shop.crm.join(connection)
                assert GiftCards(tx).balance(code) == gbp(1000)
                pay(shop, code, 700, shop.order("A1", 9000), "first")
                try:
                    GiftCards(tx).capture(code, gbp(700), shop.order("A2", 9000), "second")
                except (GiftCardShort, RetryTransaction) as error:
                    host.rollback()
                    return type(error).__name__
            return "spent"
        finally:
            engine.dispose()

    return race, shop, code


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ"])
def test_law_10_holds_for_cards_at_every_isolation_level(raced: Any, level: str) -> None:
    race, shop, code = raced
    assert race(level) in ("GiftCardShort", "RetryTransaction")
    assert balance(shop, code) == 300


def test_law_10_for_cards_is_seen_to_fail(raced: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Azuriom#285: without the lock, and without looking past the snapshot."""
    race, shop, code = raced
    monkeypatch.setattr(Payments, "lock", lambda self, ids, key: None)
    made = CardStore.__init__

    def unlocked(self: Any, tx: Any, *, locked: bool = False) -> None:
        made(self, tx, locked=False)

    monkeypatch.setattr(CardStore, "__init__", unlocked)
    assert race("REPEATABLE READ") == "spent"
    card: GiftCard = shop.do(lambda tx: GiftCards(tx).find(code))
    assert card.balance.minor == -400
