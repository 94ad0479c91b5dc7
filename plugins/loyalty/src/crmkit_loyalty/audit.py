"""The ledger checked against itself, and what follows from it set up anew.

Balances are folds: nothing of them is kept. What is kept beside the postings are timers, which say what time is
going to do; they follow from lots and reservations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, case, delete, func, or_, select

from crmkit import FOREVER, Transaction
from crmkit_loyalty.configured import settings_of
from crmkit_loyalty.journal import lot_timers
from crmkit_loyalty.ledger import HELD, Account, Kind
from crmkit_loyalty.passing import ended
from crmkit_loyalty.statements import Statements
from crmkit_loyalty.store import Row, Store, held_lot


def faults(tx: Transaction) -> list[str]:
    """Return what is wrong with the ledger, one text each; it reads all of it.

    Args:
        tx: the transaction to read with.
    """
    found = Statements.of(tx)
    return [*_unbalanced(tx, found), *_out_of_range(tx, found), *_forgotten(tx, found), *_adrift(tx, found)]


def rebuild(tx: Transaction, contact_id: UUID, unit: str) -> int:
    """Set a contact's timers up anew from its lots and reservations; return how many there are.

    Args:
        tx: the transaction.
        contact_id: whose.
        unit: of which unit.
    """
    store, ids, tables = Store(tx), tx.contacts.ids(contact_id), Statements.of(tx)
    store.lock(ids, [unit])
    timers = tables.timers.c
    tx.sql.execute(delete(tables.timers).where(timers.contact_id.in_(ids), timers.unit == unit))
    wanted = [
        timer
        for lot in store.wallet(ids, unit, locked=True).lots
        for timer in lot_timers(tx, lot, unit, tx.now)
        if timer["kind"] != Kind.ACTIVATE or lot.pending
    ]
    wanted += _open(tx, tables, ids, unit)
    store.remind(wanted)
    return len(wanted)


def _open(tx: Transaction, tables: Statements, ids: Sequence[UUID], unit: str) -> list[Row]:
    """The timers of the reservations that nothing has ended."""
    c, store = tables.transactions.c, Store(tx)
    mine = select(tables.transactions).where(c.contact_id.in_(ids), c.unit == unit, c.kind == Kind.RESERVE)
    return [
        {
            "id": row["id"],
            "kind": Kind.RELEASE,
            "contact_id": row["contact_id"],
            "unit": unit,
            "at": row["effective_at"] + timedelta(seconds=row["content"]["seconds"]),
        }
        for row in tx.sql.execute(mine).mappings()
        if store.by_key(ended(row["key"].removeprefix("redeem:"))) is None
    ]


def _unbalanced(tx: Transaction, tables: Statements) -> Iterator[str]:
    p = tables.postings.c
    total = func.sum(p.amount).label("total")
    sums = select(p.transaction_id, p.unit, total).group_by(p.transaction_id, p.unit).having(total != 0)
    for row in tx.sql.execute(sums).mappings():
        yield f"transaction {row['transaction_id']}: its postings of {row['unit']} add up to {row['total']}, not to 0"


def _kept(tables: Statements) -> Any:
    p, lots = tables.postings.c, tables.lots.c
    sums = [func.sum(case((p.account == one, p.amount), else_=0)).label(one.value) for one in HELD]
    joined = tables.lots.outerjoin(tables.postings, and_(p.lot_id == lots.id, p.account.in_(HELD)))
    return select(tables.lots, *sums).select_from(joined).group_by(*tables.lots.c)


def _out_of_range(tx: Transaction, tables: Statements) -> Iterator[str]:
    for row in tx.sql.execute(_kept(tables)).mappings():
        kept = {account.value: int(row[account.value] or 0) for account in HELD}
        if min(kept.values()) < 0 or sum(kept.values()) > row["quantity"]:
            yield f"lot {row['id']}: it was given {row['quantity']} and holds {kept}"


def _forgotten(tx: Transaction, tables: Statements) -> Iterator[str]:
    """Lots that will lapse or become active and have no timer for it."""
    timers = {(row.id, row.kind) for row in tx.sql.execute(select(tables.timers.c.id, tables.timers.c.kind))}
    lots = _kept(tables).subquery()
    held = select(lots).where(lots.c.pending + lots.c.active > 0)
    if settings_of(tx, "Loyalty").inactivity_days is None:
        held = held.where(or_(lots.c.expires_at < FOREVER, lots.c.pending > 0))
    for row in tx.sql.execute(held).mappings():
        lot = held_lot(dict(row))
        wanted = {timer["kind"] for timer in lot_timers(tx, lot, row["unit"], tx.now)}
        if lot.pending:
            wanted.add(Kind.ACTIVATE)
        for kind in sorted(kind for kind in wanted if (lot.id, kind) not in timers):
            yield f"lot {lot.id}: nothing will {kind} it; rebuild contact {lot.contact_id}"


def _adrift(tx: Transaction, tables: Statements) -> Iterator[str]:
    """Reserved units that no open reservation accounts for."""
    p, timers = tables.postings.c, tables.timers.c
    kept = (
        select(p.lot_id, func.sum(p.amount).label("amount"))
        .where(p.account == Account.RESERVED)
        .group_by(p.lot_id)
    )
    waiting = select(timers.id).where(timers.kind == Kind.RELEASE)
    open_ = kept.where(p.transaction_id.in_(waiting))
    there, known = _by_lot(tx, kept), _by_lot(tx, open_)
    for lot in sorted(there.keys() | known.keys()):
        if there.get(lot, 0) != known.get(lot, 0):
            yield f"lot {lot}: {there.get(lot, 0)} are reserved, {known.get(lot, 0)} by reservations that are open"


def _by_lot(tx: Transaction, sums: Select[Any]) -> dict[UUID, int]:
    rows = tx.sql.execute(sums).mappings()
    return {row["lot_id"]: int(row["amount"]) for row in rows if row["amount"]}
