"""What the state machine sees: rows, laws of all of them, and the fold model beside them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from itertools import count
from typing import Any, ClassVar
from uuid import UUID

from hypothesis.stateful import RuleBasedStateMachine, invariant

from crmkit import CRM
from crmkit.testing import FakeClock
from crmkit_loyalty.ledger import HELD, Account
from crmkit_loyalty.service import Loyalty
from crmkit_loyalty.testing.bought import Bought
from crmkit_loyalty.testing.oracle import Oracle, Parts
from crmkit_loyalty.testing.programme import MEMBERS, START, UNITS, build
from crmkit_loyalty.testing.rows import (
    Rows,
    State,
    digest,
    hold,
    law_1_transactions_add_up_to_zero,
    law_2_nothing_is_lost,
    law_4_rows_only_come,
    law_5_lots_hold,
    law_10_reservations_end_once,
    law_11_no_floats,
    law_46_returned_once_and_exactly,
    read,
    totals,
)


class Watched(RuleBasedStateMachine):
    """Looks at the database after each step, and compares what it finds with the fold model.

    Args (class attributes):
        url: of the database, empty; one in memory by default.
    """

    url: ClassVar[str] = "sqlite://"
    built: ClassVar[tuple[CRM, FakeClock] | None] = None

    def __init_subclass__(cls, **more: object) -> None:
        super().__init_subclass__(**more)
        cls.built = None  # each class has a CRM of its own

    def __init__(self) -> None:
        super().__init__()
        cls = type(self)
        if cls.built is None:
            cls.built = cls.make()
        self.crm, self.clock = cls.built
        self.bought: list[Bought] = []
        self.cancelled: dict[str, int] = {}
        self.oracle = Oracle(START)
        self.burnt: dict[str, Parts] = {}
        self.merge_id: UUID | None = None
        self.names: Iterator[str] = (f"n{number}" for number in count(1))
        self.ids: list[UUID] = []
        self.rows: Rows = {}
        self.state: State = {}
        self.checked: State = {}

    @classmethod
    def make_crm(cls, clock: FakeClock) -> CRM:
        """Return the CRM under attack; write your own for a store of yours, with `programme.plugins()` in it.

        Args:
            clock: which the CRM must go by.
        """
        return build(cls.url, clock)

    @classmethod
    def make(cls) -> tuple[CRM, FakeClock]:
        """Return a new CRM and its clock."""
        clock = FakeClock(START)
        return cls.make_crm(clock), clock

    @classmethod
    def fresh(cls) -> None:
        """Let the next run build its CRM anew."""
        if cls.built is not None:
            cls.built[0].engine.dispose()
        cls.built = None

    def pass_to(self, now: datetime) -> None:
        self.clock.set(now)
        self.oracle.pass_to(now)

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
        law_10_reservations_end_once(self.rows)
        law_11_no_floats(self.rows)
        law_46_returned_once_and_exactly(self.rows, self.cancelled)
        self.laws_of_awards()
        with self.crm.begin() as tx:
            for who in range(MEMBERS):
                for unit in UNITS:
                    self.laws_of_balances(Loyalty(tx), who, unit)

    def laws_of_awards(self) -> None:
        """Laws 11 and 42-44: what each order earned and what was taken back."""
        sums = totals(self.rows, lambda p: (p["lot_id"], p["account"]))
        by_order: dict[Any, Counter[Any]] = defaultdict(Counter)
        keys = {row["id"]: row["key"] for row in self.rows["orders"]}
        for lot in self.rows["loyalty_lots"]:
            mine = by_order[keys.get(lot["subject_id"], "")]
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
        contact_id, oracle = self.ids[who], self.oracle
        lots = [lot.left for lot in loyalty.lots(contact_id, unit)]
        owed = sum(oracle.owed[one, unit] for one in oracle.family(who))
        balance = loyalty.balance(contact_id, unit)
        hold(3, f"the balance of member {who} and the fold of its {unit}", balance, self.fold(who, unit))
        if owed and self.merge_id is None:
            hold(47, f"whoever owes {unit} holds none", lots, [])
        law = 70 if self.merge_id is not None else 44
        hold(law, f"the balance of member {who} and the oracle's {unit}", balance, oracle.balance(who, unit))
        spendable = loyalty.spendable(contact_id, unit)
        hold(31, f"what member {who} may spend", spendable, oracle.spendable(who, unit))
        hold(5, f"what is left of the lots of member {who}", lots, oracle.left(who, unit))

    def fold(self, who: int, unit: str) -> int:
        """Law 3: the postings, added up here."""
        ids = {self.ids[one] for one in self.oracle.family(who)}
        ends = {lot["id"]: lot["expires_at"] for lot in self.rows["loyalty_lots"]}
        return sum(
            p["amount"]
            for p in self.rows["loyalty_postings"]
            if (p["contact_id"] in ids and p["unit"] == unit)
            and (p["account"] == Account.DEBT or (p["account"] in HELD and self.clock() < ends[p["lot_id"]]))
        )
