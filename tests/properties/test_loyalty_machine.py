"""The loyalty ledger under attack: a state machine, direct properties, and the bugs that each law kills.

The machine, the properties and the bugs are part of the kit, `crmkit_loyalty.testing`.
The numbers are those of the laws of loyalty.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import select

import crmkit.transaction.orders as core_orders
from crmkit import (
    CRM,
    CrmkitError,
    Money,
    Order,
    OrderLine,
    Refund,
    Transaction,
    ValueRefused,
    add_returns,
)
from crmkit.testing import FakeClock, LawBroken, Mutant, Property, for_all, hunt, strategies
from crmkit.testing.attacks import Tally, limits
from crmkit_loyalty import InsufficientPoints, Loyalty
from crmkit_loyalty.store import Store
from crmkit_loyalty.testing import MUTANTS, LoyaltyMachine, arithmetic
from crmkit_loyalty.testing.baskets import WISHES, baskets
from crmkit_loyalty.testing.mutants.orders import forgetting
from crmkit_loyalty.testing.programme import START, UNITS, build, wipe
from crmkit_loyalty.testing.rows import hold
from crmkit_loyalty.testing.week import basket, busy_week

NAMED = {mutant.name: mutant for mutant in MUTANTS}
OF_THE_MACHINE = [mutant for mutant in MUTANTS if mutant.attack.name == "LoyaltyMachine"]


def check(attack: Property, examples: int) -> None:
    """Try a property on some examples."""
    attack.run(settings(max_examples=examples, deadline=None), Tally())


# --- the machine ---------------------------------------------------------------------------------------------------


class FileMachine(LoyaltyMachine):
    """The same over a file."""


TestMemory = LoyaltyMachine.TestCase
SOME = max(10, settings().max_examples // 3)
TestMemory.settings = settings(max_examples=SOME, deadline=None, stateful_step_count=25)


@pytest.fixture
def file_machine(tmp_path: Path) -> Iterator[type[LoyaltyMachine]]:
    """The machine over a file that is new."""
    FileMachine.url, FileMachine.built = f"sqlite:///{tmp_path / 'loyalty.db'}", None
    yield FileMachine
    FileMachine.fresh()


def test_the_laws_hold_over_a_file(file_machine: type[LoyaltyMachine]) -> None:
    some = max(5, settings().max_examples // 10)
    run_state_machine_as_test(
        file_machine, settings=settings(max_examples=some, deadline=None, stateful_step_count=20)
    )


def test_the_laws_hold_over_a_postgresql_database(postgresql_url: str) -> None:
    machine = type("ServerMachine", (LoyaltyMachine,), {"url": postgresql_url})
    busy_week(machine())
    machine.fresh()


def test_the_laws_hold_over_a_crm_that_somebody_else_makes() -> None:
    made: list[CRM] = []

    class Mine(LoyaltyMachine):
        @classmethod
        def make_crm(cls, clock: FakeClock) -> CRM:
            made.append(build("sqlite://", clock))
            return made[0]

    busy_week(Mine())
    assert Mine().crm is made[0]
    assert len(made) == 1
    Mine.fresh()


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
        SHARED.append(build("sqlite://", FakeClock(START)))
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


@st.composite
def turns_of_two(draw: st.DrawFn) -> tuple[list[list[Deed]], list[int]]:
    """Draw what two members do, and whose turn it is."""
    deeds = [draw(DEEDS), draw(DEEDS)]
    return deeds, [whose for whose, _ in draw(strategies.interleavings(deeds))]


@for_all(turns_of_two())
def members_commute(drawn: tuple[list[list[Deed]], list[int]]) -> None:
    deeds, mixed = drawn
    one_by_one = [0] * len(deeds[0]) + [1] * len(deeds[1])
    hold(8, "two members' deeds, mixed and one after the other", play(deeds, mixed), play(deeds, one_by_one))


def test_law_8_members_commute() -> None:
    check(members_commute, max(10, settings().max_examples // 3))


def test_law_8_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """odoo#205057: paying one order drains another's wallet."""
    wallet = Store.wallet

    def everybodys(self: Store, ids: Sequence[UUID], unit: str, **options: Any) -> Any:
        table = self._tx.table("contacts")
        every = tuple(self._tx.sql.execute(select(table.c.id)).scalars())
        return wallet(self, every, unit, **options)

    monkeypatch.setattr(Store, "wallet", everybodys)
    with pytest.raises(LawBroken, match="law 8 "):
        members_commute.run(limits(300), Tally(), 0)


# --- law 10: no interleaving overspends ----------------------------------------------------------------------------


def test_law_10_threads_never_overspend(tmp_path: Path) -> None:
    """On PostgreSQL and MariaDB, with the lock taken away as a mutant: the plugin's own tests."""
    crm = build(f"sqlite:///{tmp_path / 'threads.db'}", FakeClock(START))
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


def test_law_11_awards_are_exact() -> None:
    check(arithmetic.awards_are_exact, 2 * settings().max_examples)


def test_laws_42_43_partitions_take_back_everything() -> None:
    check(arithmetic.partitions_take_back_everything, 2 * settings().max_examples)


def test_laws_42_43_refunds_of_orders_take_back_everything() -> None:
    check(arithmetic.refunds_of_orders_take_back_everything, 2 * settings().max_examples)


def refunds(order: Order, wishes: Sequence[int | str]) -> Iterator[Mapping[str, Any]]:
    """Yield what is given back after each refund, by the function that the core records with."""
    done: Mapping[str, Any] = {}
    for number, wish in enumerate([*wishes, None]):
        refund = Refund.whole(f"r{number}")
        if isinstance(wish, str):
            refund = Refund.of_lines(refund.key, {wish: 1})
        elif wish is not None:
            refund = Refund.of_amount(refund.key, Money(wish, "GBP"))
        try:
            done = add_returns(done, core_orders.split_refund(order, done, refund))
        except ValueRefused:
            continue
        yield done


@for_all(baskets(), WISHES)
def refunds_give_back_what_was_paid(lines: tuple[OrderLine, ...], wishes: list[int | str]) -> None:
    order, back = Order("k", lines, placed_at=START), 0
    for done in refunds(order, wishes):
        back = sum(part.minor for part in done.values())
        hold(48, f"{back} back of {order.total.minor}", back <= order.total.minor, True)
    hold(48, "everything is back", back, order.total.minor)


def test_law_48_refunds_give_back_what_was_paid() -> None:
    check(refunds_give_back_what_was_paid, 2 * settings().max_examples)


def test_law_48_is_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """solidus#512, sonata#177, odoo#286433: earlier refunds are forgotten."""
    monkeypatch.setattr(core_orders, "split_refund", forgetting)
    with pytest.raises(LawBroken, match="law 48 "):
        refunds_give_back_what_was_paid.run(limits(300), Tally(), 0)


# --- known bugs, injected into the real code, each killed by the law it breaks -------------------------------------


def test_a_busy_week_keeps_the_laws() -> None:
    busy_week(LoyaltyMachine())


def found(name: str) -> int:
    """Return the law that the busy week finds broken by a mutant."""
    LoyaltyMachine.fresh()
    with NAMED[name].injected(), pytest.raises(LawBroken) as caught:
        busy_week(LoyaltyMachine())
    LoyaltyMachine.fresh()
    return caught.value.number


def test_law_1_transactions_add_up_to_zero() -> None:
    """kills: a_leg_is_lost"""
    assert {found("a_leg_is_lost")} == {1}


def test_law_2_nothing_is_lost() -> None:
    """kills: claw_back_unmakes_the_issue"""
    assert {found("claw_back_unmakes_the_issue")} == {2}


def test_law_3_what_is_answered_is_the_fold() -> None:
    """kills: balance_is_remembered, balance_stops_at_zero"""
    assert {found("balance_is_remembered"), found("balance_stops_at_zero")} == {3}


def test_law_4_rows_only_come() -> None:
    """kills: cancellation_deletes"""
    assert {found("cancellation_deletes")} == {4}


def test_law_5_lots_hold() -> None:
    """kills: the_same_points_for_ever, whole_lots_lapse"""
    assert {found("the_same_points_for_ever"), found("whole_lots_lapse")} == {5}


def test_law_6_a_key_acts_once() -> None:
    """kills: redemption_ignores_its_key"""
    assert {found("redemption_ignores_its_key")} == {6}


def test_law_7_another_content_is_refused() -> None:
    """kills: other_content_is_accepted"""
    assert {found("other_content_is_accepted")} == {7}


def test_law_9_what_raises_changes_nothing() -> None:
    """kills: nothing_is_undone"""
    assert {found("nothing_is_undone")} == {9}


def test_law_10_reservations_end_once() -> None:
    """kills: reservations_end_twice, reservations_never_run_out"""
    assert {found("reservations_end_twice"), found("reservations_never_run_out")} == {10}


def test_law_11_awards_are_posted_as_they_are() -> None:
    """kills: awards_are_posted_twice"""
    assert {found("awards_are_posted_twice")} == {11}


def test_law_31_what_is_on_hold_may_not_be_spent() -> None:
    """kills: what_is_on_hold_is_spent, what_is_reserved_can_be_spent"""
    assert {found("what_is_on_hold_is_spent"), found("what_is_reserved_can_be_spent")} == {31}


def test_law_36_what_expires_first_is_spent_first() -> None:
    """kills: latest_lots_are_spent_first"""
    LoyaltyMachine.fresh()
    machine = LoyaltyMachine()
    with NAMED["latest_lots_are_spent_first"].injected():
        machine.start(basket(1000))
        for price in (1001, 1002, 1003):
            machine.buy(0, basket(price), True, 1)
        with pytest.raises(LawBroken, match="law 36 "):
            machine.redeem(0, "stars", 9)
    LoyaltyMachine.fresh()


def test_law_42_a_whole_refund_takes_everything() -> None:
    """kills: only_amounts_are_taken_back"""
    assert {found("only_amounts_are_taken_back")} == {42}


def test_law_43_refunds_take_their_part() -> None:
    """kills: each_refund_is_rounded_by_itself, refunds_are_rounded_half_up"""
    assert {found("each_refund_is_rounded_by_itself"), found("refunds_are_rounded_half_up")} == {43}


def test_law_44_cancelled_orders_keep_nothing() -> None:
    """kills: cancelled_orders_keep_their_points, a_transfer_renews"""
    assert {found("cancelled_orders_keep_their_points"), found("a_transfer_renews")} == {44}


def test_law_45_refunds_spend_nothing() -> None:
    """kills: refund_spends_again"""
    assert {found("refund_spends_again")} == {45}


def test_law_46_cancelled_redemptions_return() -> None:
    """kills: cancelled_redemption_returns_twice, cancelled_redemption_returns_more"""
    assert {found("cancelled_redemption_returns_twice"), found("cancelled_redemption_returns_more")} == {46}


def test_law_47_debts_are_paid_first() -> None:
    """kills: debts_are_not_paid"""
    assert {found("debts_are_not_paid")} == {47}


@pytest.mark.parametrize("target", OF_THE_MACHINE, ids=lambda target: target.name)
def test_each_mutant_is_killed_by_its_law(target: Mutant) -> None:
    assert found(target.name) in target.laws


@pytest.mark.parametrize(
    "target", [m for m in MUTANTS if m not in OF_THE_MACHINE], ids=lambda target: target.name
)
def test_each_mutant_of_the_arithmetic_is_found(target: Mutant) -> None:
    assert hunt(target).killed


# the nightly profile lets Hypothesis find them all; two are enough to know that it would
HUNTED = (
    OF_THE_MACHINE
    if settings().max_examples > 500
    else [NAMED["balance_is_remembered"], NAMED["refunds_are_rounded_half_up"]]
)


@pytest.mark.parametrize("target", HUNTED, ids=lambda target: target.name)
def test_the_machine_finds_mutants_by_itself(target: Mutant) -> None:
    assert hunt(target, examples=max(300, settings().max_examples)).killed
