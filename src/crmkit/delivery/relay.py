"""Relaying committed events to the receivers of signals, at least once for each relay's name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import attrs

from crmkit.delivery.report import Tally
from crmkit.events import LogEntry
from crmkit.sql.relay import add_cursor, last_position, move_cursor, read_cursors, take_cursor
from crmkit.transaction.reactions import Failure, record_failure

if TYPE_CHECKING:
    from crmkit.crm import CRM
    from crmkit.transaction import Transaction

PAGE = 500


def relay_events(crm: CRM, relay: str, lease: timedelta, tally: Tally) -> None:
    """Tell this process's receivers of the events that were committed since the relay's last place.

    The relay "default" begins with the first event there is, any other with those after its first run. The
    place is stored after each page of events, so one that dies tells the events of a page again.

    Args:
        crm: the CRM.
        relay: its name; processes that share one share the events.
        lease: after how long another process goes on where this one died.
        tally: counts.
    """
    name = f"relay:{relay}"
    taken = crm.transact(lambda tx: _take(tx, name, lease))
    if taken is not None:
        _Relay(crm, name, taken, lease, tally).run()


@attrs.frozen
class _Taken:
    """A relay's place in the log, where the log ends, and the token by which the place is held."""

    position: int
    end: int
    holder: UUID


def _take(tx: Transaction, name: str, lease: timedelta) -> _Taken | None:
    end = last_position(tx.sql)
    cursor = read_cursors(tx.sql, [name]).get(name)
    if cursor is None:
        add_cursor(tx.sql, name, 0 if name == "relay:default" else end, tx.now)
    holder = tx.new_id()
    if (cursor and cursor.position >= end) or not take_cursor(tx.sql, name, tx.now, tx.now + lease, holder):
        return None
    # only now is it certain that nobody else moves it
    return _Taken(read_cursors(tx.sql, [name])[name].position, end, holder)


class _Relay:
    def __init__(self, crm: CRM, name: str, taken: _Taken, lease: timedelta, tally: Tally) -> None:
        self._crm = crm
        self._name = name
        self._taken = taken
        self._lease = lease
        self._tally = tally
        self._failures: list[Failure] = []

    def run(self) -> None:
        position, end = self._taken.position, self._taken.end
        if not any(signal.receivers for signal in self._crm.signals.namespace.values()):
            position = end
        while position < end:
            reached = self._tell(self._page(position, min(PAGE, end - position)))
            if reached is None:
                return  # the receivers took longer than the lease, and another process goes on
            position = reached
        self._store(max(position, end), timedelta(0))

    def _page(self, position: int, limit: int) -> Sequence[LogEntry]:
        return self._crm.transact(lambda tx: tx.events.since(position, limit=limit))

    def _tell(self, entries: Sequence[LogEntry]) -> int | None:
        stale_at = self._stale_at()
        for entry in entries:
            for failed in self._crm.signals.send(entry):
                self._failed(failed.receiver, entry, failed.error)
            self._tally.counts["relayed"] += 1
            if entry is entries[-1] or self._crm.clock() >= stale_at:
                if not self._store(entry.position or 0, self._lease):
                    return None
                stale_at = self._stale_at()
        return entries[-1].position if entries else self._taken.end

    def _stale_at(self) -> datetime:
        return self._crm.clock() + self._lease / 4

    def _failed(self, receiver: str, entry: LogEntry, error: BaseException) -> None:
        failure = Failure(
            owner="signals", what=receiver, subject=entry.key, error=error, contact_id=entry.contact_id
        )
        if self._tally.is_new(failure):
            self._failures.append(failure)
        if self._crm.strict:
            self._tally.raise_later(error)

    def _store(self, position: int, lease: timedelta) -> bool:
        def write(tx: Transaction) -> bool:
            for failure in self._failures:
                record_failure(tx, failure)
            return move_cursor(tx.sql, self._name, self._taken.holder, position, tx.now + lease)

        stored = self._crm.transact(write)
        self._failures = []
        return stored
