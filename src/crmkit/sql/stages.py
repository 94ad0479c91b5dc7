"""Stages in SQL: what orders say about many contacts at once, and who is due to be looked at."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import attrs
from sqlalchemy import Table, bindparam, func, select, update
from sqlalchemy.exc import IntegrityError

from crmkit.clock import FOREVER
from crmkit.contacts import Stage
from crmkit.errors import RetryTransaction
from crmkit.orders import OrderState
from crmkit.sql.connection import Sql, prepared
from crmkit.sql.details import read_many
from crmkit.stages import OrderFacts

_AT_ONCE = 1000
_COUNTED = (OrderState.PAID, OrderState.SHIPPED)
#: The events after which a stage may be another.
_OF_ORDERS = ("OrderRecorded", "OrderPaid", "OrderRefunded", "OrderCancelled")
_OF_MERGES = ("ContactsMerged", "ContactsUnmerged")


@attrs.frozen
class Followed:
    """A piece of the log.

    Args:
        position: of its last event; where it began if there was none.
        contact_ids: whose stage may have changed.
        is_last: whether the log ends there.
    """

    position: int
    contact_ids: tuple[UUID, ...]
    is_last: bool


def read_followed(sql: Sql, position: int, limit: int) -> Followed:
    """Return whose orders changed in the events after a position.

    Args:
        sql: the transaction's connection.
        position: the last event that was seen.
        limit: at most how many events.
    """
    c = sql.tables["events"].c
    statement = select(c.position, c.type, c.contact_id).where(c.position > position)
    rows = sql.execute(statement.order_by(c.position).limit(limit)).all()
    ids = [row.contact_id for row in rows if row.contact_id and row.type in _OF_ORDERS]
    ids += _parted(sql, [row.position for row in rows if row.type in _OF_MERGES])
    return Followed(rows[-1].position if rows else position, tuple(dict.fromkeys(ids)), len(rows) < limit)


def _parted(sql: Sql, positions: Sequence[int]) -> list[UUID]:
    """Return both sides of the merges that these events tell of."""
    if not positions:
        return []
    c = sql.tables["events"].c
    told = sql.execute(select(c.data).where(c.position.in_(positions))).scalars()
    return [UUID(data[side]) for data in told for side in ("loser_id", "into_id")]


def read_order_facts(sql: Sql, ids: Iterable[UUID]) -> dict[UUID, OrderFacts]:
    """Return what counts of the orders recorded under ids, by id; ids without an order are left out."""
    c, wanted, found = sql.tables["orders"].c, list(dict.fromkeys(ids)), dict[UUID, OrderFacts]()
    counted = c.state.in_(_COUNTED) & (c.paid_at < FOREVER)
    for start in range(0, len(wanted), _AT_ONCE):
        mine = c.contact_id.in_(wanted[start : start + _AT_ONCE])
        last_at = func.max(c.paid_at, type_=c.paid_at.type)
        statement = select(c.contact_id, func.count(), last_at).where(mine, counted).group_by(c.contact_id)
        rows: Any = sql.execute(statement)
        for row in rows:
            found[row[0]] = OrderFacts(count=int(row[1]), last_at=row[2])
    return found


@attrs.frozen
class Kept:
    """A row of `contact_stages`.

    Args:
        contact_id: whose.
        kept_at: since when staff's word holds; the end of time where the rule decides.
        due_at: when to look at the contact again; the end of time if never.
    """

    contact_id: UUID
    kept_at: datetime
    due_at: datetime


def read_kept(sql: Sql, ids: Iterable[UUID]) -> dict[UUID, Kept]:
    """Return the rows of `contact_stages` by contact."""
    found = read_many(sql, "contact_stages", ids)
    return {row.contact_id: Kept(row.contact_id, row.kept_at, row.due_at) for row in found}


def read_due(sql: Sql, now: datetime, limit: int) -> list[UUID]:
    """Return contacts whose stage time alone may have changed, those due first first."""
    c = sql.tables["contact_stages"].c
    statement = select(c.contact_id).where(c.due_at <= now).order_by(c.due_at, c.contact_id).limit(limit)
    return list(sql.execute(statement).scalars())


def write_many(sql: Sql, rows: Sequence[Kept], known: Container[UUID]) -> None:
    """Write rows of `contact_stages`.

    Args:
        sql: the transaction's connection.
        rows: as they are to be.
        known: the contacts that have a row.

    Raises:
        RetryTransaction: if another transaction gave a contact its row meanwhile.
    """
    table = sql.tables["contact_stages"]
    new = [attrs.asdict(row) for row in rows if row.contact_id not in known]
    try:
        sql.insert(table, new)
    except IntegrityError as error:
        raise RetryTransaction("another transaction looked at the same contact's stage") from error
    changed = [
        {"b_id": row.contact_id, "kept_at": row.kept_at, "due_at": row.due_at}
        for row in rows
        if row.contact_id in known
    ]
    if changed:
        sql.execute(prepared(table, "change many", _change), changed)


def _change(table: Table) -> Any:
    values: dict[str, Any] = {name: bindparam(name) for name in ("kept_at", "due_at")}
    return update(table).where(table.c.contact_id == bindparam("b_id")).values(values)


def never_due(sql: Sql, ids: Sequence[UUID]) -> None:
    """Have contacts looked at no more by themselves: they go on as another one, or are gone."""
    table = sql.tables["contact_stages"]
    for start in range(0, len(ids), _AT_ONCE):
        theirs = table.c.contact_id.in_(ids[start : start + _AT_ONCE]) & (table.c.due_at < FOREVER)
        sql.execute(update(table).where(theirs).values(due_at=FOREVER))


def write_stages(sql: Sql, stages: Iterable[tuple[UUID, Stage]], now: datetime) -> None:
    """Write the stages of contacts in the core's own table."""
    table, by_stage = sql.tables["contacts"], dict[Stage, list[UUID]]()
    for contact_id, stage in stages:
        by_stage.setdefault(stage, []).append(contact_id)
    for stage, ids in by_stage.items():
        for start in range(0, len(ids), _AT_ONCE):
            mine = table.c.id.in_(ids[start : start + _AT_ONCE])
            sql.execute(update(table).where(mine).values(stage=stage, updated_at=now))


def make_due(sql: Sql, now: datetime) -> None:
    """Have every contact looked at whose stage time may change, because the rules are other ones."""
    table = sql.tables["contact_stages"]
    sql.execute(update(table).where(table.c.kept_at == FOREVER).values(due_at=now))
