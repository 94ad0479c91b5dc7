"""Steps of the state machine: orders, their refunds and changes."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from crmkit import KeyConflict, Money, Order, OrderLine, Refund, TransitionRefused, ValueRefused
from crmkit_loyalty.ledger import Account
from crmkit_loyalty.testing.baskets import baskets
from crmkit_loyalty.testing.bought import Bought
from crmkit_loyalty.testing.bundles import WHO, orders
from crmkit_loyalty.testing.programme import HOLD, MEMBERS, POINT_DAYS, STAR_DAYS, START, UNITS, wipe
from crmkit_loyalty.testing.rows import digest, hold, read, totals
from crmkit_loyalty.testing.watched import Watched


class Buying(Watched):
    """Buys, repeats, refunds, cancels, amends."""

    @initialize(target=orders, lines=baskets())
    def start(self, lines: tuple[OrderLine, ...]) -> Any:
        wipe(self.crm)
        self.clock.set(START)
        with self.crm.begin() as tx:
            self.ids = [tx.contacts.add(f"member {n}").id for n in range(MEMBERS)]
            self.rows = read(tx)
        self.state = self.checked = digest(self.rows)
        return self.buy(0, lines, at_once=True, hours=0)

    @rule(
        target=orders,
        who=WHO,
        lines=baskets(),
        at_once=st.booleans(),
        hours=st.sampled_from([0, 1, 24, 99]),
    )
    def buy(self, who: int, lines: tuple[OrderLine, ...], at_once: bool, hours: int) -> Bought:
        self.pass_to(self.clock() + timedelta(hours=hours))
        key = next(self.names)
        order = Order(key, lines, placed_at=self.clock(), contact_id=self.ids[who])
        bought = Bought(key, who, order, "paid" if at_once else "placed")
        with self.crm.begin() as tx:
            tx.orders.record(order, state=bought.recorded)
            if not at_once:
                tx.orders.paid(key)
        self.earn(bought)
        self.bought.append(bought)
        self.look()
        return bought

    def earn(self, bought: Bought) -> None:
        """Tell the oracle of an order's awards."""
        bought.earned, now = bought.award(), self.clock()
        net = sum(bought.base("stars").values())
        spans = {"points": (HOLD, POINT_DAYS), "stars": (timedelta(0), STAR_DAYS * (1 + net % 4))}
        bought.slots, bought.taken = {}, Counter()
        for unit, (begins, ends) in spans.items():
            if bought.earned[unit]:
                units = bought.earned[unit]
                bought.slots[unit] = self.oracle.fill(bought.who, unit, units, now + begins, now + ends)
            self.oracle.settle(bought.who, unit)

    def claw(self, bought: Bought) -> None:
        """Tell the oracle that what is due of an order's awards was taken back."""
        for unit, slot in bought.slots.items():
            self.oracle.claw(slot, bought.due(unit) - bought.taken[unit])
            bought.taken[unit] = bought.due(unit)

    def settle(self, who: int) -> None:
        for unit in UNITS:
            self.oracle.settle(who, unit)

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
        self.claw(bought)
        self.settle(bought.who)
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
        self.claw(bought)
        self.settle(bought.who)
        self.look()

    @rule(bought=orders, lines=baskets())
    def amend(self, bought: Bought, lines: tuple[OrderLine, ...]) -> None:
        try:
            with self.crm.begin() as tx:
                tx.orders.amend(bought.key, lines, amendment=next(self.names))
        except TransitionRefused:
            self.unchanged(9, "a refused amendment")
            return
        for unit, slot in bought.slots.items():
            self.oracle.claw(slot, bought.earned[unit] - bought.taken[unit])
        bought.order = attrs.evolve(bought.order, lines=lines)
        bought.past += bought.earned
        self.earn(bought)
        self.look()

    def redeemed(self) -> dict[Any, int]:
        sums = totals(self.rows, lambda p: (p["unit"], p["account"]))
        return {unit: sums[unit, Account.REDEEMED] for unit in UNITS}
