"""The worker's side of the deliveries table: claim with a lease, mark the hand-off, settle, queue again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Executable, Table, bindparam, select, update

from crmkit.messages import DeliveryState
from crmkit.sql.connection import Sql

Row = Any


def lock_due(sql: Sql, now: datetime, limit: int) -> Sequence[Row]:
    """Return due deliveries that no other worker is claiming, locked, the longest due first.

    Args:
        sql: a transaction of its own.
        now: due until when.
        limit: at most how many.
    """
    statement = _cached(sql, "lock_due", _lock_due)
    return sql.execute(statement, {"now": now, "n": limit}).all()


def _lock_due(table: Table) -> Executable:
    c = table.c
    # the attempt that begins now is the one that counts from here on
    columns = [(column + 1).label("attempt") if column.name == "attempt" else column for column in c]
    return (
        select(*columns)
        .where(c.due_at <= bindparam("now", type_=c.due_at.type))
        .order_by(c.due_at, c.id)
        .limit(bindparam("n"))
        .with_for_update(skip_locked=True)
    )


def claim(sql: Sql, ids: Collection[UUID], state: DeliveryState, token: UUID, until: datetime) -> None:
    """Write a worker's claim on locked deliveries: it holds until the lease is over."""
    statement = _cached(sql, "claim", _claim)
    if ids:
        sql.execute(statement, {"ids": list(ids), "b_state": state, "b_claim": token, "b_due": until})


def _claim(table: Table) -> Executable:
    c = table.c
    mine = c.id.in_(bindparam("ids", expanding=True, type_=c.id.type))
    return (
        update(table)
        .where(mine)
        .values(
            state=bindparam("b_state", type_=c.state.type),
            claim=bindparam("b_claim", type_=c.claim.type),
            due_at=bindparam("b_due", type_=c.due_at.type),
            attempt=c.attempt + 1,
        )
    )


def postpone(sql: Sql, due: Mapping[UUID, datetime]) -> None:
    """Move locked deliveries that are not to be claimed now to a later instant."""
    c = sql.tables["deliveries"].c
    statement = (
        update(sql.tables["deliveries"]).where(c.id == bindparam("b_id")).values(due_at=bindparam("b_due"))
    )
    if due:
        sql.execute(statement, [{"b_id": id, "b_due": at} for id, at in due.items()])


def hand_off(sql: Sql, ids: Sequence[UUID], token: UUID, until: datetime | None) -> bool:
    """Mark that the provider may act on deliveries from here on; say whether all are still the worker's.

    Args:
        sql: the transaction's connection.
        ids: the deliveries.
        token: the worker's claim.
        until: when their lease is to end; None leaves it.
    """
    values: dict[str, Any] = {"state": DeliveryState.HANDED}
    if until is not None:
        values["due_at"] = until
    return _of_claim(sql, ids, token, values) == len(ids)


def renew(sql: Sql, ids: Sequence[UUID], token: UUID, until: datetime) -> None:
    """Prolong the lease on deliveries that are still the worker's."""
    _of_claim(sql, ids, token, {"due_at": until})


def settle(sql: Sql, ids: Sequence[UUID], token: UUID, values: Mapping[str, Any]) -> Collection[UUID]:
    """Write what came of deliveries; return those that were still the worker's, the others are left alone.

    Args:
        sql: the transaction's connection.
        ids: deliveries of which the same is to be written.
        token: the worker's claim.
        values: by column.
    """
    if _of_claim(sql, ids, token, values) == len(ids):
        return ids
    c = sql.tables["deliveries"].c
    kept = values.get("claim", token)
    mine = c.claim.is_(None) if kept is None else c.claim == kept
    statement = select(c.id).where(
        c.id.in_(ids), mine, c.state == values["state"], c.due_at == values["due_at"]
    )
    return set(sql.execute(statement).scalars())


def _of_claim(sql: Sql, ids: Sequence[UUID], token: UUID, values: Mapping[str, Any]) -> int:
    def build(table: Table) -> Executable:
        c = table.c
        one = len(ids) == 1
        mine = (
            c.id == bindparam("ids", type_=c.id.type)
            if one
            else c.id.in_(bindparam("ids", expanding=True, type_=c.id.type))
        )
        named = {name: bindparam(f"b_{name}", type_=c[name].type) for name in values}
        return update(table).where(mine, c.claim == bindparam("token", type_=c.claim.type)).values(**named)

    statement = _cached(sql, f"of_claim {len(ids) == 1} {' '.join(values)}", build)
    bound = {f"b_{name}": value for name, value in values.items()}
    given = ids[0] if len(ids) == 1 else list(ids)
    return sql.execute(statement, {"ids": given, "token": token, **bound}).rowcount


def read_pauses(sql: Sql, channels: Iterable[str], now: datetime) -> Sequence[Row]:
    """Return the pauses of some channels that are not over."""
    c = sql.tables["pauses"].c
    names = bindparam("channels", expanding=True, type_=c.channel.type)

    def build(table: Table) -> Executable:
        return select(*c).where(c.channel.in_(names), c.until > bindparam("now", type_=c.until.type))

    statement = _cached(sql, "pauses", build)
    return sql.execute(statement, {"channels": list(channels), "now": now}).all()


def write_pause(sql: Sql, row: Mapping[str, Any], now: datetime) -> bool:
    """Write a pause, or prolong the one there is; say whether there was none until now.

    Args:
        sql: the transaction's connection.
        row: channel, scope, value, until and reason.
        now: the present instant.
    """
    table = sql.tables["pauses"]
    c = table.c
    same = (c.channel == row["channel"]) & (c.scope == row["scope"]) & (c.value == row["value"])
    until: datetime | None = sql.execute(select(c.until).where(same).with_for_update()).scalar()
    if until is None:
        return sql.claim(table, row)
    if until < row["until"]:
        sql.execute(update(table).where(same).values(until=row["until"], reason=row["reason"]))
    return until <= now


def lock_held(sql: Sql, ids: Sequence[UUID], after: UUID | None, limit: int) -> Sequence[Row]:
    """Return held deliveries, locked, in the order of their ids.

    Args:
        sql: a transaction's connection.
        ids: which; all when none is named.
        after: the id of the last delivery of the page before.
        limit: at most how many.
    """
    table = sql.tables["deliveries"]
    statement = select(table).where(table.c.state == DeliveryState.HELD)
    if ids:
        statement = statement.where(table.c.id.in_(ids))
    if after is not None:
        statement = statement.where(table.c.id > after)
    return sql.execute(statement.order_by(table.c.id).limit(limit).with_for_update()).all()


def change(sql: Sql, id: UUID, values: Mapping[str, Any]) -> None:
    """Write columns of a locked delivery."""
    table = sql.tables["deliveries"]
    sql.execute(update(table).where(table.c.id == id).values(**values))


def queue_again(sql: Sql, ids: Sequence[UUID], states: Iterable[DeliveryState], now: datetime) -> int:
    """Queue settled deliveries that have not expired as if they were new; return how many.

    Args:
        sql: a transaction's connection.
        ids: which; all when none is named.
        states: only those in one of these.
        now: from when their age counts.
    """
    table = sql.tables["deliveries"]
    statement = update(table).where(table.c.state.in_(list(states)), table.c.expires_at > now)
    if ids:
        statement = statement.where(table.c.id.in_(ids))
    return sql.execute(statement.values(**queued(now))).rowcount


def queued(now: datetime) -> dict[str, Any]:
    """Return the columns of a delivery that is queued again."""
    return {
        "state": DeliveryState.QUEUED,
        "due_at": now,
        "queued_at": now,
        "attempt": 0,
        "claim": None,
        "reason": "",
        "provider_id": "",
    }


def _cached(sql: Sql, name: str, build: Callable[[Table], Executable]) -> Executable:
    table = sql.tables["deliveries"]
    statement: Executable | None = table.info.get(f"outbox {name}")
    if statement is None:
        statement = table.info[f"outbox {name}"] = build(table)
    return statement
