"""Bugs in how units are spent, and told."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any
from uuid import UUID

import attrs
import pytest

from crmkit.sql import Sql
from crmkit.testing import Machine, mutant
from crmkit_loyalty import moves, spending
from crmkit_loyalty.change import Change
from crmkit_loyalty.entries import entry_of
from crmkit_loyalty.journal import Journal
from crmkit_loyalty.ledger import Posting
from crmkit_loyalty.store import Store
from crmkit_loyalty.testing.machine import LoyaltyMachine

Patch = pytest.MonkeyPatch
MACHINE = Machine(LoyaltyMachine)


def _forgetful(patch: Patch, prefix: str) -> None:
    """Let the ledger forget the keys that begin with a prefix."""
    stored, claim = Change._stored, Journal.claim

    def forget(self: Change, **options: Any) -> Any:
        return None if self.key.startswith(prefix) else stored(self, **options)

    def claim_anew(self: Journal) -> bool:
        while self.key.startswith(prefix) and Store(self.tx).by_key(str(self.first["key"])):
            self._transactions[0] = {**self.first, "key": f"{self.first['key']}+"}
        return claim(self)

    patch.setattr(Change, "_stored", forget)
    patch.setattr(Journal, "claim", claim_anew)


@mutant(6, attack=MACHINE, origin="AnthropicBots/compressor#1476")
def redemption_ignores_its_key(patch: Patch) -> None:
    _forgetful(patch, "redeem:")


@mutant(46, attack=MACHINE, origin="malsubrata/woo-wallet#56")
def cancelled_redemption_returns_twice(patch: Patch) -> None:
    _forgetful(patch, "return:")


@mutant(46, attack=MACHINE, origin="nopSolutions/nopCommerce#5595")
def cancelled_redemption_returns_more(patch: Patch) -> None:
    give_back = moves.give_back

    def more(*given: Any) -> list[Posting]:
        return [attrs.evolve(posting, amount=2 * posting.amount) for posting in give_back(*given)]

    patch.setattr(spending, "give_back", more)


@mutant(7, attack=MACHINE)
def other_content_is_accepted(patch: Patch) -> None:
    def found(self: Change, **options: Any) -> Any:
        row = self.store.by_key(self.key)
        return None if row is None else entry_of(row, 0)

    patch.setattr(Change, "_stored", found)


@mutant(1, attack=MACHINE, origin="pgr0ss/pgledger#175")
def a_leg_is_lost(patch: Patch) -> None:
    spend = moves.spend
    patch.setattr(spending, "spend", lambda *given: spend(*given)[:-1])


@mutant(3, attack=MACHINE, origin="django-hordak#142")
def balance_is_remembered(patch: Patch) -> None:
    balance, known = Store.balance, {}  # type: ignore[var-annotated]

    def remembered(self: Store, ids: Sequence[UUID], unit: str, at: datetime) -> int:
        found: int = known.setdefault((tuple(ids), unit), balance(self, ids, unit, at))
        return found

    patch.setattr(Store, "balance", remembered)


@mutant(3, attack=MACHINE, origin="odoo's max(points - x, 0)")
def balance_stops_at_zero(patch: Patch) -> None:
    balance = Store.balance
    patch.setattr(Store, "balance", lambda *given: max(0, balance(*given)))


@mutant(5, attack=MACHINE, origin="frappe/erpnext#59050")
def the_same_points_for_ever(patch: Patch) -> None:
    soonest = moves.soonest

    def full(lots: Any, amount: int) -> Any:
        return soonest([attrs.evolve(lot, active=lot.quantity) for lot in lots], amount)

    patch.setattr(moves, "soonest", full)


@mutant(5, 36, attack=MACHINE)
def latest_lots_are_spent_first(patch: Patch) -> None:

    def latest(lots: Any, amount: int) -> Any:
        parts = []
        for lot in sorted(lots, key=lambda lot: (lot.expires_at, lot.id), reverse=True):
            part = min(lot.left, amount)
            if part > 0:
                parts.append((lot, part))
                amount -= part
        return parts

    patch.setattr(moves, "soonest", latest)


@mutant(9, attack=MACHINE, origin="saleor/saleor#7588")
def nothing_is_undone(patch: Patch) -> None:
    patch.setattr(Sql, "isolated", lambda self: nullcontext())
