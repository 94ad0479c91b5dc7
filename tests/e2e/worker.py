"""Worker processes for the crash tests: each drains an outbox over real SMTP, and dies where it is told to.

`python worker.py` reads one JSON object of arguments to `drain` a line, forks a worker that begins with everything
imported, and answers with its exit code and how many it sent.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

from crmkit import CRM
from crmkit.clock import system_clock
from crmkit.delivery.claim import Claimer
from crmkit.delivery.settle import Settler
from crmkit.sql import outbox
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


def drain(url: str, prefix: str, port: int, step: str = "", times: int = 1, ahead: float = 0) -> int:
    """Send what is due until nothing is; return how many.

    Args:
        url: the database.
        prefix: of the tables.
        port: of the SMTP server.
        step: where to be killed, one of `STEPS`, or nowhere.
        times: the how manieth time this step is reached.
        ahead: how many seconds this worker's clock is ahead, so that a dead worker's lease is over.
    """
    crm = crm_at(url, prefix, port, lambda: system_clock() + timedelta(seconds=ahead))
    if step:
        _die_at(step, times)
    count = 0
    while sent := crm.run_due(lease=LEASE).sent:
        count += sent
    return count


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


def _fork(arguments: dict[str, Any]) -> tuple[int, int]:
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.write(writing, str(drain(**arguments)).encode())
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        sent = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), int(sent or 0)


def main() -> None:
    """Fork a worker for each line of standard input."""
    for module in ("psycopg", "pymysql", "jinja2"):
        with suppress(ImportError):
            import_module(module)
    for line in sys.stdin:
        print(json.dumps(_fork(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
