"""Bugs in what orders do to the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import pytest
from sqlalchemy import delete, select

import crmkit_loyalty.orders as loyalty_orders
from crmkit import Base, Order, Refund, Returned, Transaction, split_refund
from crmkit.testing import Machine, mutant
from crmkit_loyalty import giving, moves, reservations, spending
from crmkit_loyalty.ledger import Account, Posting, clawed_back, refunded_part
from crmkit_loyalty.testing.machine import LoyaltyMachine
from crmkit_loyalty.testing.mutants.arithmetic import half_up

Patch = pytest.MonkeyPatch
MACHINE = Machine(LoyaltyMachine)


def _claw_into(patch: Patch, account: Account) -> None:
    claw_back = moves.claw_back

    def elsewhere(*given: Any) -> list[Posting]:
        return [
            attrs.evolve(posting, account=account) if posting.account is Account.CLAWED else posting
            for posting in claw_back(*given)
        ]

    patch.setattr(loyalty_orders, "claw_back", elsewhere)


@mutant(2, attack=MACHINE, origin="husamql3/pstrack#280")
def claw_back_unmakes_the_issue(patch: Patch) -> None:
    _claw_into(patch, Account.ISSUANCE)


@mutant(45, attack=MACHINE, origin="odoo/odoo#212922")
def refund_spends_again(patch: Patch) -> None:
    _claw_into(patch, Account.REDEEMED)


@mutant(4, attack=MACHINE, origin="frappe/erpnext#12631")
def cancellation_deletes(patch: Patch) -> None:
    change = loyalty_orders._change

    def deleting(tx: Transaction, entry: Any, *rest: Any) -> None:
        if entry.type != "OrderCancelled":
            return change(tx, entry, *rest)
        mine = tx.table("loyalty_transactions").c
        ids = list(tx.sql.execute(select(mine.id).where(mine.subject_id == entry.subject_id)).scalars())
        for name, column in (("loyalty_postings", "transaction_id"), ("loyalty_transactions", "id")):
            tx.sql.execute(delete(tx.table(name)).where(tx.table(name).c[column].in_(ids)))

    patch.setattr(loyalty_orders, "_change", deleting)


@mutant(11, attack=MACHINE, origin="wpswings/points-and-rewards-for-woocommerce#104")
def awards_are_posted_twice(patch: Patch) -> None:
    post = loyalty_orders._Unit.post
    patch.setattr(loyalty_orders._Unit, "post", lambda self, key, awards: post(self, key, [*awards, *awards]))


@mutant(42, 43, attack=MACHINE, origin="solidusio/solidus#707")
def each_refund_is_rounded_by_itself(patch: Patch) -> None:
    made = loyalty_orders._Proportion.__init__

    def remember(self: Any, tx: Transaction, event: Any) -> None:
        made(self, tx, event)
        self._tx = tx

    def rounded(self: Any, lot: Any) -> tuple[int, dict[str, Any]]:
        base, order = Base(lot["content"]["base"]), self._order()
        history = self._tx.orders.history(self._event.order_key)
        parts = [refunded_part(order, e.event.parts, base) for e in history if e.type == "OrderRefunded"]
        amount = max(1, order.amount(base).minor)
        return sum(half_up(lot["quantity"], part, amount) for part in parts), {"because": "refunded"}

    patch.setattr(loyalty_orders._Proportion, "__init__", remember)
    patch.setattr(loyalty_orders._Proportion, "__call__", rounded)


@mutant(43, attack=MACHINE)
def refunds_are_rounded_half_up(patch: Patch) -> None:
    def rounded(*given: Any, whole: bool) -> int:
        return clawed_back(*given, whole=True) if whole else half_up(*given)

    patch.setattr(loyalty_orders, "clawed_back", rounded)


@mutant(42, attack=MACHINE, origin="odoo/odoo#257854")
def only_amounts_are_taken_back(patch: Patch) -> None:
    patch.setattr(loyalty_orders, "clawed_back", lambda *given, whole: 0 if whole else clawed_back(*given))


@mutant(44, attack=MACHINE, origin="malsubrata/woo-wallet#53")
def cancelled_orders_keep_their_points(patch: Patch) -> None:
    everything = loyalty_orders._everything

    def nothing(because: str) -> Any:
        return everything(because) if because == "amended" else lambda lot: (0, {"because": because})

    patch.setattr(loyalty_orders, "_everything", nothing)


@mutant(42, 43, 44, attack=MACHINE, origin="odoo/odoo#257854")
def nobody_ever_owes(patch: Patch) -> None:
    claw_back = moves.claw_back
    patch.setattr(loyalty_orders, "claw_back", lambda lot, amount: claw_back(lot, min(lot.left, amount)))


@mutant(47, attack=MACHINE)
def debts_are_not_paid(patch: Patch) -> None:
    for module in (spending, giving, reservations, loyalty_orders):
        patch.setattr(module, "settle", lambda wallet, at: [])


def forgetting(order: Order, before: Mapping[str, Returned], refund: Refund) -> Mapping[str, Returned]:
    """Return what a refund gives back, as if it were the first."""
    return split_refund(order, {}, refund)


@mutant(48, attack=MACHINE, origin="solidusio/solidus#512")
def earlier_refunds_are_forgotten(patch: Patch) -> None:
    patch.setattr("crmkit.transaction.orders.split_refund", forgetting)
