"""Orders in SQL: one row an order with where it stands; its lines are in the events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import attrs
from sqlalchemy import ColumnElement, func, select, update

from crmkit.clock import FOREVER
from crmkit.errors import RetryTransaction
from crmkit.orders import OrderState
from crmkit.sql.connection import Sql


@attrs.frozen(kw_only=True)
class OrderRow:
    """Where an order stands.

    Args:
        id: its id.
        key: the shop's order number.
        contact_id: whose it is, if anybody's.
        state: its state.
        currency: of the amounts.
        total: what it costs, in minor units.
        refunded: what was given back, in minor units.
        placed_at: when it was ordered.
        paid_at: when it was paid; the end of time until then.
        shipped_at: when it was shipped; the end of time until then.
        cancelled_at: when it was cancelled; the end of time until then.
        lines_event_id: the event that holds its lines.
    """

    id: UUID
    key: str
    contact_id: UUID | None
    state: OrderState = attrs.field(converter=OrderState)
    currency: str
    total: int
    refunded: int = 0
    placed_at: datetime
    paid_at: datetime = FOREVER
    shipped_at: datetime = FOREVER
    cancelled_at: datetime = FOREVER
    lines_event_id: UUID

    @property
    def is_paid(self) -> bool:
        """Whether it was paid."""
        return self.paid_at != FOREVER


_FIELDS = tuple(field.name for field in attrs.fields(OrderRow))


def claim_order(sql: Sql, row: OrderRow) -> bool:
    """Write a new order unless its key is taken; say whether it was written."""
    return sql.claim(sql.tables["orders"], {name: getattr(row, name) for name in _FIELDS})


def read_order(sql: Sql, key: str, *, lock: bool = False) -> OrderRow | None:
    """Return where an order stands; `lock` keeps others from changing it until the transaction ends."""
    orders = sql.tables["orders"]
    statement = select(orders).where(orders.c.key == key)
    row = sql.execute(statement.with_for_update() if lock else statement).mappings().first()
    return None if row is None else OrderRow(**{name: row[name] for name in _FIELDS})


def claimed_order(sql: Sql, key: str) -> OrderRow:
    """Return the order that somebody else wrote under a key.

    Raises:
        RetryTransaction: if this transaction's isolation level hides it.
    """
    found = read_order(sql, key, lock=True)
    if found is None:
        raise RetryTransaction(f"order {key!r} was written by a transaction that this one cannot see yet")
    return found


def update_order(sql: Sql, id: UUID, changes: Mapping[str, Any]) -> None:
    """Change where an order stands."""
    orders = sql.tables["orders"]
    sql.execute(update(orders).where(orders.c.id == id).values(**changes))


#: At most so many earlier orders are told; a streak is not longer.
MOST_PLACED = 1000


def count_orders(sql: Sql, contact_ids: Sequence[UUID], *, besides: str) -> int:
    """Return how many paid orders a contact has that were neither cancelled nor refunded whole.

    Args:
        sql: the transaction's connection.
        contact_ids: every id of the contact.
        besides: the key of an order that does not count.
    """
    return int(sql.execute(select(func.count()).where(_counted(sql, contact_ids, besides))).scalar_one())


def placed(sql: Sql, contact_ids: Sequence[UUID], *, besides: str, until: datetime) -> tuple[datetime, ...]:
    """Return when the orders that `count_orders` counts were placed, the latest first; at most a thousand.

    Args:
        sql: the transaction's connection.
        contact_ids: every id of the contact.
        besides: the key of an order that does not count.
        until: only orders that were placed by then.
    """
    at = sql.tables["orders"].c.placed_at
    wanted = select(at).where(_counted(sql, contact_ids, besides), at <= until)
    return tuple(sql.execute(wanted.order_by(at.desc()).limit(MOST_PLACED)).scalars())


def _counted(sql: Sql, contact_ids: Sequence[UUID], besides: str) -> ColumnElement[bool]:
    c = sql.tables["orders"].c
    counted = (OrderState.PAID, OrderState.SHIPPED)
    return c.contact_id.in_(contact_ids) & c.state.in_(counted) & (c.paid_at < FOREVER) & (c.key != besides)
