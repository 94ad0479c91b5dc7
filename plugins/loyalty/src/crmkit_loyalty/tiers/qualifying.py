"""What qualifies for tiers, read from the orders or the ledger as they stand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Table, bindparam, select

from crmkit import FOREVER, OrderState, Transaction
from crmkit.sql import prepared
from crmkit_loyalty.ledger import Account
from crmkit_loyalty.locks import latest
from crmkit_loyalty.tables import LOTS, POSTINGS, TRANSACTIONS
from crmkit_loyalty.tiers.settings import Measure, TierSettings
from crmkit_loyalty.tiers.timeline import Qualifying

_COUNTED = (OrderState.PAID.value, OrderState.SHIPPED.value)


def qualifying(
    tx: Transaction, contact_ids: Sequence[UUID], settings: TierSettings, *, locked: bool = False
) -> list[Qualifying]:
    """Return what a contact has that qualifies.

    Args:
        tx: the transaction.
        contact_ids: every id of the contact.
        settings: the tiers.
        locked: whether to read past the transaction's snapshot; the contact is locked.
    """
    found = [one for id in contact_ids for one in _READ[settings.measure](tx, id, settings, locked)]
    return [one for one in found if one.amount > 0]


def members(tx: Transaction, settings: TierSettings, after: UUID | None, limit: int) -> list[UUID]:
    """Return a page of the contacts of whom something may qualify, in the order of their ids."""
    measured = tx.table(POSTINGS if settings.measure is Measure.UNITS else "orders")

    def build(measured: Table) -> Any:
        id = measured.c.contact_id
        found = select(id).where(id.is_not(None)).order_by(id).limit(bindparam("limit")).distinct()
        return found if after is None else found.where(id > bindparam("after", type_=id.type))

    values = {"limit": limit} | ({} if after is None else {"after": after})
    statement = prepared(measured, f"loyalty members {after is None}", build)
    return list(tx.sql.execute(statement, values).scalars())


def _orders(tx: Transaction, contact_id: UUID, settings: TierSettings, locked: bool) -> list[Qualifying]:
    return [Qualifying(row.paid_at, 1) for row in _paid(tx, contact_id, locked)]


def _spend(tx: Transaction, contact_id: UUID, settings: TierSettings, locked: bool) -> list[Qualifying]:
    return [
        Qualifying(row.paid_at, row.total - row.refunded)
        for row in _paid(tx, contact_id, locked)
        if row.currency == settings.currency
    ]


def _paid(tx: Transaction, contact_id: UUID, locked: bool) -> Sequence[Any]:
    def build(orders: Table) -> Select[Any]:
        c = orders.c
        mine = c.contact_id == bindparam("id", type_=c.contact_id.type)
        paid = c.state.in_(_COUNTED) & (c.paid_at < bindparam("never", type_=c.paid_at.type))
        return latest(tx, select(c.paid_at, c.total, c.refunded, c.currency).where(mine & paid), locked)

    statement = prepared(tx.table("orders"), f"loyalty paid {locked} {tx.sql.database}", build)
    return tx.sql.execute(statement, {"id": contact_id, "never": FOREVER}).all()


def _units(tx: Transaction, contact_id: UUID, settings: TierSettings, locked: bool) -> list[Qualifying]:
    """What each award gave, minus what of it was clawed back: spending takes nothing away."""
    postings, lots, transactions = tx.table(POSTINGS), tx.table(LOTS), tx.table(TRANSACTIONS)

    def build(postings: Table) -> Select[Any]:
        p, lot, t = postings.c, lots.c, transactions.c
        mine = (p.contact_id == bindparam("id", type_=p.contact_id.type)) & (p.unit == bindparam("unit"))
        moved = mine & p.account.in_((Account.ISSUANCE, Account.CLAWED)) & (lot.qualifying == 1)
        joined = postings.join(transactions, t.id == p.transaction_id).join(lots, lot.id == p.lot_id)
        columns = (p.lot_id, p.account, p.amount, t.effective_at)
        return latest(tx, select(*columns).select_from(joined).where(moved), locked)

    statement = prepared(postings, f"qualifying {locked} {tx.sql.database}", build)
    given: dict[UUID, datetime] = {}
    amounts: dict[UUID, int] = defaultdict(int)
    for row in tx.sql.execute(statement, {"id": contact_id, "unit": settings.unit}).all():
        amounts[row.lot_id] -= row.amount
        if row.account == Account.ISSUANCE:
            given[row.lot_id] = row.effective_at
    return [Qualifying(at, amounts[lot_id]) for lot_id, at in given.items()]


_READ: Mapping[Measure, Callable[[Transaction, UUID, TierSettings, bool], list[Qualifying]]] = {
    Measure.ORDERS: _orders,
    Measure.SPEND: _spend,
    Measure.UNITS: _units,
}
