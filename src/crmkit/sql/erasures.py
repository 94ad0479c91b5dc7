"""Erasures and legal holds in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Table, and_, bindparam, or_, select, update

from crmkit.clock import FOREVER
from crmkit.errors import RetryTransaction
from crmkit.sql.connection import Sql, prepared
from crmkit.sql.consents import pages


def lock_contacts(sql: Sql, ids: Sequence[UUID]) -> None:
    """Keep others from changing contacts until the transaction ends."""
    contacts = sql.tables["contacts"]
    mine = select(contacts.c.id).where(contacts.c.id.in_(ids)).order_by(contacts.c.id)
    sql.execute(mine.with_for_update()).all()


def lock_as_read(sql: Sql, ids: Sequence[UUID]) -> None:
    """Lock contacts as `lock_contacts`, for whoever decides by what the transaction reads of them.

    Raises:
        RetryTransaction: if another transaction changed one unseen: MariaDB locks a row as it is, and goes on reading
            it as it was.
    """
    if sql.database != "mariadb":
        lock_contacts(sql, ids)
        return
    contacts = sql.tables["contacts"]
    mine = select(contacts).where(contacts.c.id.in_(ids)).order_by(contacts.c.id)
    if sql.execute(mine.with_for_update()).all() != sql.execute(mine).all():
        raise RetryTransaction("a contact was changed by a transaction that this one cannot see yet")


def claim_erasure(sql: Sql, row: Mapping[str, Any]) -> bool:
    """Write that a contact is erased; say whether it was not before."""
    return sql.claim(sql.tables["erasures"], row)


def change_erasure(sql: Sql, contact_id: UUID, values: Mapping[str, Any]) -> None:
    """Write columns of an erasure."""
    erasures = sql.tables["erasures"]
    sql.execute(update(erasures).where(erasures.c.contact_id == contact_id).values(**values))


def clear_again(sql: Sql, ids: Iterable[UUID], now: datetime) -> set[UUID]:
    """Have those of some contacts who were erased cleared once more with the next run; return who they are."""
    erased = erased_among(sql, ids)
    for id in sorted(erased):
        change_erasure(sql, id, {"due_at": now})
    return erased


def read_erasures(sql: Sql, ids: Sequence[UUID], *, locked: bool = False) -> Sequence[Mapping[str, Any]]:
    """Return the erasures of a contact's ids, the one that was asked for first; `locked` reads past the snapshot."""
    erasures = sql.tables["erasures"]
    statement = select(erasures).where(erasures.c.contact_id.in_(ids))
    rows = sql.execute(statement.with_for_update(read=True) if locked else statement)
    return sorted((dict(row) for row in rows.mappings()), key=lambda row: row["due_at"])


def erased_among(sql: Sql, ids: Iterable[UUID]) -> set[UUID]:
    """Return which of many contacts were erased."""
    statement = prepared(sql.tables["erasures"], "among", _among)
    return {id for page in pages(ids) for id in sql.execute(statement, {"ids": page}).scalars()}


def _among(erasures: Table) -> Select[Any]:
    c = erasures.c
    return select(c.contact_id).where(
        c.contact_id.in_(bindparam("ids", expanding=True, type_=c.contact_id.type))
    )


def due_erasures(
    sql: Sql, now: datetime | None, limit: int, after: tuple[datetime, UUID] | None = None
) -> Sequence[Mapping[str, Any]]:
    """Return erasures of which something is open, the longest due first.

    Args:
        sql: the transaction's connection.
        now: only those that are due until then; None for all.
        limit: at most how many.
        after: when the last one of the page before is due, and its contact.
    """
    c = sql.tables["erasures"].c
    statement = select(sql.tables["erasures"]).where(c.due_at < FOREVER if now is None else c.due_at <= now)
    if after is not None:
        at, id = after
        statement = statement.where(or_(c.due_at > at, and_(c.due_at == at, c.contact_id > id)))
    rows = sql.execute(statement.order_by(c.due_at, c.contact_id).limit(limit))
    return [dict(row) for row in rows.mappings()]


def add_hold(sql: Sql, row: Mapping[str, Any]) -> None:
    """Write a legal hold."""
    sql.insert(sql.tables["legal_holds"], [row])


def end_hold(sql: Sql, id: UUID, until: datetime) -> Mapping[str, Any] | None:
    """End a legal hold that has not ended; return it as it was, or None if there is none."""
    holds = sql.tables["legal_holds"]
    one = (holds.c.id == id) & (holds.c.until > until)
    row = sql.execute(select(holds).where(one).with_for_update()).mappings().first()
    if row is None:
        return None
    sql.execute(update(holds).where(one).values(until=until))
    return dict(row)


def read_holds(sql: Sql, ids: Sequence[UUID], now: datetime) -> Sequence[Mapping[str, Any]]:
    """Return the legal holds on a contact that have not ended, the oldest first."""
    holds = sql.tables["legal_holds"]
    mine = (holds.c.contact_id.in_(ids)) & (holds.c.until > now)
    rows = sql.execute(select(holds).where(mine).with_for_update(read=True))
    return sorted((dict(row) for row in rows.mappings()), key=lambda row: (row["placed_at"], row["id"]))
