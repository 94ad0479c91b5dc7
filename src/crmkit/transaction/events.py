"""tx.events: the log."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from crmkit import codec
from crmkit.clock import ending
from crmkit.errors import KeyConflict, ValueRefused
from crmkit.events import Event, LogEntry
from crmkit.sql.events import EventLog, claim_entry, insert_entries
from crmkit.text import clean

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction


class Events:
    """Appends facts to the log and reads it.

    Args:
        tx: the transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def append(
        self,
        event: Event,
        *,
        key: str = "",
        contact_id: UUID | None = None,
        subject_id: UUID | None = None,
        cause: LogEntry | None = None,
        occurred_at: datetime | None = None,
    ) -> LogEntry:
        """Append an event and run the reactions to it; a replay returns the stored entry and runs nothing.

        Args:
            event: the fact.
            key: names this fact for ever; without one the event is new each time.
            contact_id: whom it concerns.
            subject_id: the thing it concerns.
            cause: the entry that caused it.
            occurred_at: when it happened; now by default.

        Raises:
            KeyConflict: if the key stands for another fact.
            ValueRefused: if no enabled plugin declares the event's class.
        """
        entry = self.entry(
            event, key=key, contact_id=contact_id, subject_id=subject_id, cause=cause, occurred_at=occurred_at
        )
        with self._together(type(event)):
            if not key:
                insert_entries(self._tx.sql, [entry])
            elif not claim_entry(self._tx.sql, entry):
                return self._stored(entry, dated=occurred_at is not None)
            self._tx.reactions.after([entry])
        return entry

    def append_new(self, entries: Sequence[LogEntry], owners: Collection[str] | None = None) -> None:
        """Append entries whose keys the caller has claimed elsewhere, and run the reactions to them.

        Args:
            entries: made by `entry`.
            owners: the plugins whose reactions run; None for all.
        """
        insert_entries(self._tx.sql, entries)
        self._tx.reactions.after(entries, owners)

    def entry(
        self,
        event: Event,
        *,
        key: str = "",
        contact_id: UUID | None = None,
        subject_id: UUID | None = None,
        cause: LogEntry | None = None,
        occurred_at: datetime | None = None,
    ) -> LogEntry:
        """Return the log entry of an event without writing it; arguments as for `append`."""
        name = type(event).__name__
        if self._tx.crm.registry.event_types.get(name) is not type(event):
            raise ValueRefused(
                f"event {name} is not declared; return its class from crmkit_event_types() of an enabled plugin"
            )
        id, now = self._tx.new_id(), self._tx.now
        return LogEntry(
            id=id,
            event=event,
            key=clean(key, "event key", limit=255) or f"{name}:{id}",
            contact_id=contact_id,
            subject_id=subject_id,
            actor=self._tx.actor,
            cause_id=cause.id if cause else None,
            occurred_at=now if occurred_at is None else ending(occurred_at, "occurred_at"),
            recorded_at=now,
        )

    def get(self, id: UUID, *, locked: bool = False) -> LogEntry | None:
        """Return the entry with that id, or None; `locked` reads past the transaction's snapshot."""
        return self._log.by_id(id, locked=locked)

    def by_key(self, key: str, *, locked: bool = False) -> LogEntry | None:
        """Return the entry that was appended under a key, or None; `locked` reads past the snapshot."""
        return self._log.by_key(key, locked=locked)

    def of_subject(self, subject_id: UUID, *, locked: bool = False) -> list[LogEntry]:
        """Return every entry about a thing, oldest first; `locked` reads past the transaction's snapshot."""
        return self._log.of_subject(subject_id, locked=locked)

    def timeline(
        self,
        contact_id: UUID,
        *,
        limit: int = 50,
        before: LogEntry | None = None,
        types: Sequence[str] = (),
    ) -> list[LogEntry]:
        """Return what happened with a contact, newest first.

        Args:
            contact_id: whose.
            limit: at most how many entries.
            before: the last entry of the page before.
            types: only events of these types, by name.
        """
        edge = (before.occurred_at, before.id) if before else None
        return self._log.timeline(self._tx.contacts.ids(contact_id), limit, edge, types)

    def since(self, position: int, *, limit: int = 1000) -> list[LogEntry]:
        """Return committed entries after a position, in the order of positions.

        Args:
            position: the last one already seen; 0 from the beginning.
            limit: at most how many entries.
        """
        return self._log.since(position, limit)

    def _together(self, event_type: type[Event]) -> AbstractContextManager[None]:
        """A savepoint, if more is written than the event's one row."""
        reactions = self._tx.crm.registry.reactions_for(event_type)
        if reactions or codec.personal(event_type):  # type: ignore[arg-type]
            return self._tx.sql.isolated()
        return nullcontext()

    @property
    def _log(self) -> EventLog:
        return EventLog(self._tx.sql, self._tx.crm.registry.event_types)

    def _is_one(self, one: UUID | None, other: UUID | None) -> bool:
        if one is None or other is None or one == other:
            return one == other
        return other in self._tx.contacts.ids(one)

    def _stored(self, given: LogEntry, *, dated: bool) -> LogEntry:
        stored = self._log.claimed(given.key)
        same = (
            codec.same(stored, given.event)
            and self._is_one(stored.contact_id, given.contact_id)
            and stored.subject_id == given.subject_id
            and (not dated or stored.occurred_at == given.occurred_at)
        )
        if not same:
            raise KeyConflict(given.key, stored=stored, given=given)
        return stored
