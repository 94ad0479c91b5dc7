"""The event log in SQL: appended to, numbered once committed, read by position or by contact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from os import urandom
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, bindparam, or_, select, update

from crmkit import codec
from crmkit.errors import RetryTransaction
from crmkit.events import Event, LogEntry
from crmkit.merkle import commitment
from crmkit.sql.connection import Sql
from crmkit.sql.types import Written, write_json

CURSOR = "events"


def insert_entries(sql: Sql, entries: Sequence[LogEntry]) -> None:
    """Write entries whose keys are known to be new."""
    rows, personal = _rows(entries)
    sql.insert(sql.tables["events"], rows)
    sql.insert(sql.tables["event_personal"], personal)


def claim_entry(sql: Sql, entry: LogEntry) -> bool:
    """Write an entry unless its key is taken; say whether it was written."""
    rows, personal = _rows([entry])
    if not sql.claim(sql.tables["events"], rows[0]):
        return False
    sql.insert(sql.tables["event_personal"], personal)
    return True


def _rows(entries: Sequence[LogEntry]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    rows, private = [], []
    for entry in entries:
        data, personal = codec.dump(entry.event)
        digest = ""
        if personal:
            salt, text = urandom(16).hex(), write_json(personal)
            digest = commitment(salt, text or "")
            private.append({"event_id": entry.id, "data": Written(text), "salt": salt})
        rows.append(
            {
                "id": entry.id,
                "type": entry.type,
                "version": entry.event.version,
                "key": entry.key,
                "contact_id": entry.contact_id,
                "subject_id": entry.subject_id,
                "actor": entry.actor,
                "cause_id": entry.cause_id,
                "occurred_at": entry.occurred_at,
                "recorded_at": entry.recorded_at,
                "data": data,
                "digest": digest,
            }
        )
    return rows, private


class EventLog:
    """Reads the log.

    Args:
        sql: the transaction's connection.
        types: event classes by name; others read as `UnknownEvent`.
    """

    def __init__(self, sql: Sql, types: Mapping[str, type[Event]]) -> None:
        self._sql = sql
        self._types = types
        self._events = sql.tables["events"]
        self._personal = sql.tables["event_personal"]

    def by_key(self, key: str, *, locked: bool = False) -> LogEntry | None:
        """Return the entry with that key; `locked` reads past the transaction's snapshot."""
        statement = self._select().where(self._events.c.key == key)
        return self._one(self._locked(statement) if locked else statement)

    def claimed(self, key: str) -> LogEntry:
        """Return the entry that somebody else wrote under a key.

        Raises:
            RetryTransaction: if this transaction's isolation level hides it.
        """
        found = self.by_key(key, locked=True)
        if found is None:
            raise RetryTransaction(f"key {key!r} was written by a transaction that this one cannot see yet")
        return found

    def by_id(self, id: UUID, *, locked: bool = False) -> LogEntry | None:
        """Return the entry with that id; `locked` reads past the transaction's snapshot."""
        statement = self._select().where(self._events.c.id == id)
        return self._one(self._locked(statement) if locked else statement)

    def of_subject(self, subject_id: UUID, *, locked: bool = False) -> list[LogEntry]:
        """Return every entry about an order or other thing, oldest first."""
        statement = self._select().where(self._events.c.subject_id == subject_id).order_by(self._events.c.id)
        return self._all(self._locked(statement) if locked else statement)

    def timeline(
        self,
        contact_ids: Sequence[UUID],
        limit: int,
        before: tuple[datetime, UUID] | None,
        types: Sequence[str] = (),
    ) -> list[LogEntry]:
        """Return a contact's latest entries, of these types or all, newest first, from just before (instant, id) on."""
        c = self._events.c
        clause = c.contact_id == contact_ids[0] if len(contact_ids) == 1 else c.contact_id.in_(contact_ids)
        statement = self._select().where(clause)
        if types:
            statement = statement.where(c.type.in_(types))
        if before is not None:
            at, id = before
            statement = statement.where(or_(c.occurred_at < at, and_(c.occurred_at == at, c.id < id)))
        return self._all(statement.order_by(c.occurred_at.desc(), c.id.desc()).limit(limit))

    def since(self, position: int, limit: int) -> list[LogEntry]:
        """Return committed entries after a position, in the order of positions."""
        c = self._events.c
        return self._all(self._select().where(c.position > position).order_by(c.position).limit(limit))

    def _select(self) -> Select[Any]:
        joined = self._events.outerjoin(self._personal, self._personal.c.event_id == self._events.c.id)
        return select(self._events, self._personal.c.data.label("personal")).select_from(joined)

    def _locked(self, statement: Select[Any]) -> Select[Any]:
        if self._sql.database == "postgresql":
            return statement.with_for_update(read=True, of=self._events)
        return statement.with_for_update(read=True)

    def _one(self, statement: Select[Any]) -> LogEntry | None:
        row = self._sql.execute(statement).first()
        return None if row is None else self._entry(row)

    def _all(self, statement: Select[Any]) -> list[LogEntry]:
        return [self._entry(row) for row in self._sql.execute(statement)]

    def _entry(self, row: Any) -> LogEntry:
        return LogEntry(
            id=row.id,
            event=codec.load(self._types, row.type, row.version, row.data, row.personal or {}),
            key=row.key,
            contact_id=row.contact_id,
            subject_id=row.subject_id,
            actor=row.actor,
            cause_id=row.cause_id,
            occurred_at=row.occurred_at,
            recorded_at=row.recorded_at,
            position=row.position,
            erased=row.personal is None and row.digest != "",
        )


def number_events(sql: Sql, limit: int) -> int:
    """Give committed events that have none the next positions, without gaps; return how many.

    Whoever holds the cursor's row numbers; the lock comes before the look, so that a transaction that
    committed while another numberer was at work is seen.

    Args:
        sql: a transaction of its own.
        limit: at most how many events.
    """
    events, cursors = sql.tables["events"], sql.tables["cursors"]
    held = select(cursors.c.position).where(cursors.c.name == CURSOR).with_for_update()
    last: int = sql.execute(held).scalar_one()
    waiting = select(events.c.id).where(events.c.position.is_(None)).order_by(events.c.id).limit(limit)
    ids = list(sql.execute(waiting).scalars())
    if not ids:
        return 0
    sql.execute(
        update(events).where(events.c.id == bindparam("b_id")).values(position=bindparam("b_position")),
        [{"b_id": id, "b_position": last + offset} for offset, id in enumerate(ids, 1)],
    )
    sql.execute(update(cursors).where(cursors.c.name == CURSOR).values(position=last + len(ids)))
    return len(ids)
