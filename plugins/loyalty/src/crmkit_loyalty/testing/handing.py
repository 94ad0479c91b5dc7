"""Steps of the state machine: corrections by hand, transfers, merges."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from crmkit import FOREVER
from crmkit_loyalty.service import Loyalty
from crmkit_loyalty.testing.bundles import WHO
from crmkit_loyalty.testing.programme import MEMBERS, UNITS
from crmkit_loyalty.testing.watched import Watched


class Handing(Watched):
    """Adjusts, transfers, merges, unmerges."""

    @rule(who=WHO, unit=st.sampled_from(UNITS), amount=st.sampled_from([-9, -1, 1, 20]))
    def adjust(self, who: int, unit: str, amount: int) -> None:
        with self.crm.begin() as tx:
            Loyalty(tx).adjust(self.ids[who], amount, next(self.names), "counted wrongly", unit=unit)
        if amount > 0:
            self.oracle.fill(who, unit, amount, self.clock(), FOREVER)
        else:
            there = min(-amount, self.oracle.spendable(who, unit))
            self.oracle.burn(who, unit, there)
            self.oracle.owed[who, unit] -= amount + there
        self.oracle.settle(who, unit)
        self.look()

    @rule(who=WHO, unit=st.sampled_from(UNITS), part=st.sampled_from([1, 2, 9]))
    def transfer(self, who: int, unit: str, part: int) -> None:
        """Law 37: units that are handed on end when they would have."""
        to, there = (who + 1) % MEMBERS, self.oracle.spendable(who, unit)
        if not there or to in self.oracle.family(who):
            return
        amount = max(1, there // part)
        with self.crm.begin() as tx:
            Loyalty(tx).transfer(self.ids[who], self.ids[to], amount, next(self.names), unit=unit)
        for slot, units in self.oracle.burn(who, unit, amount):
            self.oracle.fill(to, unit, units, self.clock(), slot.ends)
        self.oracle.settle(to, unit)
        self.look()

    @rule(loser=WHO)
    def merge(self, loser: int) -> None:
        """Law 70: what two members have adds up while they are one; no row is rewritten."""
        if self.merge_id is not None:
            return
        into = (loser + 1) % MEMBERS
        with self.crm.begin() as tx:
            self.merge_id = tx.merges.merge(self.ids[loser], self.ids[into]).id
        self.oracle.merged[loser] = into
        self.look()

    @rule()
    def unmerge(self) -> None:
        if self.merge_id is None:
            return
        with self.crm.begin() as tx:
            tx.merges.unmerge(self.merge_id)
        self.merge_id = None
        self.oracle.merged.clear()
        self.look()
