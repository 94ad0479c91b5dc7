"""Mail over SMTP: the email plugin's channel against smtplib with ready bytes, to the same server process."""

from __future__ import annotations

import smtplib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from tempfile import TemporaryDirectory

from enqueue import contact_ids, with_contacts
from measure import Side, alternate
from places import PLACES, Place, cpu_of
from report import Options, Row
from shop import BODY

from crmkit import CRM, Delivery, Message, SendContext
from crmkit.clock import IdSource, system_clock
from crmkit_email import EmailSettings
from crmkit_email.message import build
from crmkit_email.plugin import EmailPlugin

TITLE = "mail to an SMTP server on loopback, one reused connection (text of 500 characters)"
PEOPLE = 50


@contextmanager
def server() -> Iterator[tuple[int, int]]:
    """Run the SMTP server of crmkit_email.testing in a process of its own; give its port and process id."""
    with TemporaryDirectory(prefix="crmkit-bench-") as folder:
        words = [sys.executable, "-m", "crmkit_email.testing", "--port", "0", "--maildir", folder]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                yield int(process.stdout.readline()), process.pid
            finally:
                process.kill()


def measure_alone(options: Options) -> Iterator[Row]:
    """Yield the rows of the table."""
    size = 10 if options.quick else 50
    with server() as (port, pid), PLACES["sqlite"]() as make:
        settings = EmailSettings(
            host="127.0.0.1", port=port, security="none", sender="Shop <hello@shop.example.com>"
        )
        plugin = EmailPlugin(settings)
        sides = [
            Side("smtplib.sendmail", _Bare(settings, size).run, server=lambda: cpu_of(pid), units=size),
            Side("the channel", _Channel(plugin, size).run, server=lambda: cpu_of(pid), units=size),
            _whole(make(), plugin, size, pid),
        ]
        alternate(*sides, rounds=options.rounds, turns=options.turns(10), warm_up=1)
        note = "the mail is built within the measurement; smtplib is given ready bytes"
        yield Row.of("smtp", "", "the channel alone", sides[0], sides[1], at_least=0.85, note=note)
        yield Row.of(
            "smtp", "sqlite", "crm.run_due(): claim, mark, send, settle", sides[0], sides[2], rate=True
        )


def _deliveries(size: int) -> list[Delivery]:
    ids = IdSource(system_clock)
    return [
        Delivery(
            id=ids(),
            key=f"offer:{number}",
            channel="email",
            address=f"customer.{number}@shop.example.com",
            name=f"Customer {number}",
            topic="offer",
            subject=f"Offer {number}",
            text=BODY,
            queued_at=datetime.now(UTC),
        )
        for number in range(size)
    ]


class _Bare:
    """Sends ready bytes over one connection."""

    def __init__(self, settings: EmailSettings, size: int) -> None:
        self._where = settings.host, settings.port
        self._mails = [build(delivery, settings, delivery.queued_at) for delivery in _deliveries(size)]

    def run(self) -> None:
        """Send them all."""
        with smtplib.SMTP(*self._where) as connection:
            for mail in self._mails:
                connection.sendmail(mail.sender, [mail.recipient], mail.content)


class _Channel:
    """Sends deliveries with the channel of the plugin."""

    def __init__(self, plugin: EmailPlugin, size: int) -> None:
        (self._channel,) = plugin.crmkit_channels()
        self._deliveries = _deliveries(size)

    def run(self) -> None:
        """Send them all."""
        with self._channel.open(_context()) as sender:  # type: ignore[union-attr]
            for delivery in self._deliveries:
                sender.send(delivery, _context())


def _context() -> SendContext:
    return SendContext(
        deadline=system_clock() + timedelta(seconds=60), now=system_clock, handoff=lambda: None
    )


def _whole(place: Place, plugin: EmailPlugin, size: int, pid: int) -> Side:
    crm, numbers = CRM(place.engine, plugins=[plugin]), count()
    with_contacts(crm, size)
    ids = contact_ids(crm, size)

    def prepare() -> None:
        number = next(numbers)
        message = Message(topic="offer", subject=f"Offer {number}", text=BODY)
        with crm.begin() as tx:
            tx.messages.queue_many(message, channel="email", key=f"offer:{number}", contact_ids=ids)

    def run() -> None:
        report = crm.run_due(limit=size)
        if report.sent != size:
            raise AssertionError(f"{size} were to be sent: {report}")

    return Side("run_due", run, prepare, lambda: cpu_of(pid), size)
