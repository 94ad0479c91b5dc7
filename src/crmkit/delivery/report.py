"""What one run of `crm.run_due()` came to."""

from __future__ import annotations

import attrs

from crmkit.transaction.reactions import Failure


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
        failures: what plugins' code failed at; each is recorded as well.
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
