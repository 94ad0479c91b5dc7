"""Erasures are finished: what was written meanwhile, what plugins could not erase, what a hold kept."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from crmkit.clock import FOREVER
from crmkit.errors import ErasureHeld
from crmkit.sql.erasures import change_erasure, due_erasures

if TYPE_CHECKING:
    from crmkit.crm import CRM
    from crmkit.transaction import Transaction

_PAGE = 100


def finish_erasures(crm: CRM) -> int:
    """Clear once more the contacts whose erasure is due again, each in a transaction of its own; return how many."""
    done = 0
    while True:
        page = crm.transact(lambda tx: due_erasures(tx.sql, tx.now, _PAGE))
        for row in page:
            crm.transact(lambda tx, id=row["contact_id"]: _finish(tx, id))  # type: ignore[misc]
        done += len(page)
        if len(page) < _PAGE:
            return done  # what is done is due later, so that no page comes twice


def _finish(tx: Transaction, contact_id: UUID) -> None:
    try:
        tx.privacy.erase(contact_id)
    except ErasureHeld as error:  # placed after the erasure: what is still there is kept until it ends
        due = error.hold.until if error.hold.until < FOREVER else FOREVER
        change_erasure(tx.sql, contact_id, {"due_at": due})
