"""The core's own periodic work: sealing the log, finishing erasures, applying retention, refreshing segments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from crmkit.hookspecs import Job
from crmkit.rewards import Owned

if TYPE_CHECKING:
    from crmkit.crm import CRM

#: The owner of the core's jobs.
CORE = "crmkit"


def core_jobs(crm: CRM) -> Sequence[Owned[Job]]:
    """Return the core's jobs; those of which the settings ask for nothing are left out."""
    jobs = [
        Job("seal", _seal, every=crm.settings.seal_every),
        Job("finish erasures", _finish_erasures, every=timedelta(minutes=1)),
        Job("segments", _refresh_segments, every=timedelta(hours=1)),
    ]
    if crm.settings.retention:
        jobs.append(Job("retention", _apply_retention, every=timedelta(days=1)))
    return [Owned(owner=CORE, value=job) for job in jobs]


def _seal(crm: CRM) -> None:
    from crmkit.privacy.seals import seal_events  # imported when first used

    seal_events(crm)


def _refresh_segments(crm: CRM) -> None:
    from crmkit.transaction.refreshes import refresh_watched

    refresh_watched(crm)


def _finish_erasures(crm: CRM) -> None:
    from crmkit.privacy.sweep import finish_erasures

    finish_erasures(crm)


def _apply_retention(crm: CRM) -> None:
    from crmkit.privacy.retain import apply_policies

    apply_policies(crm)
