"""Writing down what came of deliveries, with the events that tell it, only where the claim still stands."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs

from crmkit.delivery.cases import FAILED, Case, Pause, Verdict, put_back
from crmkit.delivery.report import Tally
from crmkit.errors import DeliveryError
from crmkit.events import LogEntry, MessageFailed, MessageSent
from crmkit.messages import DeliveryState
from crmkit.sql import outbox
from crmkit.transaction.reactions import Failure, record_failure

if TYPE_CHECKING:
    from crmkit.crm import CRM
    from crmkit.transaction import Transaction

log = logging.getLogger("crmkit.delivery")

_REASON_LIMIT = 1000
_SETTLED = FAILED | {DeliveryState.SENT}

Done = tuple[Case, Verdict]
#: Whose reactions run: None for everybody's.
Owners = Collection[str] | None


class ClaimLost(BaseException):
    """The lease was over and another worker has the delivery; a channel must not catch this and send."""


@attrs.frozen
class Written:
    """What a transaction wrote: the deliveries that were still ours, whether the hand-off stands, failures."""

    ours: Collection[UUID]
    marked: bool
    failures: tuple[Failure, ...]


class Settler:
    """Collects what came of a claim's deliveries and writes it with the next hand-off, or when told.

    Args:
        crm: the CRM.
        token: the claim.
        cases: every delivery of the claim.
        tally: counts.
    """

    def __init__(self, crm: CRM, token: UUID, cases: Iterable[Case], tally: Tally) -> None:
        self._crm = crm
        self._token = token
        self._tally = tally
        self._open = {case.status.delivery.id: case for case in cases}
        self._waiting: list[Done] = []
        self._failures: list[Failure] = []

    @property
    def open(self) -> Collection[UUID]:
        """The deliveries of which nothing is known yet."""
        return self._open.keys()

    def add(self, case: Case, verdict: Verdict) -> None:
        """Take what is to be written of a delivery."""
        self._open.pop(case.status.delivery.id, None)
        self._waiting.append((case, self._redacted(case, verdict)))

    def leave(self, case: Case) -> None:
        """Leave a delivery to the worker that has it now, or to the end of its lease."""
        self._open.pop(case.status.delivery.id, None)

    def fail(
        self, owner: str, what: str, subject: str, error: BaseException, contact_id: UUID | None = None
    ) -> None:
        """Take a failure of a plugin's code; a strict CRM raises it once everything is written.

        Args:
            owner: the plugin.
            what: what failed.
            subject: the delivery's key.
            error: the exception.
            contact_id: the contact that it was about, if that is known.
        """
        failure = Failure(owner=owner, what=what, subject=subject, error=error, contact_id=contact_id)
        if self._tally.is_new(failure):
            self._failures.append(failure)
        if self._crm.strict:
            self._tally.raise_later(error)

    def hand_off(self, ids: Sequence[UUID], until: datetime | None) -> None:
        """Mark durably that the provider may act on deliveries from here on, and write what is waiting.

        Args:
            ids: the deliveries.
            until: when their lease is to end; None if it is long enough.

        Raises:
            ClaimLost: if the lease was over and one of them is no longer this worker's.
        """
        if not self._write(ids, until):
            raise ClaimLost

    def flush(self) -> None:
        """Write what is waiting."""
        if self._waiting or self._failures:
            self._write(())

    def give_back(self, now: datetime) -> None:
        """Write what is known, and queue again what was not tried, because the worker has to stop."""
        for case in list(self._open.values()):
            self.add(case, put_back(case, now))
        self.flush()

    def _write(self, ids: Sequence[UUID], until: datetime | None = None) -> bool:
        try:
            written = self._crm.transact(lambda tx: self._together(tx, ids, until))
        except (Exception, SystemExit):
            if not self._has_reactions():
                raise
            self._write_apart()
            return self._crm.transact(lambda tx: self._mark(tx, ids, until))
        self._count(self._waiting, written)
        self._waiting, self._failures = [], []
        return written.marked

    def _together(self, tx: Transaction, ids: Sequence[UUID], until: datetime | None) -> Written:
        marked = self._mark(tx, ids, until)
        for failure in self._failures:
            record_failure(tx, failure)
        return attrs.evolve(self._settle(tx, self._waiting, None), marked=marked)

    def _mark(self, tx: Transaction, ids: Sequence[UUID], until: datetime | None) -> bool:
        return not ids or outbox.hand_off(tx.sql, ids, self._token, until)

    def _has_reactions(self) -> bool:
        events = {_event_class(verdict) for _, verdict in self._waiting if verdict.state in _SETTLED}
        return any(self._crm.registry.reactions_for(event) for event in events)

    def _write_apart(self) -> None:
        """Write each delivery by itself, and one whose reactions fail without them: what is sent stays sent."""
        while self._failures:
            self._crm.transact(lambda tx: record_failure(tx, self._failures[0]))
            self._failures.pop(0)
        while self._waiting:
            one = self._waiting[0]
            self._count([one], self._alone(one))
            self._waiting.pop(0)

    def _alone(self, one: Done) -> Written:
        try:
            return self._crm.transact(lambda tx: self._settle(tx, [one], None))
        except (Exception, SystemExit) as error:
            written = self._crm.transact(lambda tx: self._settle(tx, [one], ()))
            case, verdict = one
            what = f"reactions to {_event_class(verdict).__name__}"
            delivery = case.status.delivery
            failure = Failure(
                owner="reactions",
                what=what,
                subject=delivery.key,
                error=error,
                contact_id=delivery.contact_id,
            )
            self._crm.transact(lambda tx: record_failure(tx, failure))
            if self._crm.strict:
                self._tally.raise_later(error)
            return attrs.evolve(written, failures=(*written.failures, failure))

    def _settle(self, tx: Transaction, done: Sequence[Done], owners: Owners) -> Written:
        ours: set[UUID] = set()
        for verdict, ids in _grouped(done):
            ours.update(outbox.settle(tx.sql, ids, self._token, _values(verdict, self._token)))
        entries = [
            self._entry(tx, case, verdict)
            for case, verdict in done
            if verdict.state in _SETTLED and case.status.delivery.id in ours
        ]
        if entries:
            tx.events.append_new(entries, owners)
        alerts = [alert for pause in _pauses(done) if (alert := self._pause(tx, pause))]
        return Written(ours, True, (*tx.reactions.failures, *alerts))

    def _entry(self, tx: Transaction, case: Case, verdict: Verdict) -> LogEntry:
        delivery = case.status.delivery
        id, channel, topic = delivery.id, delivery.channel, delivery.topic
        event: MessageSent | MessageFailed
        if verdict.state is DeliveryState.SENT:
            key = f"message:{id}:sent"
            event = MessageSent(delivery_id=id, channel=channel, topic=topic, provider_id=verdict.provider_id)
        else:
            # after a replay it may fail again: each claim has its own fact
            key = f"message:{id}:failed:{self._token}"
            event = MessageFailed(
                delivery_id=id, channel=channel, topic=topic, state=verdict.state.value, reason=verdict.reason
            )
        return tx.events.entry(event, key=key, contact_id=delivery.contact_id, subject_id=id)

    def _pause(self, tx: Transaction, pause: Pause) -> Failure | None:
        row = attrs.asdict(pause, filter=lambda field, _: field.name != "alert")
        if not outbox.write_pause(tx.sql, row, tx.now) or not pause.alert:
            return None
        owner = self._crm.registry.channels[pause.channel].owner
        what = f"channel {pause.channel}, paused until {pause.until.isoformat()}"
        alert = Failure(owner=owner, what=what, subject="the account", error=DeliveryError(pause.reason))
        record_failure(tx, alert)
        return alert

    def _count(self, done: Iterable[Done], written: Written) -> None:
        for case, verdict in done:
            if case.status.delivery.id in written.ours:
                self._tally.settled(verdict.state)
            else:
                log.warning(
                    "delivery %s has another worker now; what it came to here is dropped",
                    case.status.delivery.id,
                )
        for failure in written.failures:
            self._tally.is_new(failure)

    def _redacted(self, case: Case, verdict: Verdict) -> Verdict:
        if not verdict.reason:
            return verdict
        reason = self._crm.redact(verdict.reason).replace("\x00", "").encode(errors="replace").decode()
        address = case.status.delivery.address
        if address:
            # providers repeat the address, and the event that holds the reason outlives an erasure
            reason = reason.replace(address, "<the address>")
        pause = verdict.pause and attrs.evolve(verdict.pause, reason=reason[:_REASON_LIMIT])
        return attrs.evolve(verdict, reason=reason[:_REASON_LIMIT], pause=pause)


def _event_class(verdict: Verdict) -> type[MessageSent | MessageFailed]:
    return MessageSent if verdict.state is DeliveryState.SENT else MessageFailed


def _grouped(done: Sequence[Done]) -> Iterable[tuple[Verdict, list[UUID]]]:
    groups: dict[Verdict, list[UUID]] = {}
    for case, verdict in done:
        groups.setdefault(verdict, []).append(case.status.delivery.id)
    return groups.items()


def _values(verdict: Verdict, token: UUID) -> dict[str, Any]:
    values = {
        "state": verdict.state,
        "due_at": verdict.due_at,
        "reason": verdict.reason,
        "provider_id": verdict.provider_id,
        # a claim that stands in a row that waits is one that its worker lost
        "claim": token if verdict.state in _SETTLED else None,
    }
    return values if verdict.attempt is None else {**values, "attempt": max(verdict.attempt, 0)}


def _pauses(done: Iterable[Done]) -> Iterable[Pause]:
    return dict.fromkeys(verdict.pause for _, verdict in done if verdict.pause is not None)
