"""What one run of `crm.run_due()` came to."""

from __future__ import annotations

from collections import Counter

import attrs

from crmkit.messages import DeliveryState
from crmkit.transaction.reactions import Failure

#: What waits for another try, whether or not the last one may have had its effect.
_DEFERRED = (DeliveryState.QUEUED, DeliveryState.HANDED)


@attrs.frozen(kw_only=True)
class Report:
    """What one run of `crm.run_due()` did; deliveries are counted by what came of them.

    Args:
        numbered: committed events that were given their position.
        relayed: events that were told to the receivers of signals.
        jobs: periodic jobs that ran, failed ones included.
        sent: the provider took them.
        pending: the provider works on them.
        deferred: they wait for another try.
        rejected: they will never be taken.
        suppressed: a plugin gave a reason not to send them.
        expired: their time was over.
        held: they wait for somebody: a missing channel, a copy of production.
        unknown: nobody knows whether they were sent, and they must not be repeated.
        dead: tried too often or for too long.
        failures: what plugins' code failed at, each distinct one once; they are recorded as well.
    """

    numbered: int = 0
    relayed: int = 0
    jobs: int = 0
    sent: int = 0
    pending: int = 0
    deferred: int = 0
    rejected: int = 0
    suppressed: int = 0
    expired: int = 0
    held: int = 0
    unknown: int = 0
    dead: int = 0
    failures: tuple[Failure, ...] = ()


class Tally:
    """Counts while a run goes on, and keeps the first error that is to be raised at its end."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.failures: list[Failure] = []
        self.error: BaseException | None = None
        self._seen: set[tuple[str, ...]] = set()

    def settled(self, state: DeliveryState) -> None:
        """Count a delivery that was left in a state."""
        self.counts["deferred" if state in _DEFERRED else state.value] += 1

    def is_new(self, failure: Failure) -> bool:
        """Keep a failure and say so, unless the same code failed in the same way in this run before."""
        error = failure.error
        mark = (failure.owner, failure.what, type(error).__qualname__, str(error))
        if mark in self._seen:
            return False
        self._seen.add(mark)
        self.failures.append(failure)
        return True

    def raise_later(self, error: BaseException) -> None:
        """Keep an error to be raised at the end of the run, unless there is one already."""
        self.error = self.error or error

    def report(self) -> Report:
        """Return what was counted."""
        return Report(**self.counts, failures=tuple(self.failures))
