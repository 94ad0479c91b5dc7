"""One run: number, relay, jobs, deliveries; what fails in one step is told after the others have had their turn."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from crmkit.delivery.cases import Case
from crmkit.delivery.claim import Claim, Claimer
from crmkit.delivery.jobs import run_jobs
from crmkit.delivery.prepare import rendered_delivery
from crmkit.delivery.relay import relay_events
from crmkit.delivery.report import Report, Tally
from crmkit.delivery.sending import Sending
from crmkit.delivery.settle import Settler
from crmkit.delivery.stages import follow_stages
from crmkit.delivery.upkeep import core_jobs
from crmkit.errors import ValueRefused
from crmkit.messages import Delivery
from crmkit.sql.events import number_events
from crmkit.sql.schema import PLACE, read_stamp, same_secret
from crmkit.text import clean

if TYPE_CHECKING:
    from crmkit.crm import CRM
    from crmkit.transaction import Transaction

log = logging.getLogger("crmkit.delivery")

_NUMBERED_AT_ONCE = 1000


def run_due(crm: CRM, *, relay: str, limit: int, lease: timedelta) -> Report:
    """Number committed events, relay them to signals, run jobs and send deliveries, as far as each is due.

    Args:
        crm: the CRM.
        relay: the name under which this process follows the log.
        limit: at most how many deliveries are worked on.
        lease: how long a claim holds if this process dies.

    Raises:
        ValueRefused: if an argument is wrong; nothing is done then.
        Exception: the first error of the database, or in a strict CRM of a plugin, after every step was tried.
    """
    _check(relay, limit, lease)
    tally = Tally()
    steps: Sequence[tuple[str, Callable[[], None]]] = (
        ("numbering events", lambda: _number(crm, tally)),
        ("deriving stages", lambda: _stages(crm, lease, tally)),
        ("relaying signals", lambda: relay_events(crm, relay, lease, tally)),
        ("running jobs", lambda: run_jobs(crm, lease, tally, crm.registry.jobs)),
        ("the core's own jobs", lambda: run_jobs(crm, lease, tally, core_jobs(crm), counted=False)),
        ("sending deliveries", lambda: _deliver(crm, limit, lease, tally)),
    )
    for name, step in steps:
        try:
            step()
        except Exception as error:
            log.exception("%s failed", name)
            tally.raise_later(error)
    if tally.error is not None:
        raise tally.error
    return tally.report()


def _check(relay: Any, limit: Any, lease: Any) -> None:
    clean(relay, "relay", limit=80, empty=False)
    if type(limit) is not int or limit < 0:
        raise ValueRefused(f"limit is {limit!r}; it must be a whole number from 0 on")
    if not isinstance(lease, timedelta) or lease <= timedelta(0):
        raise ValueRefused(f"lease is {lease!r}; it must be a positive timedelta")


def number(crm: CRM) -> int:
    """Give committed events that have none their positions; return how many."""
    total, numbered = 0, _NUMBERED_AT_ONCE
    while numbered == _NUMBERED_AT_ONCE:
        numbered = crm.transact(lambda tx: number_events(tx.sql, _NUMBERED_AT_ONCE))
        total += numbered
    return total


def _number(crm: CRM, tally: Tally) -> None:
    tally.counts["numbered"] += number(crm)


def _stages(crm: CRM, lease: timedelta, tally: Tally) -> None:
    if follow_stages(crm, lease):
        _number(crm, tally)  # so that signals tell of the changes in this run


def _deliver(crm: CRM, limit: int, lease: timedelta, tally: Tally) -> None:
    claimer = Claimer(crm, lease, _hold(crm))
    left = limit
    while left > 0 and (claim := claimer.next(left)) is not None:
        left -= claim.size
        tally.counts["deferred"] += claim.postponed
        _work(crm, claim, lease, tally)


def _work(crm: CRM, claim: Claim, lease: timedelta, tally: Tally) -> None:
    cases = [*claim.tried, *(case for case, _ in claim.decided)]
    settler = Settler(crm, claim.token, cases, tally)
    try:
        for case, verdict in claim.decided:
            _log_unsent(crm, case)
            settler.add(case, verdict)
        for channel, theirs in _by_channel(claim.tried).items():
            Sending(crm, crm.registry.channels[channel], claim, settler, lease).run(theirs)
        settler.flush()
    except (Exception, KeyboardInterrupt) as error:
        try:
            settler.give_back(crm.clock())
        except Exception as second:
            error.add_note(f"giving back what was not tried failed as well: {second}")
        raise


def _by_channel(cases: Sequence[Case]) -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = {}
    for case in cases:
        found.setdefault(case.status.delivery.channel, []).append(case)
    return found


def _hold(crm: CRM) -> str:
    """Return why nothing is to be sent from here, or empty text."""
    if crm.deliver != "send":
        return (
            f"messages are held: the CRM was built with deliver={crm.deliver.value!r}; build it with "
            "deliver='send' and call crm.release()"
        )
    stamp, same = crm.transact(_stamps)
    if not same:
        return (
            "settings['core']['secret'] is not the one under which refusals are kept, so that nobody can tell who must "
            "not be written to; give the former one again, or call crm.adopt() to go on without, then crm.release()"
        )
    if stamp == crm.place:
        return ""
    owner = f"belongs to {stamp!r}" if stamp else "was never adopted"
    return (
        f"this database {owner} and is used from {crm.place!r}, so it may be a copy; "
        "to send from here call crm.adopt(), then crm.release()"
    )


def _stamps(tx: Transaction) -> tuple[str, bool]:
    return read_stamp(tx.sql, PLACE), same_secret(tx.sql, tx.secret_mark)


def _log_unsent(crm: CRM, case: Case) -> None:
    if crm.deliver != "log":
        return
    delivery = case.status.delivery
    rendered = rendered_delivery(crm, case.status)
    subject = rendered.subject if isinstance(rendered, Delivery) else rendered.reason
    log.info("not sent: %s to %s: %s", delivery.channel, delivery.address, subject)
