"""Bugs in holds, expiry, reservations, transfers and merges."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import attrs
import pytest

from crmkit import FOREVER
from crmkit.testing import Machine, mutant, original
from crmkit_loyalty import giving, ledger, moves, passing, reservations, service, touch
from crmkit_loyalty.ledger import Account, Posting
from crmkit_loyalty.store import Store
from crmkit_loyalty.testing.machine import LoyaltyMachine
from crmkit_loyalty.testing.programme import TICK

Patch = pytest.MonkeyPatch
MACHINE = Machine(LoyaltyMachine)


@mutant(31, attack=MACHINE)
def what_is_on_hold_is_spent(patch: Patch) -> None:
    patch.setattr(ledger.HeldLot, "spendable", lambda self, at: at < self.expires_at)


@mutant(5, 31, 35, attack=MACHINE, origin="tldraw/tldraw#9431")
def lots_lapse_a_microsecond_late(patch: Patch) -> None:
    passing_of = passing.passing
    for module in (service, touch):
        patch.setattr(module, "passing", lambda wallet, at: passing_of(wallet, at - TICK))


@mutant(2, 5, 35, attack=MACHINE, origin="FreeOpenSourcePOS/FloCafe#78")
def whole_lots_lapse(patch: Patch) -> None:
    lapse = passing._lapsed
    patch.setattr(passing, "_lapsed", lambda lot: lapse(attrs.evolve(lot, active=lot.quantity)))


@mutant(5, 10, 31, attack=MACHINE, origin="odoo/odoo#249775")
def what_is_reserved_can_be_spent(patch: Patch) -> None:
    held = property(lambda self: self.active + self.pending + self.reserved)
    patch.setattr(ledger.HeldLot, "left", held)


@mutant(5, 10, 31, attack=MACHINE, origin="shopware/shopware#20171")
def reservations_never_run_out(patch: Patch) -> None:
    patch.setattr(Store, "_reservations", lambda self, *given: ())


@mutant(10, attack=MACHINE, origin="Azuriom/Plugin-Shop#285")
def reservations_end_twice(patch: Patch) -> None:
    patch.setattr(reservations._Ending, "stored", lambda self, kind: None)


@mutant(5, 31, 43, 44, attack=MACHINE, origin="saleor/saleor#7588")
def what_is_released_is_lost(patch: Patch) -> None:
    released = moves.release

    def lost(parts: Any, *given: Any) -> list[Posting]:
        back = released(parts, *given)
        return [attrs.evolve(p, account=Account.CLAWED) if p.amount > 0 else p for p in back]

    patch.setattr(reservations, "released", lost)


@mutant(31, 44, attack=MACHINE, origin="liberusoftware/ecommerce-laravel#1056")
def a_transfer_renews(patch: Patch) -> None:
    copied = giving._copy
    patch.setattr(
        giving,
        "_copy",
        lambda change, lot, *given: copied(change, attrs.evolve(lot, expires_at=FOREVER), *given),
    )


@mutant(2, 31, 44, attack=MACHINE)
def a_transfer_only_gives(patch: Patch) -> None:
    def given(*values: Any) -> list[Posting]:
        spent = moves.spend(*values)
        return [p for p in spent if p.lot_id is not None and p.amount > 0]

    patch.setattr(giving, "spend", given)


@mutant(3, 70, attack=MACHINE, origin="mautic/mautic#5964")
def a_merge_overwrites(patch: Patch) -> None:
    ids = original("crmkit.transaction.contacts.Contacts.ids")
    patch.setattr("crmkit.transaction.contacts.Contacts.ids", lambda self, id: ids(self, id)[:1])


@mutant(3, 31, 70, attack=MACHINE, origin="odoo/odoo#171706")
def a_merge_loses_what_is_on_hold(patch: Patch) -> None:
    balance = Store.balance

    def of_one(self: Store, ids: Sequence[UUID], unit: str, at: datetime) -> int:
        return balance(self, ids, unit, at) if len(ids) == 1 else balance(self, ids[:1], unit, at)

    patch.setattr(Store, "balance", of_one)
