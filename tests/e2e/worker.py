"""A worker process for the crash tests: drains an outbox over real SMTP, and dies where it is told to.

Run in a process of its own (`multiprocessing`, forked from a clean server that has imported this module).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import crmkit.delivery.claim
import crmkit.delivery.settle
import crmkit.sql.outbox as outbox
from crmkit import CRM
from crmkit.clock import system_clock
from crmkit.delivery.claim import Claimer
from crmkit.delivery.settle import Settler
from crmkit_email import EmailPlugin, EmailSettings
from crmkit_email.smtp import SmtpSender

LEASE = timedelta(seconds=5)

#: Where a worker can be killed: the function, and whether on entering it or on leaving it.
STEPS: dict[str, tuple[Any, str, str]] = {
    "claim not committed": (outbox, "claim", "leaving"),
    "claim committed": (Claimer, "next", "leaving"),
    "before the hand-off": (Settler, "hand_off", "entering"),
    "hand-off not committed": (outbox, "hand_off", "leaving"),
    "hand-off committed": (Settler, "hand_off", "leaving"),
    "sent": (SmtpSender, "send", "leaving"),
    "settlement not committed": (outbox, "settle", "leaving"),
    "settlement committed": (Settler, "flush", "leaving"),
}


def crm_at(url: str, prefix: str, port: int, clock: Callable[[], datetime] = system_clock) -> CRM:
    """Return a CRM that sends mail to the server at a port of this machine."""
    settings = EmailSettings(
        host="127.0.0.1", port=port, security="none", sender="Shop <shop@x.example>", thank_you=False
    )
    return CRM(url, plugins=[EmailPlugin(settings)], clock=clock, prefix=prefix)


def drain(url: str, prefix: str, port: int, step: str = "", times: int = 1, ahead: timedelta = timedelta(0)) -> None:
    """Send what is due until nothing is.

    Args:
        url: the database.
        prefix: of the tables.
        port: of the SMTP server.
        step: where to be killed, one of `STEPS`, or nowhere.
        times: the how manieth time this step is reached.
        ahead: how far this worker's clock is ahead, so that a dead worker's lease is over.
    """
    crm = crm_at(url, prefix, port, lambda: system_clock() + ahead)
    if step:
        _die_at(step, times)
    while crm.run_due(lease=LEASE).sent:
        pass
    crm.engine.dispose()


def _die_at(step: str, times: int) -> None:
    owner, name, when = STEPS[step]
    original, reached = getattr(owner, name), [0]

    def wrapper(*arguments: Any, **named: Any) -> Any:
        reached[0] += 1
        if when == "entering" and reached[0] == times:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*arguments, **named)
        if when == "leaving" and reached[0] == times:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, wrapper)


def drain_together(url: str, prefix: str, port: int, start: Any, sent: Any) -> None:
    """Send what is due as soon as all workers stand ready, and tell how many this one sent."""
    crm = crm_at(url, prefix, port)
    start.wait()
    count = 0
    while report := crm.run_due(limit=100).sent:
        count += report
    sent.put(count)
    crm.engine.dispose()
