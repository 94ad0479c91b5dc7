"""Reactions: what plugins do inside the transaction when an event is appended."""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

import attrs

from crmkit.errors import ReactionOverflow, TransactionError
from crmkit.events import LogEntry
from crmkit.hookspecs import Reaction
from crmkit.rewards import Decision, Owned

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction


@attrs.frozen(kw_only=True)
class Failure:
    """A plugin's code that failed alone, while everything else went on.

    Args:
        owner: the plugin.
        what: the reaction, rule, receiver or job that failed.
        subject: the key of what it was about.
        error: the exception.
        contact_id: the contact that it was about, if that is known.
    """

    owner: str
    what: str
    subject: str
    error: BaseException = attrs.field(eq=False)
    contact_id: UUID | None = attrs.field(default=None, eq=False)


class Reactions:
    """Runs reactions breadth-first: those of an event before those of the events that they append.

    Args:
        tx: the transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._queue: deque[tuple[LogEntry, Collection[str] | None]] = deque()
        self._running = False
        self._caused = 0
        self._only: Collection[str] | None = None
        self.failures: list[Failure] = []

    @contextmanager
    def only(self, owners: Collection[str]) -> Iterator[None]:
        """Run in the block the reactions of these plugins alone, where nothing else is said.

        Args:
            owners: names of plugins; none for no reaction at all.
        """
        before, self._only = self._only, owners
        try:
            yield
        finally:
            self._only = before

    def after(self, entries: Sequence[LogEntry], owners: Collection[str] | None = None) -> None:
        """Run the reactions to entries just appended, unless the caller is itself a reaction.

        Args:
            entries: in the order in which they were appended.
            owners: the plugins whose reactions run; None for all.

        Raises:
            ReactionOverflow: if reactions append more events than the settings allow.
        """
        owners = self._only if owners is None else owners
        registry = self._tx.crm.registry
        reacting = [(entry, owners) for entry in entries if registry.reactions_for(type(entry.event))]
        if self._running:
            self._caused += len(entries)
            self._queue.extend(reacting)
            if self._caused > self._tx.crm.settings.max_reactions:
                raise ReactionOverflow(self._chain())
            return
        self._running = True
        try:
            self._queue.extend(reacting)
            while self._queue:
                self._react(*self._queue.popleft())
        except BaseException:
            self.failures.clear()  # they are undone with everything else
            raise
        finally:
            self._running = False
            self._queue.clear()
            self._caused = 0

    def _react(self, entry: LogEntry, owners: Collection[str] | None) -> None:
        for owned in self._tx.crm.registry.reactions_for(type(entry.event)):
            if owners is None or owned.owner in owners:
                self._run(owned, entry)

    def _run(self, owned: Owned[Reaction], entry: LogEntry) -> None:
        if owned.value.essential:
            owned.value.function(self._tx, entry)
            self._tx.sql.check()
            return
        waiting = len(self._queue)
        try:
            with self._tx.sql.isolated():
                owned.value.function(self._tx, entry)
        except (TransactionError, ReactionOverflow):
            raise
        except (Exception, SystemExit) as error:
            while len(self._queue) > waiting:
                self._queue.pop()
            function = owned.value.function
            what = getattr(function, "__qualname__", repr(function))
            self.fail(owned.owner, what, entry.key, error, entry.contact_id)

    def fail(
        self, owner: str, what: str, subject: str, error: BaseException, contact_id: UUID | None = None
    ) -> None:
        """Record that a plugin's code failed; in a strict CRM, raise its error instead."""
        if self._tx.crm.strict:
            raise error
        failure = Failure(owner=owner, what=what, subject=subject, error=error, contact_id=contact_id)
        self.failures.append(failure)
        record_failure(self._tx, failure)

    def failed(self, decision: Decision, subject: str, contact_id: UUID | None) -> tuple[Failure, ...]:
        """Record which rules and vetoes failed in a decision; return all failures since they were last told.

        Args:
            decision: what was decided.
            subject: the key of what it was about.
            contact_id: to whom it happened.
        """
        self.fail_all(decision, subject, contact_id)
        return self.told()

    def fail_all(self, decision: Decision, subject: str, contact_id: UUID | None) -> None:
        """Record which rules and vetoes failed in a decision; arguments as for `failed`."""
        for failure in decision.failures:
            self.fail(failure.owner, failure.rule, subject, failure.error, contact_id)

    def told(self) -> tuple[Failure, ...]:
        """Return the failures since they were last told."""
        found = tuple(self.failures)
        self.failures.clear()
        return found

    def _chain(self) -> str:
        chain = " -> ".join(f"{entry.type} ({entry.actor})" for entry, _ in list(self._queue)[-8:])
        limit = self._tx.crm.settings.max_reactions
        return f"reactions appended more than {limit} events in one transaction; the last of them: {chain}"


def record_failure(tx: Transaction, failure: Failure) -> None:
    """Write a failure down where `crm.failures()` and operators find it, without secrets."""
    error = "".join(traceback.format_exception_only(failure.error)).strip()
    error = error.replace("\x00", "").encode(errors="replace").decode()
    row = {
        "id": tx.new_id(),
        "at": tx.now,
        "owner": failure.owner[:100],
        "what": failure.what[:200],
        "subject": failure.subject[:255],
        "contact_id": failure.contact_id,
        "error": tx.crm.redact(error)[:2000],
    }
    tx.sql.insert(tx.sql.tables["failures"], [row])
