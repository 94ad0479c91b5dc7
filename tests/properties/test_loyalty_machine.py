"""The loyalty ledger under attack: a state machine, direct properties, and the bugs that each law kills.

The numbers are those of the laws of loyalty: 1-11 (ledger), 36 (soonest expiry first), 42-48 (refunds).
"""

from __future__ import annotations

import math
import random
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete, select

import crmkit.transaction.orders as core_orders
import crmkit_loyalty.orders as loyalty_orders
from crmkit import (
    CRM,
    Award,
    Base,
    Contact,
    CrmkitError,
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
from crmkit_loyalty import (
    InsufficientPoints,
    Kind,
    Loyalty,
    LoyaltyPlugin,
    LoyaltySettings,
    PointsPerUnit,
    Rounding,
    ledger,
    rules,
    service,
)
from crmkit_loyalty.journal import Journal
from crmkit_loyalty.ledger import Account, Posting, clawed_back, refunded_part
from crmkit_loyalty.store import Store

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
UNITS = ("points", "stars")
RATE = Fraction(7, 3)
MEMBERS = 2


HUNT = settings(
    max_examples=max(300, settings().max_examples),
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


@attrs.frozen
class Property:
    """What holds for everything that the strategies draw.

    Args:
        strategies: of the arguments.
        body: raises LawBroken.
    """

    strategies: tuple[st.SearchStrategy[Any], ...]
    body: Callable[..., None]

    def check(self, examples: int) -> None:
        """Try it on some examples."""
        settings(max_examples=examples, deadline=None)(given(*self.strategies)(self.body))()

    def hunt(self) -> None:
        """Look for a failure, the same way each time, and do not shrink it."""
        HUNT(given(*self.strategies)(self.body))()


def for_all(*strategies: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Property]:
    """Make a property of a function."""
    return lambda body: Property(strategies, body)


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
_COLUMNS = {
    "loyalty_transactions": ("id", "key", "kind", "contact_id", "unit", "content"),
    "loyalty_lots": ("id", "contact_id", "unit", "quantity", "subject_id", "active_from", "expires_at"),
    "loyalty_postings": ("transaction_id", "n", "contact_id", "unit", "account", "lot_id", "amount"),
    # a wallet's revision tells of writes, it is no part of what is held
    "loyalty_wallets": ("contact_id", "unit"),
    "orders": ("id", "key", "state", "total", "refunded"),
    "events": ("id", "key"),
}
_APPENDED = ("loyalty_transactions", "loyalty_lots", "loyalty_postings", "events")


def read(tx: Transaction) -> Rows:
    """Return the rows of the ledger, the orders and the log."""
    found = {}
    for name, columns in _COLUMNS.items():
        table = tx.table(name)
        if "read" not in table.info:  # a statement that is built once is compiled once
            table.info["read"] = select(*(table.c[column] for column in columns))
        found[name] = [dict(zip(columns, row, strict=True)) for row in tx.sql.execute(table.info["read"])]
    return found


def digest(rows: Rows) -> dict[str, set[str]]:
    """Return a state that can be compared."""
    return {name: {repr(tuple(row.values())) for row in found} for name, found in rows.items()}


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
    recorded: str
    state: str = "paid"
    earned: Counter[str] = attrs.field(factory=Counter)
    clawed: Counter[str] = attrs.field(factory=Counter)
    past: Counter[str] = attrs.field(factory=Counter)
    returned: Mapping[str, Any] = attrs.field(factory=dict)
    refunded: int = 0
    refunds: list[Refund] = attrs.field(factory=list)
    first: Order = attrs.field(default=attrs.Factory(lambda self: self.order, takes_self=True))

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

WHO = st.integers(0, MEMBERS - 1)
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

    @initialize(target=orders, lines=baskets())
    def start(self, lines: tuple[OrderLine, ...]) -> Bought:
        wipe(self.crm)
        self.clock.now = START
        with self.crm.begin() as tx:
            self.ids = [tx.contacts.add(f"member {n}").id for n in range(MEMBERS)]
            self.rows = read(tx)
        self.state = self.checked = digest(self.rows)
        return self.buy(0, lines, at_once=True, hours=0)

    # earning

    @rule(
        target=orders,
        who=WHO,
        lines=baskets(),
        at_once=st.booleans(),
        hours=st.integers(0, 99),
    )
    def buy(self, who: int, lines: tuple[OrderLine, ...], at_once: bool, hours: int) -> Bought:
        self.clock.now += timedelta(hours=hours)
        key = next(self.names)
        order = Order(key, lines, placed_at=self.clock.now, contact_id=self.ids[who])
        bought = Bought(key, who, order, "paid" if at_once else "placed")
        with self.crm.begin() as tx:
            tx.orders.record(order, state=bought.recorded)
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
            elif bought.order is bought.first:  # of an amended order the first lines are no longer at hand
                tx.orders.record(bought.order, state=bought.recorded)
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

    @rule(
        target=burns,
        who=WHO,
        unit=st.sampled_from(UNITS),
        part=st.sampled_from([1, 2, 3, 9]),
    )
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
        try:
            with self.crm.begin() as tx:
                first, second = (self.spend(tx, spent) for _ in range(2))
        except InsufficientPoints as error:
            raise LawBroken(6, "a redemption again", error, "the stored entry") from error
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
        law_46_returned_once_and_exactly(self.rows, self.cancelled)

    # trouble

    @rule(bought=orders, what=st.sampled_from(["buy", "refund", "redeem"]), savepoint=st.booleans())
    def crash(self, bought: Bought, what: str, savepoint: bool) -> None:
        """Law 9: an operation that raises half way leaves everything as it was, with a savepoint or without."""
        expected = (ZeroDivisionError, TransitionRefused, ValueRefused, InsufficientPoints)
        inner = suppress(*expected) if savepoint else nullcontext()
        with suppress(*expected), self.crm.begin() as tx, inner, tx.sql.isolated():
            self.work(tx, bought, what)
            raise ZeroDivisionError
        self.unchanged(9, "a crash")

    def work(self, tx: Transaction, bought: Bought, what: str) -> None:
        if what == "buy":
            tx.orders.record(attrs.evolve(bought.order, key=next(self.names)), state="paid")
        elif what == "refund":
            tx.orders.refund(bought.key, Refund.whole(next(self.names)))
        else:
            self.spend(tx, Spent(next(self.names), bought.who, "points", 1))

    # what is asked

    def spend(self, tx: Transaction, spent: Spent) -> Any:
        return Loyalty(tx).redeem(self.ids[spent.who], spent.amount, spent.key, unit=spent.unit)

    def expected(self, who: int, unit: str) -> int:
        """The oracle's balance: earned, minus clawed back, minus spent, plus returned."""
        earned = sum(b.earned[unit] - b.due(unit) for b in self.bought if b.who == who)
        mine = [s for s in self.spent if (s.who, s.unit) == (who, unit) and s.key not in self.cancelled]
        return earned - sum(s.amount for s in mine)

    def redeemed(self) -> dict[Any, int]:
        sums = totals(self.rows, lambda p: (p["unit"], p["account"]))
        return {unit: sums[unit, Account.REDEEMED] for unit in UNITS}

    def look(self) -> None:
        """Read everything again."""
        before = self.state
        with self.crm.begin() as tx:
            self.rows = read(tx)
        self.state = digest(self.rows)
        law_4_rows_only_come(before, self.state)

    def unchanged(self, law: int, what: str) -> None:
        before, checked = self.state, self.checked
        self.look()
        hold(law, f"{what} left everything as it was", self.state, before)
        self.state = self.checked = before if before is checked else self.state

    @invariant()
    def check_laws(self) -> None:
        if self.state is self.checked:
            return
        self.checked = self.state
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
HALF = max(10, settings().max_examples // 2)
TestMemory.settings = settings(max_examples=HALF, deadline=None, stateful_step_count=25)


@pytest.fixture
def file_machine(tmp_path: Path) -> Iterator[type[LoyaltyMachine]]:
    """The machine over a file that is new."""
    FileMachine.url, FileMachine.built = f"sqlite:///{tmp_path / 'loyalty.db'}", None
    yield FileMachine
    assert FileMachine.built is not None
    FileMachine.built[0].engine.dispose()


def test_the_laws_hold_over_a_file(file_machine: type[LoyaltyMachine]) -> None:
    some = max(5, settings().max_examples // 10)
    run_state_machine_as_test(
        file_machine, settings=settings(max_examples=some, deadline=None, stateful_step_count=20)
    )


# --- law 8: members do not disturb one another ---------------------------------------------------------------------

Deed = tuple[str, int]
DEEDS = st.lists(
    st.tuples(st.sampled_from(["buy", "buy", "redeem", "refund", "cancel"]), st.sampled_from([1, 2, 400])),
    max_size=5,
)


@attrs.frozen
class Player:
    """Does a member's deeds; names and outcomes do not depend on anybody else.

    Args:
        crm: the CRM.
        name: of the member.
        id: the member's contact.
        told: what came of each deed.
    """

    crm: CRM
    name: str
    id: UUID
    told: list[str] = attrs.field(factory=list)

    def do(self, deed: Deed) -> None:
        what, number = deed
        key = f"{self.name}{len(self.told)}"
        try:
            with self.crm.begin() as tx:
                self._do(tx, what, number, key)
        except CrmkitError as error:
            self.told.append(type(error).__name__)
        else:
            self.told.append("done")

    def _do(self, tx: Transaction, what: str, number: int, key: str) -> None:
        if what == "buy":
            line = OrderLine("sku", 2, Money(100 * number, "GBP"))
            tx.orders.record(Order(key, (line,), placed_at=START, contact_id=self.id), state="paid")
        elif what == "redeem":
            Loyalty(tx).redeem(self.id, number, key)
        elif what == "refund":
            tx.orders.refund(f"{self.name}0", Refund.of_amount(key, Money(number, "GBP")))
        else:
            tx.orders.cancel(f"{self.name}{number - 1}")

    def summary(self) -> Any:
        """What came of everything, without ids."""
        with self.crm.begin() as tx:
            loyalty = Loyalty(tx)
            entries = [
                sorted((entry.key, entry.kind, entry.change) for entry in loyalty.statement(self.id, unit))
                for unit in UNITS
            ]
            lots = [[lot.left for lot in loyalty.lots(self.id, unit)] for unit in UNITS]
            return self.told, entries, lots, [loyalty.balance(self.id, unit) for unit in UNITS]


SHARED: list[CRM] = []


def shared() -> CRM:
    """Return a CRM in memory, wiped."""
    if not SHARED:
        SHARED.append(build("sqlite://")[0])
    wipe(SHARED[0])
    return SHARED[0]


def play(deeds: Sequence[Sequence[Deed]], turns: Sequence[int]) -> list[Any]:
    """Let members do their deeds in turn, and return what came of each."""
    crm = shared()
    with crm.begin() as tx:
        players = [Player(crm, name, tx.contacts.add(name).id) for name in "ab"]
    waiting = [iter(mine) for mine in deeds]
    for turn in turns:
        players[turn].do(next(waiting[turn]))
    return [player.summary() for player in players]


@for_all(st.tuples(DEEDS, DEEDS), st.randoms(use_true_random=False))
def members_commute(deeds: tuple[list[Deed], list[Deed]], order: random.Random) -> None:
    one_by_one = [0] * len(deeds[0]) + [1] * len(deeds[1])
    mixed = order.sample(one_by_one, len(one_by_one))
    hold(
        8,
        "what came of two members' deeds, mixed and one after the other",
        play(deeds, mixed),
        play(deeds, one_by_one),
    )


def test_law_8_members_commute() -> None:
    members_commute.check(max(10, settings().max_examples // 3))


def test_law_8_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """odoo#205057: paying one order drains another's wallet."""
    wallet = Store.wallet

    def everybodys(self: Store, ids: Sequence[UUID], unit: str, **options: Any) -> Any:
        table = self._tx.table("contacts")
        every = tuple(self._tx.sql.execute(select(table.c.id)).scalars())
        return wallet(self, every, unit, **options)

    monkeypatch.setattr(Store, "wallet", everybodys)
    with pytest.raises(LawBroken, match="law 8"):
        members_commute.hunt()


# --- law 10: no interleaving overspends ----------------------------------------------------------------------------


def test_law_10_threads_never_overspend(tmp_path: Path) -> None:
    """On PostgreSQL and MariaDB, with the lock taken away as a mutant: the plugin's own tests."""
    crm, _ = build(f"sqlite:///{tmp_path / 'threads.db'}")
    with crm.begin() as tx:
        who = tx.contacts.add("Ann").id
        Loyalty(tx).grant(who, 10, "start")
    results: list[str] = []

    def spend(number: int) -> None:
        try:
            crm.transact(lambda tx: Loyalty(tx).redeem(who, 3, f"r{number}"), attempts=50)
        except InsufficientPoints:
            results.append("refused")
        else:
            results.append("spent")

    threads = [threading.Thread(target=spend, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with crm.begin() as tx:
        hold(
            10,
            "10 points, 3 at a time",
            (Counter(results), Loyalty(tx).balance(who)),
            ({"spent": 3, "refused": 3}, 1),
        )
    crm.engine.dispose()


# --- arithmetic, directly: rounding hides from state machines ------------------------------------------------------


def numbers(largest: int = 10**6) -> st.SearchStrategy[int]:
    return st.integers(0, largest)


@for_all(numbers(), st.lists(st.integers(1, 10**5), min_size=1, max_size=8))
def partitions_take_back_everything(earned: int, parts: list[int]) -> None:
    amount, refunded, taken = sum(parts), 0, 0
    for part in parts:
        refunded += part
        due = ledger.clawed_back(earned, Fraction(refunded), amount)
        hold(43, f"taken back after {refunded} of {amount}", due, earned * refunded // amount)
        hold(43, f"monotone: {taken} <= {due} <= {earned}", taken <= due <= earned, True)
        taken = due
    hold(42, "taken back after everything was refunded", taken, earned)


WISHES = st.lists(st.one_of(st.integers(1, 900), st.integers(0, 2).map(str)), max_size=5)


def refunds(order: Order, wishes: Sequence[int | str]) -> Iterator[Mapping[str, Any]]:
    """Yield what is given back after each refund that is possible: by amount, by line, at last the rest."""
    done: Mapping[str, Any] = {}
    for number, wish in enumerate([*wishes, None]):
        refund = Refund.whole(f"r{number}")
        if isinstance(wish, str):
            refund = Refund.of_lines(refund.key, {wish: 1})
        elif wish is not None:
            refund = Refund.of_amount(refund.key, Money(wish, "GBP"))
        with suppress(ValueRefused):
            done = add_returns(done, core_orders.split_refund(order, done, refund))
        yield done


@for_all(baskets(), WISHES, numbers())
def refunds_of_orders_take_back_everything(
    lines: tuple[OrderLine, ...], wishes: list[int | str], earned: int
) -> None:
    order = Order("k", lines, placed_at=START)
    for base in Base:
        amount, taken = order.amount(base).minor, 0
        for done in refunds(order, wishes):
            part = refunded_part(order, done, base)
            hold(43, f"0 <= {part} of {base} <= {amount}", 0 <= part <= amount, True)
            taken = ledger.clawed_back(earned, part, amount)
        hold(42, f"taken back on the base {base}", taken, earned if amount else 0)


@for_all(baskets(), WISHES)
def refunds_give_back_what_was_paid(lines: tuple[OrderLine, ...], wishes: list[int | str]) -> None:
    order, back = Order("k", lines, placed_at=START), 0
    for done in refunds(order, wishes):
        back = sum(part.minor for part in done.values())
        hold(48, f"{back} back of {order.total.minor}", back <= order.total.minor, True)
    hold(48, "everything is back", back, order.total.minor)


RATES = st.builds(Fraction, st.integers(1, 10**6), st.integers(1, 1000))


@for_all(RATES, st.integers(0, 10**9), st.sampled_from(["GBP", "JPY", "KWD"]), st.sampled_from(Rounding))
def awards_are_exact(rate: Fraction, minor: int, currency: str, rounding: Rounding) -> None:
    digits = {"GBP": 100, "JPY": 1, "KWD": 1000}[currency]
    over, under = rate.numerator * minor, rate.denominator * digits
    exact = {
        Rounding.FLOOR: over // under,
        Rounding.NEAREST: (2 * over + under) // (2 * under),
        Rounding.CEILING: -(-over // under),
    }[rounding]
    order = Order("k", (OrderLine("sku", 1, Money(minor, currency)),), placed_at=START)
    found = PointsPerUnit(rate=rate, rounding=rounding).evaluate(
        Facts(trigger="order.paid", at=START, order=order, contact=Contact(id=UUID(int=1)))
    )
    amount = found.amount if isinstance(found, Award) else 0
    hold(
        11,
        f"{rate} for each of {minor} minor units of {currency}",
        amount,
        exact if exact <= ledger.LARGEST else 0,
    )


PROPERTIES = (
    partitions_take_back_everything,
    refunds_of_orders_take_back_everything,
    refunds_give_back_what_was_paid,
    awards_are_exact,
)


@pytest.mark.parametrize("prop", PROPERTIES, ids=lambda prop: prop.body.__name__)
def test_laws_11_42_43_48_hold_for_the_arithmetic(prop: Property) -> None:
    prop.check(2 * settings().max_examples)


def _half_up(earned: int, refunded: Fraction, amount: int, *, whole: bool = False) -> int:
    return math.floor(earned * refunded / amount + Fraction(1, 2))


def _of_what_is_left(earned: int, refunded: Fraction, amount: int, *, whole: bool = False) -> int:
    return max(0, math.floor(earned * (refunded - 1) / amount))


def _in_floats(inputs: Mapping[str, Any]) -> int:
    return math.floor(float(Fraction(inputs["rate"])) * inputs["minor"] / 10 ** inputs["exponent"])


def _forgetting(order: Order, before: Mapping[str, Any], refund: Refund) -> Mapping[str, Any]:
    return split_refund(order, {}, refund)


def _never_quite(earned: int, refunded: Fraction, amount: int, *, whole: bool = False) -> int:
    return math.floor(earned * refunded / (amount + 1))


BROKEN = [
    (43, partitions_take_back_everything, ledger, "clawed_back", _half_up),
    (43, partitions_take_back_everything, ledger, "clawed_back", _of_what_is_left),
    (42, refunds_of_orders_take_back_everything, ledger, "clawed_back", _never_quite),
    (11, awards_are_exact, rules, "recompute", _in_floats),
    (48, refunds_give_back_what_was_paid, core_orders, "split_refund", _forgetting),
]


@pytest.mark.parametrize(("law", "check", "where", "name", "broken"), BROKEN)
def test_the_arithmetic_laws_are_seen_to_fail(
    monkeypatch: pytest.MonkeyPatch, law: int, check: Property, where: Any, name: str, broken: Any
) -> None:
    monkeypatch.setattr(where, name, broken)
    with pytest.raises(LawBroken) as caught:
        check.hunt()
    assert caught.value.law == law, str(caught.value)


# --- mutants: known bugs, injected into the real code, each killed by the law it breaks ----------------------------

Patch = pytest.MonkeyPatch
MUTANTS: dict[str, tuple[tuple[int, ...], Callable[[Patch], None]]] = {}


def kills(*laws: int) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    """Register a mutant with the laws of which one must find it."""

    def register(mutant: Callable[[Patch], None]) -> Callable[[Patch], None]:
        MUTANTS[mutant.__name__] = laws, mutant
        return mutant

    return register


def _forgetful(patch: Patch, prefix: str) -> None:
    """Let the ledger forget the keys that begin with a prefix."""
    stored, claim = Loyalty._stored, Journal.claim

    def forget(self: Loyalty, key: str, *rest: Any, **options: Any) -> Any:
        return None if key.startswith(prefix) else stored(self, key, *rest, **options)

    def claim_anew(self: Journal) -> bool:
        while self.key.startswith(prefix) and Store(self.tx).by_key(str(self.first["key"])):
            self._transactions[0] = {**self.first, "key": f"{self.first['key']}+"}
        return claim(self)

    patch.setattr(Loyalty, "_stored", forget)
    patch.setattr(Journal, "claim", claim_anew)


@kills(6)
def redemption_ignores_its_key(patch: Patch) -> None:
    """dup_redeem, as compressor#1476 for awards."""
    _forgetful(patch, "redeem:")


@kills(46)
def cancelled_redemption_returns_twice(patch: Patch) -> None:
    """woo-wallet#56."""
    _forgetful(patch, "return:")


@kills(46)
def cancelled_redemption_returns_more(patch: Patch) -> None:
    """nopCommerce#5595, the other way round."""
    give_back = ledger.give_back

    def more(burn: Sequence[Posting]) -> list[Posting]:
        return [attrs.evolve(posting, amount=2 * posting.amount) for posting in give_back(burn)]

    patch.setattr(service, "give_back", more)


@kills(7)
def other_content_is_accepted(patch: Patch) -> None:
    def found(self: Loyalty, key: str, *rest: Any, **options: Any) -> Any:
        row = self._store.by_key(key)
        return None if row is None else service.entry_of(row, 0)

    patch.setattr(Loyalty, "_stored", found)


@kills(1)
def a_leg_is_lost(patch: Patch) -> None:
    redeem = ledger.redeem
    patch.setattr(service, "redeem", lambda *given: redeem(*given)[:-1])


def _claw_into(patch: Patch, account: Account) -> None:
    claw_back = ledger.claw_back

    def elsewhere(*given: Any) -> list[Posting]:
        return [
            attrs.evolve(posting, account=account) if posting.account is Account.CLAWED else posting
            for posting in claw_back(*given)
        ]

    patch.setattr(loyalty_orders, "claw_back", elsewhere)


@kills(2)
def claw_back_unmakes_the_issue(patch: Patch) -> None:
    _claw_into(patch, Account.ISSUANCE)


@kills(45)
def refund_spends_again(patch: Patch) -> None:
    """odoo#212922, odoo#221928."""
    _claw_into(patch, Account.REDEEMED)


@kills(3)
def balance_is_remembered(patch: Patch) -> None:
    """django-hordak#142, odoo#206048."""
    balance, known = Store.balance, {}  # type: ignore[var-annotated]

    def remembered(self: Store, ids: Sequence[UUID], unit: str, at: datetime) -> int:
        return known.setdefault((tuple(ids), unit), balance(self, ids, unit, at))

    patch.setattr(Store, "balance", remembered)


@kills(3)
def balance_stops_at_zero(patch: Patch) -> None:
    """Odoo's max(points - x, 0)."""
    balance = Store.balance
    patch.setattr(Store, "balance", lambda *given: max(0, balance(*given)))


@kills(4)
def cancellation_deletes(patch: Patch) -> None:
    """erpnext#12631, FloCafe#62."""
    change = loyalty_orders._change

    def deleting(tx: Transaction, entry: Any, *rest: Any) -> None:
        if entry.type != "OrderCancelled":
            return change(tx, entry, *rest)
        mine = tx.table("loyalty_transactions").c
        ids = list(tx.sql.execute(select(mine.id).where(mine.subject_id == entry.subject_id)).scalars())
        for name, column in (("loyalty_postings", "transaction_id"), ("loyalty_transactions", "id")):
            tx.sql.execute(delete(tx.table(name)).where(tx.table(name).c[column].in_(ids)))

    patch.setattr(loyalty_orders, "_change", deleting)


@kills(5)
def the_same_points_for_ever(patch: Patch) -> None:
    """FloCafe#78, erpnext#59050."""
    soonest = ledger.soonest

    def full(lots: Any, amount: int) -> Any:
        return soonest([attrs.evolve(lot, left=lot.quantity) for lot in lots], amount)

    patch.setattr(ledger, "soonest", full)


@kills(36)
def latest_lots_are_spent_first(patch: Patch) -> None:
    """lifo."""

    def latest(lots: Any, amount: int) -> Any:
        parts = []
        for lot in sorted(lots, key=lambda lot: (lot.expires_at, lot.id), reverse=True):
            part = min(lot.left, amount)
            if part > 0:
                parts.append((lot, part))
                amount -= part
        return parts

    patch.setattr(ledger, "soonest", latest)


@kills(9)
def nothing_is_undone(patch: Patch) -> None:
    """Leetcode-City#724, saleor#7588."""
    patch.setattr(Sql, "isolated", lambda self: nullcontext())


@kills(11)
def awards_are_posted_twice(patch: Patch) -> None:
    """compressor#1476, wpswings#104."""
    post = loyalty_orders._Unit.post
    patch.setattr(loyalty_orders._Unit, "post", lambda self, key, awards: post(self, key, [*awards, *awards]))


@kills(42, 43)
def each_refund_is_rounded_by_itself(patch: Patch) -> None:
    """solidus#707: not once over all refunds, but half up at each of them."""
    made = loyalty_orders._Proportion.__init__

    def remember(self: Any, tx: Transaction, event: Any) -> None:
        made(self, tx, event)
        self._tx = tx

    def rounded(self: Any, lot: Any) -> tuple[int, dict[str, Any]]:
        base, order = Base(lot["content"]["base"]), self._order()
        history = self._tx.orders.history(self._event.order_key)
        parts = [refunded_part(order, e.event.parts, base) for e in history if e.type == "OrderRefunded"]
        amount = max(1, order.amount(base).minor)
        return sum(_half_up(lot["quantity"], part, amount) for part in parts), {"because": "refunded"}

    patch.setattr(loyalty_orders._Proportion, "__init__", remember)
    patch.setattr(loyalty_orders._Proportion, "__call__", rounded)


@kills(43)
def refunds_are_rounded_half_up(patch: Patch) -> None:
    def rounded(*given: Any, whole: bool) -> int:
        return clawed_back(*given, whole=True) if whole else _half_up(*given)

    patch.setattr(loyalty_orders, "clawed_back", rounded)


@kills(42)
def only_amounts_are_taken_back(patch: Patch) -> None:
    """odoo#257854: a whole refund takes nothing back."""
    patch.setattr(loyalty_orders, "clawed_back", lambda *given, whole: 0 if whole else clawed_back(*given))


@kills(44)
def cancelled_orders_keep_their_points(patch: Patch) -> None:
    """nopCommerce#5595 for orders, woo-wallet#53."""
    everything = loyalty_orders._everything

    def nothing(because: str) -> Any:
        return everything(because) if because == "amended" else lambda lot: (0, {"because": because})

    patch.setattr(loyalty_orders, "_everything", nothing)


@kills(42, 43, 44)
def nobody_ever_owes(patch: Patch) -> None:
    """O4: what was spent is not taken back."""
    claw_back = ledger.claw_back
    patch.setattr(loyalty_orders, "claw_back", lambda lot, amount: claw_back(lot, min(lot.left, amount)))


@kills(47)
def debts_are_not_paid(patch: Patch) -> None:
    for module in (service, loyalty_orders):
        patch.setattr(module, "settle", lambda wallet, at: [])


@kills(48)
def earlier_refunds_are_forgotten(patch: Patch) -> None:
    """solidus#512, sonata#177, odoo#286433."""
    patch.setattr(core_orders, "split_refund", _forgetting)


def basket(*prices: int, off: int = 0) -> tuple[OrderLine, ...]:
    """Return a line of two pieces for each price, a discount, and shipping."""
    lines = [
        OrderLine("sku", 2, Money(price, "GBP"), tax=Money(price // 6, "GBP"), id=str(n))
        for n, price in enumerate(prices)
    ]
    discount = [OrderLine("off", 1, Money(-off, "GBP"), kind=LineKind.DISCOUNT, id="off")] if off else []
    return (*lines, *discount, OrderLine("post", 1, Money(499, "GBP"), kind=LineKind.SHIPPING, id="post"))


def busy_week(machine: LoyaltyMachine) -> None:
    """One program of the machine that breaks every law once the code is broken; all are checked at each step."""

    def step(method: Callable[..., Any], *given: Any) -> Any:
        result = method(*given)
        machine.check_laws()
        return result

    one = step(machine.start, basket(1000, 333, off=50))
    two = step(machine.buy, 0, basket(999), False, 30)
    step(machine.redeliver, one, "record")
    step(machine.redeliver, two, "paid")
    step(machine.other_payload, one, basket(5))
    for what in ("redeem", "buy", "refund"):
        step(machine.crash, one, what, True)
        step(machine.crash, one, what, False)
    burn = step(machine.redeem, 0, "points", 3)
    step(machine.redeem, 0, "stars", 2)
    step(machine.redeem_again, burn)
    step(machine.redeem, 1, "points", 1)
    step(machine.refund_line, one, 0, 1)
    step(machine.refund_amount, one, 77)
    step(machine.refund_amount, one, 333)
    step(machine.redeliver, one, "refund")
    step(machine.redeem, 0, "points", 1)
    step(machine.refund_whole, one)
    three = step(machine.buy, 0, basket(1000), True, 200)
    step(machine.cancel_redemption, burn)
    step(machine.amend, three, basket(333, 77))
    step(machine.buy, 1, basket(1000), True, 1)
    step(machine.cancel, two)
    step(machine.cancel, three)


def test_a_busy_week_keeps_the_laws() -> None:
    busy_week(LoyaltyMachine())


@pytest.mark.parametrize("name", MUTANTS)
def test_each_mutant_is_killed_by_its_law(name: str, monkeypatch: Patch) -> None:
    laws, mutant = MUTANTS[name]
    mutant(monkeypatch)
    with pytest.raises(LawBroken) as caught:
        busy_week(LoyaltyMachine())
    assert caught.value.law in laws, str(caught.value)


# the nightly profile lets Hypothesis find them all; two are enough to know that it would
HUNTED = (
    MUTANTS if settings().max_examples > 500 else ("balance_is_remembered", "refunds_are_rounded_half_up")
)


@pytest.mark.parametrize("name", HUNTED)
def test_the_machine_finds_mutants_by_itself(name: str, monkeypatch: Patch) -> None:
    MUTANTS[name][1](monkeypatch)
    with pytest.raises(LawBroken):
        run_state_machine_as_test(LoyaltyMachine, settings=HUNT)
