"""One program of the machine that breaks every law once the code is broken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crmkit import LineKind, Money, OrderLine
from crmkit_loyalty.testing.machine import LoyaltyMachine


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
    two = step(machine.buy, 0, basket(999), False, 1)
    step(machine.redeliver, one, "record")
    step(machine.redeliver, two, "paid")
    step(machine.other_payload, one, basket(5))
    step(machine.tick_to_the_next_change, True)
    step(machine.tick_to_the_next_change, False)
    step(machine.tick, 1, True)
    step(machine.transfer, 0, "stars", 2)
    for what in ("redeem", "buy", "refund"):
        step(machine.crash, one, what, True)
        step(machine.crash, one, what, False)
    burn = step(machine.redeem, 0, "points", 3)
    step(machine.redeem, 0, "stars", 2)
    step(machine.redeem_again, burn)
    step(machine.redeem, 1, "points", 1)
    committed = reservations_end(machine, step)
    step(machine.refund_line, one, 0, 1)
    step(machine.refund_amount, one, 77)
    step(machine.refund_amount, one, 333)
    step(machine.redeliver, one, "refund")
    step(machine.redeem, 0, "points", 1)
    step(machine.refund_whole, one)
    step(machine.adjust, 1, "points", 20)
    step(machine.transfer, 1, "points", 2)
    step(machine.adjust, 0, "points", -9)
    three = step(machine.buy, 0, basket(1000), True, 24)
    step(machine.cancel_redemption, burn)
    step(machine.cancel_redemption, committed)
    step(machine.amend, three, basket(333, 77))
    step(machine.transfer, 0, "points", 1)
    step(machine.buy, 1, basket(1000), True, 1)
    step(machine.merge, 1)
    step(machine.adjust, 1, "stars", 1)
    step(machine.redeem, 0, "points", 2)
    step(machine.unmerge)
    for before in (True, False) * 5:
        step(machine.tick_to_the_next_change, before)
    step(machine.run_jobs)
    step(machine.cancel, two)
    step(machine.cancel, three)
    step(machine.tick, 240, True)


def reservations_end(machine: LoyaltyMachine, step: Callable[..., Any]) -> Any:
    """One is spent, one given up, one runs out; each is ended again."""
    spent = step(machine.reserve, 0, "points", 2)
    burn = step(machine.commit, spent)
    step(machine.release, spent)
    step(machine.commit, spent)
    given_up = step(machine.reserve, 0, "points", 2)
    step(machine.release, given_up)
    step(machine.commit, given_up)
    late = step(machine.reserve, 0, "points", 9)
    step(machine.tick_to_the_next_change, True)
    step(machine.tick_to_the_next_change, False)
    step(machine.commit, late)
    step(machine.release, late)
    return burn
