"""Tiers in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Table, bindparam, select, update

from crmkit import Transaction
from crmkit.sql import prepared
from crmkit_loyalty.keyed import Row
from crmkit_loyalty.locks import latest
from crmkit_loyalty.tiers.layout import SPANS, STANDINGS
from crmkit_loyalty.tiers.settings import TierSettings
from crmkit_loyalty.tiers.timeline import Span


class TierStore:
    """Reads and writes spans and standings.

    Args:
        tx: the transaction.
        locked: whether to read past its snapshot what the caller has locked.
    """

    def __init__(self, tx: Transaction, *, locked: bool = False) -> None:
        self._tx = tx
        self._locked = locked
        self._spans = tx.table(SPANS)
        self._standings = tx.table(STANDINGS)

    def spans(self, contact_ids: Sequence[UUID]) -> tuple[int, tuple[Span, ...]]:
        """Return the number of the latest evaluation under any of some ids, 0 if there was none, and its spans."""
        numbers = {id: number for id in contact_ids if (number := self._latest(id))}
        if not numbers:
            return 0, ()
        contact_id = max(numbers, key=numbers.__getitem__)
        return numbers[contact_id], self._of(contact_id, numbers[contact_id])

    def _latest(self, contact_id: UUID) -> int:
        # by itself: a locking read reads past the snapshot, but not where it stands within another
        def build(spans: Table) -> Any:
            mine = spans.c.contact_id == bindparam("id", type_=spans.c.contact_id.type)
            last = select(spans.c.number).where(mine).order_by(spans.c.number.desc()).limit(1)
            return latest(self._tx, last, self._locked)

        statement = prepared(self._spans, f"number {self._locked} {self._tx.sql.database}", build)
        return int(self._tx.sql.execute(statement, {"id": contact_id}).scalar() or 0)

    def _of(self, contact_id: UUID, number: int) -> tuple[Span, ...]:
        def build(spans: Table) -> Any:
            c = spans.c
            mine = (c.contact_id == bindparam("id", type_=c.contact_id.type)) & (
                c.number == bindparam("number")
            )
            return latest(self._tx, select(spans).where(mine).order_by(c.from_at), self._locked)

        statement = prepared(self._spans, f"of {self._locked} {self._tx.sql.database}", build)
        rows = self._tx.sql.execute(statement, {"id": contact_id, "number": number})
        return tuple(Span(row.rank, row.from_at, row.until_at) for row in rows)

    def write(self, contact_id: UUID, number: int, spans: Sequence[Span], settings: TierSettings) -> None:
        """Insert the spans of an evaluation."""
        rows = [
            {
                "contact_id": contact_id,
                "number": number,
                "from_at": span.from_at,
                "until_at": span.until_at,
                "rank": span.rank,
                "tier": settings.name(span.rank),
                "evaluated_at": self._tx.now,
            }
            for span in spans
        ]
        self._tx.sql.insert(self._spans, rows)

    def standing(self, contact_ids: Sequence[UUID]) -> Row | None:
        """Return the standing of the first of some ids that has one."""

        def build(standings: Table) -> Any:
            mine = standings.c.contact_id == bindparam("id", type_=standings.c.contact_id.type)
            return latest(self._tx, select(standings).where(mine), self._locked)

        statement = prepared(self._standings, f"one {self._locked} {self._tx.sql.database}", build)
        for id in contact_ids:
            row = self._tx.sql.execute(statement, {"id": id}).mappings().first()
            if row is not None:
                return dict(row)
        return None

    def stand(self, contact_ids: Sequence[UUID], mark: str, told: str, due_at: datetime) -> None:
        """Write the standing of a contact under each of its ids."""
        for id in contact_ids:
            row = {"contact_id": id, "mark": mark, "told": told, "due_at": due_at}
            if not self._tx.sql.claim(self._standings, row):
                c = self._standings.c
                changes = {"mark": mark, "told": told, "due_at": due_at}
                self._tx.sql.execute(update(self._standings).where(c.contact_id == id).values(**changes))

    def due(self, at: datetime, limit: int) -> list[UUID]:
        """Return contacts whose tier has changed by the passing of time."""

        def build(standings: Table) -> Any:
            c = standings.c
            found = select(c.contact_id).where(c.due_at <= bindparam("at", type_=c.due_at.type))
            return found.order_by(c.due_at, c.contact_id).limit(bindparam("limit"))

        statement = prepared(self._standings, "due", build)
        return list(self._tx.sql.execute(statement, {"at": at, "limit": limit}).scalars())

    def marked(self, contact_ids: Sequence[UUID], mark: str) -> set[UUID]:
        """Return those of some contacts that were evaluated under settings with this mark."""

        def build(standings: Table) -> Any:
            c = standings.c
            mine = c.contact_id.in_(bindparam("ids", expanding=True, type_=c.contact_id.type))
            return select(c.contact_id).where(mine & (c.mark == bindparam("mark")))

        statement = prepared(self._standings, "marked", build)
        return set(self._tx.sql.execute(statement, {"ids": list(contact_ids), "mark": mark}).scalars())
