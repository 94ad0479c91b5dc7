"""Which of a contact's points of a kind is primary, in the database: at most one, whoever prefers another meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import Table, and_, bindparam, or_, update

from crmkit.contacts import ContactPoint
from crmkit.sql.connection import prepared

if TYPE_CHECKING:
    from crmkit.transaction import Transaction


def demote_points(tx: Transaction, preferred: Sequence[tuple[UUID, ContactPoint]]) -> None:
    """Let a contact's other points of a kind be primary no longer.

    It counts as a change of the contact, so that of two transactions that prefer a point the second waits and sees
    what the first one preferred, or is run again.

    Args:
        tx: the transaction.
        preferred: contacts with the point that is primary from now on.
    """
    if not preferred:
        return
    contacts, points = (tx.sql.tables[name] for name in ("contacts", "contact_points"))
    touched = [{"b_id": id, "b_now": tx.now} for id in sorted({id for id, _ in preferred})]
    tx.sql.execute(prepared(contacts, "touch", _touch), touched)
    others = [
        {"b_id": id, "b_kind": point.kind, "b_scope": point.scope, "b_key": point.key}
        for id, point in preferred
    ]
    tx.sql.execute(prepared(points, "demote", _demote), others)


def _touch(contacts: Table) -> Any:
    changed = update(contacts).where(contacts.c.id == bindparam("b_id"))
    return changed.values(updated_at=bindparam("b_now"))


def _demote(points: Table) -> Any:
    c = points.c
    mine = and_(c.contact_id == bindparam("b_id"), c.kind == bindparam("b_kind"))
    other = or_(c.scope != bindparam("b_scope"), c.key != bindparam("b_key"))
    return update(points).where(mine, other).values(is_primary=0)
