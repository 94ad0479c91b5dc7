"""Periodic work: each job runs in one process at a time, and one that fails is tried again sooner."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from crmkit.delivery.cases import Policy, backoff
from crmkit.delivery.report import Tally
from crmkit.hookspecs import Job
from crmkit.rewards import Owned
from crmkit.sql.relay import Cursor, add_cursor, move_cursor, read_cursors, set_cursor, take_cursor
from crmkit.transaction.reactions import Failure, record_failure

if TYPE_CHECKING:
    from crmkit.crm import CRM
    from crmkit.transaction import Transaction


def run_jobs(
    crm: CRM, lease: timedelta, tally: Tally, jobs: Sequence[Owned[Job]], *, counted: bool = True
) -> None:
    """Run the jobs that are due; a job that was never run is due at once.

    A job's row among the cursors holds how often it ran and when it is due again. While it runs that is the
    end of its lease, the longer of `lease` and its period: one that takes longer may be started elsewhere.

    Args:
        crm: the CRM.
        lease: after how long at least another process runs a job whose process died.
        tally: counts.
        jobs: which.
        counted: whether the tally counts them.
    """
    named = {_name(owned): owned for owned in jobs}
    if not named:
        return
    cursors = crm.transact(lambda tx: _cursors(tx, list(named)))
    for name, owned in named.items():
        if cursors[name].lease_until <= crm.clock() and _run(crm, name, owned, lease, tally):
            tally.counts["jobs"] += counted


def _name(owned: Owned[Job]) -> str:
    name = f"job:{owned.owner}.{owned.value.name}"
    if len(name) < 100:
        return name
    from hashlib import sha256

    return f"{name[:60]}~{sha256(name.encode()).hexdigest()[:32]}"


def _cursors(tx: Transaction, names: list[str]) -> dict[str, Cursor]:
    found = read_cursors(tx.sql, names)
    for name in names:
        if name not in found:
            add_cursor(tx.sql, name, 0, tx.now)
            found[name] = Cursor(name=name, position=0, lease_until=tx.now)
    return found


def _run(crm: CRM, name: str, owned: Owned[Job], lease: timedelta, tally: Tally) -> bool:
    began, holder = crm.clock(), crm.new_id()
    until = began + max(lease, owned.value.every)
    if not crm.transact(lambda tx: take_cursor(tx.sql, name, began, until, holder)):
        return False
    try:
        owned.value.function(crm)
    except (Exception, SystemExit) as error:
        failure = Failure(owner=owned.owner, what=f"job {owned.value.name}", subject=name, error=error)
        tally.is_new(failure)
        if crm.strict:
            tally.raise_later(error)
        crm.transact(lambda tx: _failed(tx, name, holder, owned.value, failure))
        return True
    crm.transact(lambda tx: _ended(tx, name, holder, began + owned.value.every))
    return True


def _ended(tx: Transaction, name: str, holder: UUID, due: datetime) -> None:
    _move(tx, name, holder, due)
    set_cursor(tx.sql, _failing(name), 0)


def _failed(tx: Transaction, name: str, holder: UUID, job: Job, failure: Failure) -> None:
    failures = read_cursors(tx.sql, [_failing(name)]).get(_failing(name))
    times = 1 + (failures.position if failures else 0)
    wait = backoff(Policy.of(tx.crm.settings), times, random.random())
    _move(tx, name, holder, tx.now + min(wait, job.every))
    set_cursor(tx.sql, _failing(name), times)
    record_failure(tx, failure)


def _failing(name: str) -> str:
    """Return the name of the cursor that counts how often a job has failed since it last ran well."""
    return f"!{name}"[:100]


def _move(tx: Transaction, name: str, holder: UUID, due: datetime) -> None:
    runs = read_cursors(tx.sql, [name])[name].position + 1
    move_cursor(tx.sql, name, holder, runs, due)
