"""Steps of the state machine: units spent, at once or in two phases, and given back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import consumes, multiple, rule

from crmkit import KeyConflict, Transaction
from crmkit_loyalty.entries import InsufficientPoints, ReservationEnded
from crmkit_loyalty.ledger import Account
from crmkit_loyalty.service import Loyalty
from crmkit_loyalty.testing.bought import Spent
from crmkit_loyalty.testing.bundles import WHO, burns, reserved
from crmkit_loyalty.testing.oracle import Held
from crmkit_loyalty.testing.programme import TTL, UNITS
from crmkit_loyalty.testing.rows import hold, law_46_returned_once_and_exactly, totals
from crmkit_loyalty.testing.watched import Watched


class Spending(Watched):
    """Redeems, reserves, commits, releases, cancels redemptions."""

    @rule(
        target=burns,
        who=WHO,
        unit=st.sampled_from(UNITS),
        part=st.sampled_from([1, 2, 3, 9]),
    )
    def redeem(self, who: int, unit: str, part: int) -> Any:
        """Spend everything, a half, a third or a little; with nothing there, too much."""
        there = self.oracle.spendable(who, unit)
        spent = Spent(next(self.names), who, unit, max(1, there // part))
        if not there:
            with self.crm.begin() as tx, pytest.raises(InsufficientPoints):
                self.spend(tx, spent)
            self.unchanged(9, "a redemption of what is not there")
            return multiple()
        before = self.rows
        with self.crm.begin() as tx:
            entry = self.spend(tx, spent)
        self.burnt[spent.key] = self.oracle.burn(who, unit, spent.amount)
        self.look()
        others = [[p for p in rows["loyalty_postings"] if p["unit"] != unit] for rows in (before, self.rows)]
        hold(12, "postings of other units", others[0], others[1])
        self.law_36_soonest_first(entry.id)
        return spent

    def law_36_soonest_first(self, burn: UUID) -> None:
        now = self.clock()
        lots = {lot["id"]: (lot["expires_at"], lot["id"]) for lot in self.rows["loyalty_lots"]}
        left = totals(self.rows, lambda p: (p["account"], p["lot_id"]))
        mine = [p for p in self.rows["loyalty_postings"] if p["transaction_id"] == burn and p["lot_id"]]
        latest = max(lots[p["lot_id"]] for p in mine)
        earlier = [
            lot["id"]
            for lot in self.rows["loyalty_lots"]
            if (lot["contact_id"], lot["unit"]) == (mine[0]["contact_id"], mine[0]["unit"])
            and lot["active_from"] <= now < lot["expires_at"]
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
            hold(6, "a redemption again", error, "the stored entry")
        hold(6, "the stored redemption", first, second)
        self.unchanged(6, "a redemption again")
        try:
            with self.crm.begin() as tx:
                self.spend(tx, attrs.evolve(spent, amount=spent.amount + 1))
        except (KeyConflict, InsufficientPoints) as error:
            hold(7, "the error for another amount", type(error), KeyConflict)
        else:
            hold(7, "another amount under the same key", "accepted", "refused")
        self.unchanged(7, "another amount under the same key")

    @rule(spent=consumes(burns))
    def cancel_redemption(self, spent: Spent) -> None:
        with self.crm.begin() as tx:
            Loyalty(tx).cancel_redemption(spent.key)
        self.cancelled[spent.key] = spent.amount
        self.oracle.back(self.burnt[spent.key])
        self.look()
        law_46_returned_once_and_exactly(self.rows, self.cancelled)
        with self.crm.begin() as tx:
            Loyalty(tx).cancel_redemption(spent.key)
        self.look()
        law_46_returned_once_and_exactly(self.rows, self.cancelled)

    @rule(target=reserved, who=WHO, unit=st.sampled_from(UNITS), part=st.sampled_from([1, 2, 9]))
    def reserve(self, who: int, unit: str, part: int) -> Any:
        there = self.oracle.spendable(who, unit)
        if not there:
            return multiple()
        spent = Spent(next(self.names), who, unit, max(1, there // part))
        with self.crm.begin() as tx:
            Loyalty(tx).reserve(self.ids[who], spent.amount, spent.key, TTL, unit=unit)
        parts = self.oracle.burn(who, unit, spent.amount)
        self.oracle.held.append(Held(spent.key, unit, parts, self.clock() + TTL))
        self.look()
        return spent

    @rule(target=burns, spent=reserved)
    def commit(self, spent: Spent) -> Any:
        """Law 10: what was reserved is spent once; what was given up or ran out is not."""
        held = self.hold_of(spent)
        again = held.end == "spent"
        if held.end and not again:
            return self.refused(held, lambda loyalty: loyalty.commit(spent.key))
        with self.crm.begin() as tx:
            first, second = (Loyalty(tx).commit(spent.key) for _ in range(2))
        hold(10, "a reservation committed again", first, second)
        held.end = "spent"
        self.look()
        if again:
            return multiple()
        self.burnt[spent.key] = held.parts
        return spent

    @rule(spent=reserved)
    def release(self, spent: Spent) -> None:
        held = self.hold_of(spent)
        if held.end == "spent":
            self.refused(held, lambda loyalty: loyalty.release(spent.key))
            return
        with self.crm.begin() as tx:
            first, second = (Loyalty(tx).release(spent.key) for _ in range(2))
        hold(10, "a reservation released again", first, second)
        if not held.end:
            held.end = "released"
            self.oracle.back(held.parts)
        self.look()

    def hold_of(self, spent: Spent) -> Held:
        return next(held for held in self.oracle.held if held.key == spent.key)

    def refused(self, held: Held, call: Callable[[Loyalty], Any]) -> Any:
        try:
            with self.crm.begin() as tx:
                call(Loyalty(tx))
        except ReservationEnded:
            self.unchanged(10, "the end of a reservation that has ended")
            return multiple()
        hold(10, f"{held.key} ended twice", held.end, "refused")

    def spend(self, tx: Transaction, spent: Spent) -> Any:
        return Loyalty(tx).redeem(self.ids[spent.who], spent.amount, spent.key, unit=spent.unit)
