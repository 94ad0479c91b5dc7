"""LoyaltyMachine: everything that happens to points, in any order, over any database, against a small fold model."""

from __future__ import annotations

from contextlib import nullcontext, suppress

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import rule

from crmkit import Refund, Transaction, TransitionRefused, ValueRefused
from crmkit_loyalty.entries import InsufficientPoints
from crmkit_loyalty.testing.bought import Bought, Spent
from crmkit_loyalty.testing.bundles import orders
from crmkit_loyalty.testing.buying import Buying
from crmkit_loyalty.testing.handing import Handing
from crmkit_loyalty.testing.passing_time import PassingTime
from crmkit_loyalty.testing.spending import Spending


class LoyaltyMachine(Buying, Spending, PassingTime, Handing):
    """Buys, repeats, refunds, spends, reserves, cancels, amends, waits, merges and crashes.

    `LoyaltyMachine.TestCase` is a unittest class that pytest collects. Set `url` for another database, or write
    `make_crm` for a CRM of your own.
    """

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
