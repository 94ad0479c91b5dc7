"""Policies of retention are applied: page by page, each in a transaction of its own, never what a hold keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs

from crmkit.errors import ErasureHeld
from crmkit.events import RetentionApplied
from crmkit.privacy.export import addresses_of
from crmkit.retention import ACTIVITY, RetentionAction, RetentionPolicy
from crmkit.sql import retention as old
from crmkit.sql.persons import Person, clear_rows, delete_rows, person, would_clear
from crmkit.sql.privacy import Declared

if TYPE_CHECKING:
    from crmkit.crm import CRM
    from crmkit.transaction import Transaction

_PAGE = 500


@attrs.frozen(kw_only=True)
class Retained:
    """What a policy came to, or with a dry run would come to.

    Args:
        policy: the policy.
        rows: how many rows were deleted or cleared, or contacts erased.
        held: how many contacts a legal hold keeps, that would have been erased.
    """

    policy: RetentionPolicy
    rows: int
    held: int = 0


def apply_policies(
    crm: CRM,
    *,
    dry_run: bool = False,
    only: Sequence[str] = (),
    told: Callable[[str, int], object] | None = None,
) -> list[Retained]:
    """Apply the policies that the settings enable; return what each came to.

    Args:
        crm: the CRM.
        dry_run: count and change nothing.
        only: the names of those that are applied; all when none is named.
        told: called with a policy's name and how many rows it has come to, now and then.
    """
    found = []
    for policy in crm.retention:
        if only and policy.name not in only:
            continue
        run = _Run(crm, policy, dry_run, told)
        done = run.contacts() if policy.action is RetentionAction.ERASE else run.rows()
        if done.rows and not dry_run:
            event = RetentionApplied(policy=policy.name, rows=done.rows)
            crm.transact(lambda tx, event=event: tx.events.append(event))  # type: ignore[misc]
        found.append(done)
    return found


@attrs.frozen
class _Run:
    crm: CRM
    policy: RetentionPolicy
    dry_run: bool
    told: Callable[[str, int], object] | None

    def rows(self) -> Retained:
        total, last = 0, None
        while True:
            page, changed = self.crm.transact(lambda tx, last=last: self._page(tx, last))  # type: ignore[misc]
            total += changed
            self._tell(total)
            if len(page) < _PAGE:
                return Retained(policy=self.policy, rows=total)
            last = page[-1]

    def _page(self, tx: Transaction, last: Any) -> tuple[Sequence[Any], int]:
        table = tx.sql.tables[self.policy.table]
        declared = Declared.of(self.policy.table, table)
        held = [id for one in old.held_ids(tx.sql, self.policy.table, tx.now) for id in tx.contacts.ids(one)]
        before = tx.now - self.policy.after
        page = old.old_rows(tx.sql, self.policy, before, _kept(tx, held), last, _PAGE)
        if self.policy.action is RetentionAction.DELETE:
            return page, len(page) if self.dry_run else delete_rows(tx.sql, table, page)
        return page, len(would_clear(declared, page)) if self.dry_run else clear_rows(tx.sql, declared, page)

    def contacts(self) -> Retained:
        erased, held, last = 0, 0, None
        while True:
            page = self.crm.transact(lambda tx, last=last: self._contacts(tx, last))  # type: ignore[misc]
            for id in page:
                done = self.crm.transact(lambda tx, id=id: self._erase(tx, id))  # type: ignore[misc]
                erased, held = erased + (done == "erased"), held + (done == "held")
            self._tell(erased)
            if len(page) < _PAGE:
                return Retained(policy=self.policy, rows=erased, held=held)
            last = page[-1]

    def _contacts(self, tx: Transaction, last: UUID | None) -> list[UUID]:
        return old.old_contacts(tx.sql, self.policy, tx.now - self.policy.after, last, _PAGE)

    def _erase(self, tx: Transaction, id: UUID) -> str:
        ids = tx.contacts.ids(id)
        if self.policy.since == ACTIVITY and old.is_active(tx.sql, ids, tx.now - self.policy.after):
            return "active"  # under an id that was merged into it
        if any(not hold.tables for hold in tx.privacy.holds(id)):
            return "held"
        if not self.dry_run:
            try:
                tx.privacy.erase(id, reason=f"retention: {self.policy.name}")
            except ErasureHeld:
                return "held"
        return "erased"

    def _tell(self, total: int) -> None:
        if self.told is not None:
            self.told(self.policy.name, total)


def _kept(tx: Transaction, held: Sequence[UUID]) -> Person | None:
    """Return under what rows of held contacts are found, those that name nothing but an address among them."""
    if not held:
        return None
    contacts = tx.contacts.get_many(held).values()
    return person(tx.sql, held, addresses={text for one in contacts for text in addresses_of(one)})
