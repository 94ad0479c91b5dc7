"""The ledger through its service and through orders."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import attrs
import pytest
from sqlalchemy import select

from crmkit import (
    CRM,
    Award,
    ConfigError,
    Facts,
    KeyConflict,
    Lot,
    Money,
    NoAward,
    NotFound,
    OrderLine,
    Refund,
    RewardRule,
    ValueRefused,
    hookimpl,
)
from crmkit_loyalty import (
    InsufficientPoints,
    Kind,
    Loyalty,
    LoyaltyPlugin,
    PointsClawedBack,
    PointsEarned,
    PointsGranted,
    PointsRedeemed,
    PointsReturned,
)
from crmkit_loyalty.events import EVENTS


@attrs.define(eq=False)
class Rule:
    """A host's own rule, as its own plugin: what it answers is given."""

    answer: Any
    name: str = "gift"
    version: int = 4

    def evaluate(self, facts: Facts) -> Any:
        return self.answer

    def recompute(self, inputs: Any) -> int:
        return int(inputs["gift"])

    @hookimpl
    def crmkit_reward_rules(self) -> list[RewardRule]:
        return [self]


def test_an_order_is_paid_and_earns(shop: Any) -> None:
    outcome = shop.buy("A1", 1099)
    assert [award.amount for award in outcome.awards] == [10]
    assert (shop.balance(), shop.balance("stars")) == (10, 0)
    (entry,) = shop.ask(lambda loyalty: loyalty.statement(shop.ann))
    assert (entry.key, entry.kind, entry.change) == ("order:A1:paid", Kind.EARN, 10)
    assert (entry.order_id, entry.cause_id) == (outcome.order_id, outcome.entry.id)
    plugin = shop.crm.plugins[-1].name
    assert entry.content == {"rule": "points-per-unit@1", "owner": plugin, "base": "goods"}


def test_an_order_that_is_not_paid_earns_nothing(shop: Any) -> None:
    shop.do(lambda tx: tx.orders.record(shop.order("A1", 1000)))
    assert shop.balance() == 0
    shop.do(lambda tx: tx.orders.cancel("A1"))
    assert shop.ask(lambda loyalty: loyalty.statement(shop.ann)) == []


def test_awards_of_every_plugin_are_posted_each_in_its_unit(open_shop: Any) -> None:
    answers = [
        Award(amount=3, inputs={"gift": 3}),
        NoAward(reason="not today"),
        Award(amount=2, unit="stars"),
    ]
    shop = open_shop("sqlite://", Rule(answers))
    shop.buy("A1", 1000)
    assert (shop.balance(), shop.balance("stars")) == (13, 2)
    keys = [entry.key for entry in shop.ask(lambda loyalty: loyalty.statement(shop.ann))]
    assert sorted(keys) == ["2:order:A1:paid", "order:A1:paid"]
    earned = [
        e.event for e in shop.do(lambda tx: tx.orders.history("A1")) if isinstance(e.event, PointsEarned)
    ]
    assert earned == [
        PointsEarned(order_key="A1", unit="points", amount=13, rules={"gift@4": 3, "points-per-unit@1": 10}),
        PointsEarned(order_key="A1", unit="stars", amount=2, rules={"gift@4": 2}),
    ]


def test_an_award_that_the_ledger_cannot_hold_fails_the_order(open_shop: Any) -> None:
    shop = open_shop("sqlite://", Rule(Award(amount=2**62)), strict=False)
    with pytest.raises(ValueRefused, match="rule 'gift@4' awards 4611686018427387904 points"):
        shop.buy("A1", 1000)
    with pytest.raises(NotFound):
        shop.do(lambda tx: tx.orders.get("A1"))


def test_history_is_taken_over_without_points(shop: Any) -> None:
    old = attrs.evolve(shop.order("A1", 1000), placed_at=shop.now - timedelta(days=400))
    shop.do(lambda tx: tx.orders.record(old, state="paid", history=True))
    shop.do(lambda tx: tx.orders.refund("A1", Refund.whole("r1")))
    assert shop.balance() == 0
    again = attrs.evolve(old, key="A2")
    plugin = shop.crm.plugins[-1].name
    shop.do(lambda tx: tx.orders.record(again, state="paid", history=True, effects=[plugin]))
    assert shop.balance() == 10


def test_refunds_take_back_their_share_and_the_rest_is_owed(shop: Any) -> None:
    shop.buy("A1", 600, 399)
    shop.ask(lambda loyalty: loyalty.redeem(shop.ann, 8, "mug"))
    balances = []
    for refund in (
        Refund.of_lines("r1", {"1": 1}),
        Refund.of_amount("r2", Money(300, "GBP")),
        Refund.whole("r3"),
    ):
        shop.do(lambda tx, refund=refund: tx.orders.refund("A1", refund))
        balances.append(shop.balance())
    assert balances == [0, -3, -8]
    assert shop.ask(lambda loyalty: loyalty.spendable(shop.ann)) == 0
    shop.buy("A2", 1000)
    totals = shop.ask(lambda loyalty: loyalty.totals())
    assert (shop.balance(), totals.active, totals.owed, totals.clawed) == (2, 2, 0, 9)
    told = [
        e.event for e in shop.do(lambda tx: tx.orders.history("A1")) if isinstance(e.event, PointsClawedBack)
    ]
    assert [(event.amount, event.because) for event in told] == [
        (1, "refunded"),
        (3, "refunded"),
        (5, "refunded"),
    ]


def test_an_amended_order_earns_anew(shop: Any) -> None:
    shop.buy("A1", 1000)
    lines = [OrderLine("sku", 1, Money(2500, "GBP"))]
    shop.do(lambda tx: tx.orders.amend("A1", lines, amendment="a1"))
    assert shop.balance() == 25
    entries = shop.ask(lambda loyalty: loyalty.statement(shop.ann))
    assert [(entry.kind, entry.change) for entry in entries] == [
        ("earn", 25),
        ("claw-back", -10),
        ("earn", 10),
    ]
    shop.do(lambda tx: tx.orders.cancel("A1"))
    assert (shop.balance(), shop.ask(lambda loyalty: loyalty.outstanding())) == (0, 0)


def test_a_redemption_is_repeated_safely(shop: Any) -> None:
    shop.buy("A1", 1000)
    first = shop.ask(lambda loyalty: loyalty.redeem(shop.ann, 4, "mug", "a mug"))
    assert (first.kind, first.change, first.content) == (Kind.REDEEM, -4, {"amount": 4, "reason": "a mug"})
    assert shop.ask(lambda loyalty: loyalty.redeem(shop.ann, 4, "mug", "a mug")) == first
    for amount, reason in ((5, "a mug"), (4, "two mugs")):
        with pytest.raises(KeyConflict, match="redeem:mug"):
            shop.ask(lambda loyalty, a=amount, r=reason: loyalty.redeem(shop.ann, a, "mug", r))
    ben = shop.do(lambda tx: tx.contacts.add("Ben")).id
    with pytest.raises(KeyConflict):
        shop.ask(lambda loyalty: loyalty.redeem(ben, 4, "mug", "a mug"))
    assert shop.balance() == 6


def test_more_than_there_is_cannot_be_spent(shop: Any) -> None:
    shop.buy("A1", 1000)
    with pytest.raises(InsufficientPoints, match="cannot spend 11 points: 10 may be spent now") as caught:
        shop.ask(lambda loyalty: loyalty.redeem(shop.ann, 11, "mug"))
    assert (caught.value.wanted, caught.value.spendable, caught.value.unit) == (11, 10, "points")
    assert caught.value.contact_id == shop.ann


def test_a_refused_redemption_leaves_the_transaction_usable(shop: Any) -> None:
    def work(tx: Any) -> int:
        with pytest.raises(InsufficientPoints):
            Loyalty(tx).redeem(shop.ann, 1, "mug")
        tx.orders.record(shop.order("A1", 1000), state="paid")
        return Loyalty(tx).redeem(shop.ann, 10, "mug").change

    assert shop.do(work) == -10


def test_a_cancelled_redemption_comes_back_once(shop: Any) -> None:
    shop.buy("A1", 1000)
    shop.buy("A2", 1000)
    shop.ask(lambda loyalty: loyalty.redeem(shop.ann, 15, "mug"))
    before = [(one.order_id, one.left) for one in shop.ask(lambda loyalty: loyalty.lots(shop.ann))]
    first = shop.ask(lambda loyalty: loyalty.cancel_redemption("mug"))
    assert shop.ask(lambda loyalty: loyalty.cancel_redemption("mug")) == first
    lots = shop.ask(lambda loyalty: loyalty.lots(shop.ann))
    assert (first.change, [one.left for one in lots], len(before)) == (15, [10, 10], 1)
    with pytest.raises(NotFound, match="no redemption with the key 'cup'"):
        shop.ask(lambda loyalty: loyalty.cancel_redemption("cup"))


def test_what_comes_back_pays_a_debt_first(shop: Any) -> None:
    shop.buy("A1", 1000)
    shop.ask(lambda loyalty: loyalty.redeem(shop.ann, 10, "mug"))
    shop.do(lambda tx: tx.orders.refund("A1", Refund.of_amount("r1", Money(400, "GBP"))))
    assert shop.balance() == -4
    assert shop.ask(lambda loyalty: loyalty.cancel_redemption("mug")).change == 10
    totals = shop.ask(lambda loyalty: loyalty.totals())
    assert (shop.balance(), totals.active, totals.owed) == (6, 6, 0)


def test_a_grant_by_hand(shop: Any) -> None:
    first = shop.ask(lambda loyalty: loyalty.grant(shop.ann, 5, "sorry", "late parcel"))
    assert shop.ask(lambda loyalty: loyalty.grant(shop.ann, 5, "sorry", "late parcel")) == first
    assert (first.kind, first.change, shop.balance()) == (Kind.GRANT, 5, 5)
    with pytest.raises(KeyConflict):
        shop.ask(lambda loyalty: loyalty.grant(shop.ann, 6, "sorry", "late parcel"))
    with pytest.raises(NotFound):
        shop.ask(lambda loyalty: loyalty.grant(UUID(int=1), 5, "who"))


@pytest.mark.parametrize("amount", [0, -1, True, 1.0, "1", 10**15 + 1])
def test_an_amount_that_is_no_count_is_refused(shop: Any, amount: Any) -> None:
    for call in ("redeem", "grant"):
        with pytest.raises(ValueRefused, match=r"amount is .* must be a whole number from 1 to"):
            shop.ask(lambda loyalty, call=call: getattr(loyalty, call)(shop.ann, amount, "k"))


@pytest.mark.parametrize("key", ["", "x" * 201, 5, None])
def test_a_key_that_is_no_text_is_refused(shop: Any, key: Any) -> None:
    with pytest.raises(ValueRefused, match="key is"):
        shop.ask(lambda loyalty: loyalty.redeem(shop.ann, 1, key))


def test_lots_are_spendable_within_their_validity(shop: Any) -> None:
    """Law 31, over the database."""
    day, tick = timedelta(days=1), timedelta(microseconds=1)
    lot = Lot(active_from=shop.now + day, expires_at=shop.now + 2 * day)
    shop.ask(lambda loyalty: loyalty.grant(shop.ann, 5, "later", lot=lot))
    found = []
    for at in (shop.now, lot.active_from - tick, lot.active_from, lot.expires_at - tick, lot.expires_at):
        shop.now = at
        found.append((shop.ask(lambda loyalty: loyalty.spendable(shop.ann)), shop.balance()))
    assert found == [(0, 5), (0, 5), (5, 5), (5, 5), (0, 0)]
    assert shop.ask(lambda loyalty: loyalty.lots(shop.ann)) == []
    assert shop.ask(lambda loyalty: (loyalty.outstanding(), loyalty.totals().pending)) == (0, 5)


def test_points_expire_after_the_days_of_the_settings(open_shop: Any) -> None:
    shop = open_shop("sqlite://", lot_days=30)
    shop.buy("A1", 1000)
    (lot,) = shop.ask(lambda loyalty: loyalty.lots(shop.ann))
    assert lot.expires_at - shop.now == timedelta(days=30)
    assert (lot.quantity, lot.left, lot.active_from) == (10, 10, shop.now)


def test_an_order_dated_ahead_of_the_clock_earns_at_once(shop: Any) -> None:
    ahead = attrs.evolve(shop.order("A1", 1000), placed_at=shop.now + timedelta(minutes=3))
    shop.do(lambda tx: tx.orders.record(ahead, state="paid"))
    assert shop.ask(lambda loyalty: loyalty.spendable(shop.ann)) == 10


def test_a_statement_has_pages(shop: Any) -> None:
    for number in range(5):
        shop.buy(f"A{number}", 1000 + 100 * number)
        shop.now += timedelta(hours=1)
    whole = shop.ask(lambda loyalty: loyalty.statement(shop.ann))
    first = shop.ask(lambda loyalty: loyalty.statement(shop.ann, limit=2))
    rest = shop.ask(lambda loyalty: loyalty.statement(shop.ann, before=first[-1]))
    assert first + rest == whole
    assert [entry.change for entry in whole] == [14, 13, 12, 11, 10]


def test_each_entry_explains_itself(open_shop: Any) -> None:
    shop = open_shop("sqlite://", Rule(Award(amount=3, inputs={"gift": 3})), points_per_unit="3/2", cap=10)
    shop.buy("A1", 1055)
    shop.do(lambda tx: tx.orders.refund("A1", Refund.of_amount("r1", Money(500, "GBP"))))
    shop.do(lambda tx: tx.orders.refund("A1", Refund.whole("r2")))
    shop.ask(lambda loyalty: loyalty.grant(shop.ann, 5, "sorry", "late parcel"))
    keys = ["order:A1:paid", "2:order:A1:paid", "2:order:A1:refund:r1", "2:order:A1:refund:r2", "grant:sorry"]
    said = [shop.ask(lambda loyalty, key=key: loyalty.explain(key)) for key in keys]
    for text, part in zip(
        said,
        [
            "3 points by the rule gift@4 of gift\ninputs: gift=3\nthe inputs = 3, as posted\nposted: issuance -3",
            "10.55 GBP of goods at 3/2 per GBP, rounded to floor = 15, as posted\nthe rule's cap cut it to 10",
            "floor(10 * 500 / 1055) = 4, - 0 taken back before = 4\nposted: clawed +4, active -4",
            "all of it: 10 - 4 taken back before = 6",
            "5 points: late parcel",
        ],
        strict=True,
    ):
        assert part in text
    with pytest.raises(NotFound, match="no transaction with the key 'nothing'"):
        shop.ask(lambda loyalty: loyalty.explain("nothing"))


def test_a_rule_that_cannot_compute_again_is_said_to(open_shop: Any) -> None:
    class Plain(Rule):
        recompute = None  # type: ignore[assignment]

    shop = open_shop("sqlite://", Plain(Award(amount=3)))
    shop.buy("A1", 1)
    said = shop.ask(lambda loyalty: loyalty.explain("order:A1:paid"))
    assert "inputs: none\nthe rule does not say how to compute it again" in said


def test_the_log_tells_of_everything(shop: Any) -> None:
    paid = shop.buy("A1", 1000)
    shop.ask(lambda loyalty: loyalty.redeem(shop.ann, 4, "mug", "a mug"))
    shop.ask(lambda loyalty: loyalty.cancel_redemption("mug"))
    shop.ask(lambda loyalty: loyalty.grant(shop.ann, 5, "sorry"))
    timeline = shop.do(lambda tx: tx.events.timeline(shop.ann))
    ours = {type(entry.event): entry for entry in timeline if entry.type.startswith("Points")}
    assert set(ours) == {PointsEarned, PointsRedeemed, PointsReturned, PointsGranted}
    assert ours[PointsEarned].cause_id == paid.entry.id
    assert ours[PointsRedeemed].event == PointsRedeemed(key="mug", unit="points", amount=4, reason="a mug")


def test_a_crm_without_the_plugin_is_told_so() -> None:
    crm = CRM("sqlite://")
    crm.create_tables()
    with crm.begin() as tx, pytest.raises(ConfigError, match=r"plugins=\['loyalty'\]"):
        Loyalty(tx)


def test_a_closed_transaction_is_refused(shop: Any) -> None:
    with shop.crm.begin() as tx:
        loyalty = Loyalty(tx)
    with pytest.raises(Exception, match="the transaction has ended"):
        loyalty.balance(shop.ann)


def test_its_tables_say_whose_rows_they_are(shop: Any) -> None:
    """Export and erasure read the columns' marks."""
    names = ("wallets", "transactions", "lots", "postings", "timers", "usage")
    tables = [shop.crm.tables[f"loyalty_{name}"] for name in names]
    assert all(table.c.contact_id.info == {"crmkit": "subject"} for table in tables)
    nullable = {f"{t.name}.{c.name}" for t in tables for c in t.c if c.nullable}
    assert nullable == {
        "crm_loyalty_transactions.cause_id",
        "crm_loyalty_transactions.subject_id",
        "crm_loyalty_lots.subject_id",
        "crm_loyalty_postings.lot_id",
    }


def test_two_crms_in_one_process_keep_their_own_points(open_shop: Any) -> None:
    one, two = open_shop(), open_shop("sqlite://", points_per_unit=2)
    one.buy("A1", 1000)
    two.buy("A1", 1000)
    assert (one.balance(), two.balance()) == (10, 20)
    rows = two.do(lambda tx: tx.sql.execute(select(tx.table("loyalty_wallets"))).all())
    assert len(rows) == 1


def test_the_plugin_declares_what_it_appends() -> None:
    names = [cls.__name__ for cls in EVENTS]
    assert names == sorted(names) and len(names) == 14
    assert set(EVENTS) <= set(LoyaltyPlugin().crmkit_event_types())
