"""Queueing again what was held, and what had come to its end without being sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from crmkit.delivery.cases import FAILED
from crmkit.messages import DeliveryState
from crmkit.sql import outbox

if TYPE_CHECKING:
    from crmkit.crm import CRM
    from crmkit.transaction import Transaction

_PAGE = 500


def replay(crm: CRM, ids: Sequence[UUID]) -> int:
    """Queue settled deliveries again as if they were new; return how many.

    Their tries and their age count from now (`queued_at` is moved). Those whose `expires_at` has passed are left,
    and so are suppressed ones: whoever suppressed them would do so again.

    Args:
        crm: the CRM.
        ids: dead, rejected, expired or unknown deliveries; all dead ones when none is named.
    """
    states = FAILED - {DeliveryState.SUPPRESSED} if ids else {DeliveryState.DEAD}
    pages = [ids[start : start + _PAGE] for start in range(0, len(ids), _PAGE)] or [()]
    return sum(
        crm.transact(lambda tx, page=page: outbox.queue_again(tx.sql, page, states, tx.now))  # type: ignore[misc]
        for page in pages
    )


def release(crm: CRM, ids: Sequence[UUID]) -> int:
    """Queue held deliveries as if they were new, finding missing addresses anew; return how many.

    One that still has no channel or no address stays held, with that reason.

    Args:
        crm: the CRM.
        ids: which; all held ones when none is named.
    """
    released, last = 0, None
    while True:
        rows, queued = crm.transact(lambda tx, last=last: _release(tx, ids, last))  # type: ignore[misc]
        released += queued
        if len(rows) < _PAGE:
            return released
        last = rows[-1].id


def _release(tx: Transaction, ids: Sequence[UUID], last: UUID | None) -> tuple[Sequence[Any], int]:
    rows = outbox.lock_held(tx.sql, ids, last, _PAGE)
    contacts = tx.contacts.get_many([row.contact_id for row in rows if row.contact_id and not row.address])
    return rows, sum(_release_one(tx, row, contacts.get(row.contact_id)) for row in rows)


def _release_one(tx: Transaction, row: Any, contact: Any) -> bool:
    address, problem = row.address, ""
    owned = tx.crm.registry.channels.get(row.channel)
    if owned is None:
        problem = f"no channel {row.channel!r} is enabled"
    elif not address:
        spec = owned.value.spec
        point = contact.point(spec.address_kind, spec.scope) if contact else None
        address = point.value if point else ""
        problem = "" if point else f"the contact has no {spec.address_kind} point"
    changes = {"reason": problem} if problem else {"address": address, **outbox.queued(tx.now)}
    outbox.change(tx.sql, row.id, changes)
    return not problem
