"""Stages follow the log: whoever's orders changed is looked at, and whoever is due because time has passed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import attrs

from crmkit.sql.relay import (
    add_cursor,
    last_position,
    move_cursor,
    read_cursors,
    set_cursor,
    take_cursor,
)
from crmkit.sql.stages import make_due, read_due, read_followed
from crmkit.transaction.details import derive_stages

if TYPE_CHECKING:
    from crmkit.crm import CRM
    from crmkit.transaction import Transaction

CURSOR = "stages"
#: Holds a number of the rules under which stages were derived.
RULES = "stages:rules"
PAGE = 1000


def follow_stages(crm: CRM, lease: timedelta) -> int:
    """Derive the stages of contacts whose orders changed or whose time has come; return how many changed.

    One process at a time does it; the place in the log is stored with each page.

    Args:
        crm: the CRM.
        lease: after how long another process goes on where this one died.
    """
    if not crm.settings.stages:
        return 0
    holder = crm.transact(lambda tx: _take(tx, lease))
    if holder is None:
        return 0
    changed, more = 0, True
    while more:
        page = crm.transact(lambda tx: _page(tx, holder, lease))
        if page is None:
            return changed  # it took longer than the lease, and another process goes on
        changed, more = changed + page.changed, page.more
    crm.transact(lambda tx: _end(tx, holder))
    return changed


@attrs.frozen
class _Page:
    changed: int
    more: bool


def _take(tx: Transaction, lease: timedelta) -> UUID | None:
    cursors = read_cursors(tx.sql, [CURSOR, RULES])
    cursor, rules = cursors.get(CURSOR), cursors.get(RULES)
    if cursor is None:
        add_cursor(tx.sql, CURSOR, 0, tx.now)
    if rules is None or rules.position != _number(tx.crm):
        if rules is not None:
            make_due(tx.sql, tx.now)
        set_cursor(tx.sql, RULES, _number(tx.crm))
    elif cursor and cursor.position >= last_position(tx.sql) and not read_due(tx.sql, tx.now, 1):
        return None
    holder = tx.new_id()
    return holder if take_cursor(tx.sql, CURSOR, tx.now, tx.now + lease, holder) else None


def _page(tx: Transaction, holder: UUID, lease: timedelta) -> _Page | None:
    position = read_cursors(tx.sql, [CURSOR])[CURSOR].position
    found = read_followed(tx.sql, position, PAGE)
    due = read_due(tx.sql, tx.now, PAGE)
    changed = derive_stages(tx, (*found.contact_ids, *due)) if found.contact_ids or due else 0
    if not move_cursor(tx.sql, CURSOR, holder, found.position, tx.now + lease):
        return None
    return _Page(changed, more=not found.is_last or len(due) == PAGE)


def _end(tx: Transaction, holder: UUID) -> None:
    move_cursor(tx.sql, CURSOR, holder, read_cursors(tx.sql, [CURSOR])[CURSOR].position, tx.now)


def _number(crm: CRM) -> int:
    """Return a number that is another one when the rules are."""
    from hashlib import sha256

    return int.from_bytes(sha256(repr(crm.stage_rules).encode()).digest()[:6], "big") + 1
