"""Steps of the state machine: time passes, and the job posts what it did, or does not."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import rule

from crmkit import FOREVER
from crmkit_loyalty.ledger import Account
from crmkit_loyalty.testing.programme import TICK, UNITS
from crmkit_loyalty.testing.rows import hold, totals
from crmkit_loyalty.testing.watched import Watched
from crmkit_loyalty.waiting import post_passed


class PassingTime(Watched):
    """Ticks, and runs the job."""

    @rule(hours=st.sampled_from([1, 24, 49, 120, 240]), posted=st.booleans())
    def tick(self, hours: int, posted: bool) -> None:
        """Time passes; the job runs, or does not: nothing that can be asked depends on it."""
        self.pass_to(self.clock() + timedelta(hours=hours))
        self.checked = {}
        if posted:
            self.run_jobs()

    @rule(before=st.booleans())
    def tick_to_the_next_change(self, before: bool) -> None:
        """Law 31: up to the instant at which something lapses or begins, or a microsecond before."""
        slots = [slot for slot in self.oracle.slots if slot.left]
        marks = {slot.ends for slot in slots} | {slot.begins for slot in slots}
        marks |= {held.until for held in self.oracle.held if not held.end}
        coming = sorted(mark for mark in marks if self.clock() + TICK < mark < FOREVER)
        if coming:
            self.pass_to(coming[0] - (TICK if before else timedelta(0)))
            self.checked = {}

    @rule()
    def run_jobs(self) -> None:
        """Laws 34 and 35: what lapsed is posted, once, and only that."""
        post_passed(self.crm)
        self.look()
        sums = totals(self.rows, lambda p: (p["unit"], p["account"]))
        for unit in UNITS:
            hold(35, f"{unit} that lapsed", sums[unit, Account.EXPIRED], self.oracle.lapsed(unit))
        post_passed(self.crm)
        self.unchanged(34, "the job again")
