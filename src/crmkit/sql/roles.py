"""Roles of contacts in orders, in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from crmkit.orders import OrderRole
from crmkit.sql.connection import Sql


def claim_role(sql: Sql, order_id: UUID, role: OrderRole, contact_id: UUID, since: datetime) -> bool:
    """Give a contact a role in an order; say whether it did not have it."""
    row = {"order_id": order_id, "role": role, "contact_id": contact_id, "since": since}
    return sql.claim(sql.tables["order_roles"], row)


def remove_role(sql: Sql, order_id: UUID, role: OrderRole, ids: Sequence[UUID]) -> bool:
    """Take a role in an order from a contact; say whether it had it."""
    c = sql.tables["order_roles"].c
    mine = (c.order_id == order_id) & (c.role == role) & c.contact_id.in_(ids)
    return sql.execute(sql.tables["order_roles"].delete().where(mine)).rowcount > 0


def read_roles(sql: Sql, order_id: UUID) -> list[tuple[str, UUID]]:
    """Return who has a role in an order, in the order of roles and ids."""
    c = sql.tables["order_roles"].c
    statement = select(c.role, c.contact_id).where(c.order_id == order_id).order_by(c.role, c.contact_id)
    return [(row.role, row.contact_id) for row in sql.execute(statement)]


def read_roles_of(sql: Sql, ids: Sequence[UUID], limit: int) -> list[Any]:
    """Return in which orders a contact has a role, as rows of key, role and since, the newest first."""
    roles, orders = sql.tables["order_roles"].c, sql.tables["orders"].c
    mine = roles.contact_id == ids[0] if len(ids) == 1 else roles.contact_id.in_(ids)
    statement = select(orders.key, roles.role, roles.since, roles.contact_id).where(
        mine, orders.id == roles.order_id
    )
    newest = statement.order_by(roles.since.desc(), roles.order_id.desc()).limit(limit)
    return list(sql.execute(newest))
