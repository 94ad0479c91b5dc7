"""The merges in SQL: rows that are only added, and closed by an undo; one lock for whoever changes who is whom."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import attrs
from sqlalchemy import select, update

from crmkit.clock import FOREVER
from crmkit.contacts.merge import Merge
from crmkit.sql.connection import Sql
from crmkit.sql.schema import ensure_cursor

LOCK = "merges"


def lock_merges(sql: Sql) -> None:
    """Keep others from changing who is whom until the transaction ends.

    One lock for all: which contacts a merge concerns is known only once the merges before it are. It is counted
    up, so that a transaction whose snapshot is older than another's merge is told to run again.
    """
    cursors = sql.tables["cursors"]
    count_up = update(cursors).where(cursors.c.name == LOCK).values(position=cursors.c.position + 1)
    if sql.execute(count_up).rowcount == 0:
        ensure_cursor(sql, LOCK)
        sql.execute(count_up)


def add_merge(sql: Sql, merge: Merge) -> None:
    """Write a merge that holds."""
    row = attrs.asdict(merge, recurse=False)
    row["from_id"] = row.pop("loser_id")
    sql.insert(sql.tables["contact_merges"], [row | {"until": merge.until or FOREVER}])


def end_merge(sql: Sql, id: UUID, at: datetime) -> None:
    """Write that a merge holds no longer."""
    merges = sql.tables["contact_merges"]
    sql.execute(update(merges).where(merges.c.id == id).values(until=at))


def read_merge(sql: Sql, id: UUID, *, locked: bool = False) -> Merge | None:
    """Return a merge, or None; `locked` reads past the transaction's snapshot."""
    merges = sql.tables["contact_merges"]
    statement = select(merges).where(merges.c.id == id)
    found = _merges(sql, statement.with_for_update(read=True) if locked else statement)
    return found[0] if found else None


def holding(sql: Sql, ids: Collection[UUID]) -> dict[UUID, Merge]:
    """Return the merges that hold between any of some contacts and anybody, past the snapshot, by their losers.

    Args:
        sql: the transaction's connection, holding the lock of the merges.
        ids: of contacts; those reached over merges come with them.
    """
    c = sql.tables["contact_merges"].c
    found: dict[UUID, Merge] = {}
    asked: set[UUID] = set()
    while ids := set(ids) - asked:
        asked |= ids
        for column in (c.from_id, c.into_id):
            mine = select(c.from_id.table).where(column.in_(ids), c.until == FOREVER)
            found |= {merge.loser_id: merge for merge in _merges(sql, mine.with_for_update(read=True))}
        ids = {id for merge in found.values() for id in (merge.loser_id, merge.into_id)}
    return found


def undone_merges(sql: Sql) -> Iterator[tuple[UUID, UUID]]:
    """Yield for each merge that was undone who had gone on as whom."""
    c = sql.tables["contact_merges"].c
    statement = select(c.from_id, c.into_id).where(c.until != FOREVER).distinct()
    yield from ((row.from_id, row.into_id) for row in sql.execute(statement))


def merges_of(sql: Sql, ids: Iterable[UUID], limit: int) -> list[Merge]:
    """Return the latest merges that named any of some contacts, the latest first."""
    merges, wanted = sql.tables["contact_merges"], list(ids)
    found = {
        merge.id: merge
        for column in (merges.c.from_id, merges.c.into_id)
        for merge in _merges(sql, select(merges).where(column.in_(wanted)))
    }
    return sorted(found.values(), key=lambda merge: (merge.merged_at, merge.id), reverse=True)[:limit]


def latest_merges(sql: Sql, limit: int) -> list[Merge]:
    """Return everybody's latest merges, the latest first."""
    merges = sql.tables["contact_merges"]
    # the bound is there for MariaDB, which else would rather sort all
    ordered = select(merges).where(merges.c.merged_at < FOREVER)
    ordered = ordered.order_by(merges.c.merged_at.desc(), merges.c.id.desc())
    return _merges(sql, ordered.limit(limit))


def _merges(sql: Sql, statement: Any) -> list[Merge]:
    rows: Sequence[Any] = sql.execute(statement).all()
    return [
        Merge(
            id=row.id,
            loser_id=row.from_id,
            into_id=row.into_id,
            merged_at=row.merged_at,
            until=None if row.until == FOREVER else row.until,
            actor=row.actor,
            reason=row.reason,
            details=row.details,
        )
        for row in rows
    ]
