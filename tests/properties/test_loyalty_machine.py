"""The loyalty ledger under attack: a state machine, direct properties, and the bugs that each law kills.

The numbers are those of the laws of loyalty: 1-11 (ledger), 36 (soonest expiry first), 42-48 (refunds).
"""

from __future__ import annotations

import math
import random
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs
import crmkit_loyalty.ledger as ledger
import crmkit_loyalty.orders as loyalty_orders
import crmkit_loyalty.rules as rules
import crmkit_loyalty.service as service
import pytest
from crmkit_loyalty import InsufficientPoints, Kind, Loyalty, LoyaltyPlugin, LoyaltySettings, PointsPerUnit
from crmkit_loyalty.journal import Journal
from crmkit_loyalty.ledger import Account, Posting, clawed_back, refunded_part
from crmkit_loyalty.store import Store
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete, select

import crmkit.transaction.orders as core_orders
from crmkit import (
    CRM,
    Award,
    Base,
    Contact,
    Facts,
    KeyConflict,
    LineKind,
    Lot,
    Money,
    NoAward,
    Order,
    OrderLine,
    Refund,
    RewardRule,
    Transaction,
    TransitionRefused,
    ValueRefused,
    add_returns,
    hookimpl,
    split_refund,
)
from crmkit.sql import Sql

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
UNITS = ("points", "stars")
RATE = Fraction(7, 3)
MEMBERS = 2


class LawBroken(AssertionError):
    """A law does not hold; says which, and shows both sides."""

    def __init__(self, law: int, what: str, left: object, right: object) -> None:
        super().__init__(f"law {law}, {what}: {left!r} is not {right!r}")
        self.law = law


def hold(law: int, what: str, left: object, right: object) -> None:
    """Compare the two sides of a law."""
    if left != right:
        raise LawBroken(law, what, left, right)


# --- the programme -------------------------------------------------------------------------------------------------


@attrs.frozen
class Stars:
    """Another plugin's rule: stars on the net amount, in lots of several validities."""

    name: str = "stars"
    version: int = 2

    def evaluate(self, facts: Facts) -> Award | NoAward:
        net = facts.order.amount(Base.NET).minor
        if net < 50:
            return NoAward(reason=f"net is {net}, below 50")
        lot = Lot(expires_at=facts.at + timedelta(days=400 + 100 * (net % 4)))
        return Award(amount=net // 50, unit="stars", base=Base.NET, lot=lot)


@attrs.define(eq=False)
class StarsPlugin:
    """Brings the rule."""

    name: str = "stars"

    @hookimpl
    def crmkit_reward_rules(self) -> list[RewardRule]:
        return [Stars()]


@attrs.define
class Clock:
    """Stands still until it is moved."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now


def build(url: str) -> tuple[CRM, Clock]:
    """Return a CRM with two units and its clock."""
    clock = Clock()
    plugins = [LoyaltyPlugin(LoyaltySettings(points_per_unit=RATE)), StarsPlugin()]
    crm = CRM(url, plugins=plugins, clock=clock, strict=True)
    crm.create_tables()
    return crm, clock


def wipe(crm: CRM) -> None:
    """Empty the tables that a run fills."""
    with crm.begin() as tx:
        for name, table in crm.tables.items():
            if name not in ("installation", "cursors"):
                tx.sql.execute(delete(table))


# --- what stands in the database -----------------------------------------------------------------------------------

Rows = dict[str, list[dict[str, Any]]]
_READ = ("loyalty_transactions", "loyalty_lots", "loyalty_postings", "loyalty_wallets", "orders", "events")
_APPENDED = ("loyalty_transactions", "loyalty_lots", "loyalty_postings", "events")


def read(tx: Transaction) -> Rows:
    """Return the rows of the ledger, the orders and the log."""
    return {name: [dict(row) for row in tx.sql.execute(select(tx.table(name))).mappings()] for name in _READ}


def digest(rows: Rows) -> dict[str, set[str]]:
    """Return a state that can be compared; a wallet's revision tells of writes, it is no part of what is held."""
    return {
        name: {repr({k: v for k, v in sorted(row.items()) if k != "revision"}) for row in found}
        for name, found in rows.items()
    }


def totals(rows: Rows, by: Callable[[dict[str, Any]], Any]) -> Counter[Any]:
    """Return sums of postings by what `by` answers."""
    sums: Counter[Any] = Counter()
    for posting in rows["loyalty_postings"]:
        sums[by(posting)] += posting["amount"]
    return sums


def law_1_transactions_add_up_to_zero(rows: Rows) -> None:
    sums = totals(rows, lambda p: (p["transaction_id"], p["unit"]))
    hold(1, "transactions that do not add up", {key: n for key, n in sums.items() if n}, {})


def law_2_nothing_is_lost(rows: Rows) -> None:
    sums = totals(rows, lambda p: (p["unit"], p["account"]))
    for unit in UNITS:
        issued = sum(lot["quantity"] for lot in rows["loyalty_lots"] if lot["unit"] == unit)
        kept = sum(sums[unit, account] for account in Account if account is not Account.ISSUANCE)
        hold(2, f"{unit} issued = active + redeemed + expired + clawed - owed", kept, issued)


def law_4_rows_only_come(before: Mapping[str, set[str]], after: Mapping[str, set[str]]) -> None:
    gone = {name: sorted(before[name] - after[name]) for name in _APPENDED if before[name] - after[name]}
    hold(4, "rows changed or deleted", gone, {})


def law_5_lots_hold(rows: Rows) -> None:
    left = totals(rows, lambda p: (p["account"], p["lot_id"]))
    for lot in rows["loyalty_lots"]:
        n = left[Account.ACTIVE, lot["id"]]
        hold(5, f"0 <= {n} left <= {lot['quantity']}", 0 <= n <= lot["quantity"], True)
    burnt = totals(rows, lambda p: (p["transaction_id"], p["account"], p["lot_id"] is not None))
    for one in rows["loyalty_transactions"]:
        if one["kind"] == Kind.REDEEM:
            parts = -burnt[one["id"], Account.ACTIVE, True], burnt[one["id"], Account.REDEEMED, False]
            hold(5, "a burn's lots and its amount", parts, (one["content"]["amount"],) * 2)


def law_11_no_floats(rows: Rows) -> None:
    floats = [p for p in rows["loyalty_postings"] if type(p["amount"]) is not int]
    hold(11, "amounts that are no whole numbers", floats, [])


def law_46_returned_once_and_exactly(rows: Rows, cancelled: Mapping[str, int]) -> None:
    spent = totals(rows, lambda p: (p["transaction_id"], p["account"]))
    kinds = {row["key"]: row["id"] for row in rows["loyalty_transactions"]}
    returns = [row for row in rows["loyalty_transactions"] if row["kind"] == Kind.RETURN]
    hold(46, "returns are as many as cancelled redemptions", len(returns), len(cancelled))
    for key, amount in cancelled.items():
        back = spent[kinds.get(f"return:{key}"), Account.REDEEMED]
        hold(46, f"redemption {key} returned", -back, amount)


def law_47_debt_is_paid_first(rows: Rows, who: UUID, unit: str) -> None:
    sums = totals(rows, lambda p: (p["contact_id"], p["unit"], p["account"]))
    active, owed = sums[who, unit, Account.ACTIVE], -sums[who, unit, Account.DEBT]
    hold(47, f"whoever owes {unit} holds none (active, owed)", min(active, owed), 0)


# --- the oracle: a small fold over what was done -------------------------------------------------------------------


@attrs.define
class Bought:
    """An order as the oracle knows it: what it earned and what is clawed back so far, by unit."""

    key: str
    who: int
    order: Order
    state: str
    earned: Counter[str] = attrs.field(factory=Counter)
    clawed: Counter[str] = attrs.field(factory=Counter)
    past: Counter[str] = attrs.field(factory=Counter)
    returned: Mapping[str, Any] = attrs.field(factory=dict)
    refunded: int = 0
    refunds: list[Refund] = attrs.field(factory=list)

    def base(self, unit: str) -> dict[str, int]:
        """What counts for a unit, by line: products after discounts, for stars without their tax."""
        return self.order.base_shares(Base.GOODS if unit == "points" else Base.NET)

    def award(self) -> Counter[str]:
        """What the rules ought to grant, computed another way than they do."""
        products = sum(line.total.minor for line in self.order.lines if line.kind is LineKind.PRODUCT)
        discounts = sum(line.total.minor for line in self.order.lines if line.kind is LineKind.DISCOUNT)
        points = (products + discounts) * RATE.numerator // (100 * RATE.denominator)
        return Counter({"points": points, "stars": sum(self.base("stars").values()) // 50})

    def due(self, unit: str) -> int:
        """Law 43: how much is to be clawed back by now."""
        if self.state in ("refunded", "cancelled"):
            return self.earned[unit]
        shares = self.base(unit)
        refunded = sum(
            (
                Fraction(done.minor * shares[id], self.order.shares[id])
                for id, done in self.returned.items()
                if shares.get(id)
            ),
            Fraction(0),
        )
        return math.floor(self.earned[unit] * refunded / max(1, sum(shares.values())))


@attrs.define
class Spent:
    """A redemption as the oracle knows it."""

    key: str
    who: int
    unit: str
    amount: int


# --- the machine ---------------------------------------------------------------------------------------------------

PRICES = st.sampled_from([0, 1, 43, 99, 100, 333, 1000])


@st.composite
def baskets(draw: st.DrawFn) -> tuple[OrderLine, ...]:
    """Return lines: products with tax, perhaps a discount and shipping."""
    prices = draw(st.lists(st.tuples(st.integers(1, 3), PRICES), min_size=1, max_size=3))
    lines = [
        OrderLine("sku", quantity, Money(price, "GBP"), tax=Money(price // 6, "GBP"), id=str(n))
        for n, (quantity, price) in enumerate(prices)
    ]
    worth = sum(price for _, price in prices)
    if worth and draw(st.booleans()):
        off = Money(-draw(st.integers(1, worth)), "GBP")
        lines.append(OrderLine("off", 1, off, kind=LineKind.DISCOUNT, id="off"))
    if draw(st.booleans()):
        lines.append(OrderLine("post", 1, Money(499, "GBP"), kind=LineKind.SHIPPING, id="post"))
    return tuple(lines)


class LoyaltyMachine(RuleBasedStateMachine):
    """Buys, repeats, refunds, spends, cancels, amends and crashes, and compares with the oracle."""

    url = "sqlite://"
    built: tuple[CRM, Clock] | None = None
    orders: Bundle[Bought] = Bundle("orders")
    burns: Bundle[Spent] = Bundle("burns")

    def __init__(self) -> None:
        super().__init__()
        cls = type(self)
        if cls.built is None:
            cls.built = build(self.url)
        self.crm, self.clock = cls.built
        self.bought: list[Bought] = []
        self.spent: list[Spent] = []
        self.cancelled: dict[str, int] = {}
        self.names = (f"n{number}" for number in count(1))

    @initialize()
    def start(self) -> None:
        wipe(self.crm)
        self.clock.now = START
        with self.crm.begin() as tx:
            self.ids = [tx.contacts.add(f"member {n}").id for n in range(MEMBERS)]
            self.rows = read(tx)
        self.state = digest(self.rows)

    # earning

    @rule(target=orders, who=st.integers(0, MEMBERS - 1), lines=baskets(), at_once=st.booleans())
    def buy(self, who: int, lines: tuple[OrderLine, ...], at_once: bool) -> Bought:
        key = next(self.names)
        order = Order(key, lines, placed_at=self.clock.now, contact_id=self.ids[who])
        bought = Bought(key, who, order, "paid")
        with self.crm.begin() as tx:
            tx.orders.record(order, state="paid" if at_once else "placed")
            if not at_once:
                tx.orders.paid(key)
        bought.earned = bought.award()
        self.bought.append(bought)
        self.look()
        return bought

    @rule(bought=orders, again=st.sampled_from(["record", "paid", "refund"]))
    def redeliver(self, bought: Bought, again: str) -> None:
        """Law 6: the same call again changes nothing, and answers the same."""
        with self.crm.begin() as tx:
            if again == "paid":
                first, second = (tx.orders.paid(bought.key) for _ in range(2))
                hold(6, "the replayed outcome", first, second)
            elif again == "refund":
                for refund in bought.refunds:
                    tx.orders.refund(bought.key, refund)
            elif not bought.past:  # of an amended order the first lines are no longer at hand
                recorded = next(
                    row for row in self.rows["events"] if row["key"] == f"order:{bought.key}"
                )
                tx.orders.record(bought.order, state=recorded["data"].get("state", "placed"))
        self.unchanged(6, f"{again} again")

    @rule(bought=orders, lines=baskets())
    def other_payload(self, bought: Bought, lines: tuple[OrderLine, ...]) -> None:
        """Law 7: the same key with other content is an error and changes nothing."""
        order = attrs.evolve(bought.order, lines=(*lines, OrderLine("extra", 1, Money(1, "GBP"), id="x")))
        with self.crm.begin() as tx, pytest.raises(KeyConflict):
            tx.orders.record(order)
        self.unchanged(7, "another order under the same key")

    # refunds

    @rule(bought=orders, line=st.integers(0, 2), quantity=st.integers(1, 2))
    def refund_line(self, bought: Bought, line: int, quantity: int) -> None:
        self.refund(bought, Refund.of_lines(next(self.names), {str(line): quantity}))

    @rule(bought=orders, minor=st.integers(1, 700))
    def refund_amount(self, bought: Bought, minor: int) -> None:
        self.refund(bought, Refund.of_amount(next(self.names), Money(minor, "GBP")))

    @rule(bought=orders)
    def refund_whole(self, bought: Bought) -> None:
        self.refund(bought, Refund.whole(next(self.names)))

    def refund(self, bought: Bought, refund: Refund) -> None:
        redeemed = self.redeemed()
        try:
            with self.crm.begin() as tx:
                done = tx.orders.refund(bought.key, refund)
        except (TransitionRefused, ValueRefused):
            self.unchanged(9, "a refused refund")
            return
        event: Any = done.entry.event
        bought.returned, bought.state = event.returned, done.state.value
        bought.refunded += event.amount.minor
        bought.refunds.append(refund)
        hold(48, "money back <= money paid", bought.refunded <= bought.order.total.minor, True)
        self.look()
        hold(45, "a refund spends nothing", self.redeemed(), redeemed)

    @rule(bought=orders)
    def cancel(self, bought: Bought) -> None:
        try:
            with self.crm.begin() as tx:
                done = tx.orders.cancel(bought.key)
        except TransitionRefused:
            self.unchanged(9, "a refused cancellation")
            return
        bought.state = done.state.value
        self.look()

    @rule(bought=orders, lines=baskets())
    def amend(self, bought: Bought, lines: tuple[OrderLine, ...]) -> None:
        try:
            with self.crm.begin() as tx:
                tx.orders.amend(bought.key, lines, amendment=next(self.names))
        except TransitionRefused:
            self.unchanged(9, "a refused amendment")
            return
        bought.order = attrs.evolve(bought.order, lines=lines)
        bought.past += bought.earned
        bought.earned = bought.award()
        self.look()

    # spending

    @rule(target=burns, who=st.integers(0, MEMBERS - 1), unit=st.sampled_from(UNITS), part=st.sampled_from([1, 2, 3, 9]))
    def redeem(self, who: int, unit: str, part: int) -> Any:
        """Spend everything, a half, a third or a little; with nothing there, too much."""
        there = max(0, self.expected(who, unit))
        spent = Spent(next(self.names), who, unit, max(1, there // part))
        if not there:
            with self.crm.begin() as tx, pytest.raises(InsufficientPoints):
                self.spend(tx, spent)
            self.unchanged(9, "a redemption of what is not there")
            return multiple()
        before = self.rows
        with self.crm.begin() as tx:
            entry = self.spend(tx, spent)
        self.spent.append(spent)
        self.look()
        others = [[p for p in rows["loyalty_postings"] if p["unit"] != unit] for rows in (before, self.rows)]
        hold(12, "postings of other units", others[0], others[1])
        self.law_36_soonest_first(entry.id)
        return spent

    def law_36_soonest_first(self, burn: UUID) -> None:
        lots = {lot["id"]: (lot["expires_at"], lot["id"]) for lot in self.rows["loyalty_lots"]}
        left = totals(self.rows, lambda p: (p["account"], p["lot_id"]))
        mine = [p for p in self.rows["loyalty_postings"] if p["transaction_id"] == burn and p["lot_id"]]
        latest = max(lots[p["lot_id"]] for p in mine)
        earlier = [
            lot["id"]
            for lot in self.rows["loyalty_lots"]
            if (lot["contact_id"], lot["unit"]) == (mine[0]["contact_id"], mine[0]["unit"])
            and lots[lot["id"]] < latest
            and left[Account.ACTIVE, lot["id"]]
        ]
        hold(36, "lots that expire sooner and were left", earlier, [])

    @rule(spent=burns)
    def redeem_again(self, spent: Spent) -> None:
        """Laws 6 and 7 for redemptions."""
        with self.crm.begin() as tx:
            first, second = (self.spend(tx, spent) for _ in range(2))
        hold(6, "the stored redemption", first, second)
        self.unchanged(6, "a redemption again")
        try:
            with self.crm.begin() as tx:
                self.spend(tx, attrs.evolve(spent, amount=spent.amount + 1))
        except (KeyConflict, InsufficientPoints) as error:
            hold(7, "the error for another amount", type(error), KeyConflict)
        else:
            raise LawBroken(7, "another amount under the same key", "accepted", "refused")
        self.unchanged(7, "another amount under the same key")

    @rule(spent=consumes(burns))
    def cancel_redemption(self, spent: Spent) -> None:
        with self.crm.begin() as tx:
            Loyalty(tx).cancel_redemption(spent.key)
        self.cancelled[spent.key] = spent.amount
        self.look()
        law_46_returned_once_and_exactly(self.rows, self.cancelled)
        with self.crm.begin() as tx:
            Loyalty(tx).cancel_redemption(spent.key)
        self.look()

    # trouble

    @rule(
        who=st.integers(0, MEMBERS - 1),
        lines=baskets(),
        how=st.sampled_from(["transaction", "savepoint"]),
        spend=st.booleans(),
    )
    def crash(self, who: int, lines: tuple[OrderLine, ...], how: str, spend: bool) -> None:
        """Law 9: an operation that raises half way leaves everything as it was."""
        order = Order(next(self.names), lines, placed_at=self.clock.now, contact_id=self.ids[who])
        try:
            with self.crm.begin() as tx:
                with tx.sql.isolated() if how == "savepoint" else nullcontext():
                    tx.orders.record(order, state="paid")
                    if spend and self.expected(who, "points") > 0:
                        self.spend(tx, Spent(order.key, who, "points", 1))
                    raise ZeroDivisionError
        except ZeroDivisionError:
            pass
        with self.crm.begin() as tx:  # a savepoint that is rolled back leaves its transaction to commit
            try:
                with tx.sql.isolated():
                    tx.orders.record(order, state="paid")
                    raise ZeroDivisionError
            except ZeroDivisionError:
                pass
        self.unchanged(9, "a crash")

    @rule(hours=st.integers(1, 100))
    def wait(self, hours: int) -> None:
        self.clock.now += timedelta(hours=hours)

    # what is asked

    def spend(self, tx: Transaction, spent: Spent) -> Any:
        return Loyalty(tx).redeem(self.ids[spent.who], spent.amount, spent.key, unit=spent.unit)

    def expected(self, who: int, unit: str) -> int:
        """The oracle's balance: earned, minus clawed back, minus spent, plus returned."""
        earned = sum(b.earned[unit] - b.due(unit) for b in self.bought if b.who == who)
        mine = [s for s in self.spent if (s.who, s.unit) == (who, unit) and s.key not in self.cancelled]
        return earned - sum(s.amount for s in mine)

    def redeemed(self) -> dict[Any, int]:
        return dict(totals(self.rows, lambda p: (p["unit"], p["account"] == Account.REDEEMED)))[...] if False else {
            unit: totals(self.rows, lambda p: (p["unit"], p["account"]))[unit, Account.REDEEMED] for unit in UNITS
        }

    def look(self) -> None:
        """Read everything again."""
        before = self.state
        with self.crm.begin() as tx:
            self.rows = read(tx)
        self.state = digest(self.rows)
        law_4_rows_only_come(before, self.state)

    def unchanged(self, law: int, what: str) -> None:
        before = self.state
        self.look()
        hold(law, f"{what} left everything as it was", self.state, before)

    @invariant()
    def check_laws(self) -> None:
        law_1_transactions_add_up_to_zero(self.rows)
        law_2_nothing_is_lost(self.rows)
        law_5_lots_hold(self.rows)
        law_11_no_floats(self.rows)
        law_46_returned_once_and_exactly(self.rows, self.cancelled)
        self.laws_of_awards()
        with self.crm.begin() as tx:
            for who, contact_id in enumerate(self.ids):
                for unit in UNITS:
                    law_47_debt_is_paid_first(self.rows, contact_id, unit)
                    self.laws_of_balances(Loyalty(tx), who, unit)

    def laws_of_awards(self) -> None:
        """Laws 11 and 42-44: what each order earned and what was taken back."""
        sums = totals(self.rows, lambda p: (p["lot_id"], p["account"]))
        by_order: dict[Any, Counter[Any]] = defaultdict(Counter)
        keys = {row["id"]: row["key"] for row in self.rows["orders"]}
        for lot in self.rows["loyalty_lots"]:
            mine = by_order[keys[lot["subject_id"]]]
            mine["earned", lot["unit"]] += lot["quantity"]
            mine["clawed", lot["unit"]] += sums[lot["id"], Account.CLAWED]
        for bought in self.bought:
            for unit in UNITS:
                mine, past, earned = by_order[bought.key], bought.past[unit], bought.earned[unit]
                hold(11, f"{unit} of {bought.key}", mine["earned", unit], past + earned)
                clawed = mine["clawed", unit]
                if bought.state == "cancelled":
                    hold(44, f"{unit} of the cancelled {bought.key} taken back", clawed, past + earned)
                if bought.state == "refunded":
                    hold(42, f"{unit} of {bought.key}, refunded in parts, taken back", clawed, past + earned)
                hold(43, f"{unit} of {bought.key} taken back", clawed, past + bought.due(unit))

    def laws_of_balances(self, loyalty: Loyalty, who: int, unit: str) -> None:
        contact_id = self.ids[who]
        counted = (Account.ACTIVE, Account.DEBT)
        mine = totals(self.rows, lambda p: (p["contact_id"], p["unit"], p["account"]))
        fold = sum(mine[contact_id, unit, account] for account in counted)
        balance = loyalty.balance(contact_id, unit)
        hold(3, f"the balance of member {who} and the fold of its {unit}", balance, fold)
        hold(44, f"the balance of member {who} and the oracle's {unit}", balance, self.expected(who, unit))
        hold(3, f"what member {who} may spend", loyalty.spendable(contact_id, unit), max(0, fold))


class FileMachine(LoyaltyMachine):
    """The same over a file."""


TestMemory = LoyaltyMachine.TestCase
TestMemory.settings = settings(deadline=None, stateful_step_count=25)


@pytest.fixture
def file_machine(tmp_path: Path) -> Iterator[type[LoyaltyMachine]]:
    """The machine over a file that is new."""
    FileMachine.url, FileMachine.built = f"sqlite:///{tmp_path / 'loyalty.db'}", None
    yield FileMachine
    assert FileMachine.built is not None
    FileMachine.built[0].engine.dispose()


def test_the_laws_hold_over_a_file(file_machine: type[LoyaltyMachine]) -> None:
    some = max(5, settings().max_examples // 10)
    run_state_machine_as_test(file_machine, settings=settings(max_examples=some, deadline=None, stateful_step_count=20))
