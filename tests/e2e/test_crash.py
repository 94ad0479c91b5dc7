"""A worker process killed by SIGKILL at every step between claim and settlement, before a real SMTP server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from signal import SIGKILL
from typing import Any, Self

import attrs
import pytest

from crmkit import CRM, ContactPoint, Message, Repeat
from e2e import worker

ONCE, OFTEN = Repeat.AT_MOST_ONCE, Repeat.AT_LEAST_ONCE
#: In the order in which they are sent.
MESSAGES = {"receipt1": OFTEN, "code1": ONCE, "receipt2": OFTEN, "code2": ONCE}


@attrs.frozen
class Mailbox:
    """A running SMTP server and the folder to which it writes."""

    port: int
    folder: Path

    def counts(self, domain: str) -> Counter[str]:
        """Return how many mails arrived for each local part of a domain."""
        found: Counter[str] = Counter()
        for path in self.folder.glob("*.eml"):
            to = message_from_bytes(path.read_bytes(), policy=policy.default)["To"].addresses[0]
            if to.domain == domain:
                found[to.username] += 1
        return found


@pytest.fixture(scope="module")
def mailbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailbox]:
    """A real SMTP server in a process of its own."""
    folder = tmp_path_factory.mktemp("mail")
    command = [sys.executable, "-m", "crmkit_email.testing", "--port", "0", "--maildir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield Mailbox(int(server.stdout.readline()), folder)
        finally:
            server.kill()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One database for all kill points: each has tables of its own under its prefix."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('crash') / 'crmkit.db'}"
        return
    with request.getfixturevalue("postgresql_server").database() as url:
        yield url


class Host:
    """A process that forks workers, one at a time."""

    def __enter__(self) -> Self:
        command = [sys.executable, worker.__file__ or ""]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *exception: object) -> None:
        with self._process as process:
            process.kill()

    def start(self, **arguments: Any) -> None:
        """Start a worker; arguments as for `worker.drain`."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()

    def ended(self) -> tuple[int, int]:
        """Wait for the worker's end; return its exit code, negative if a signal ended it, and how many it sent."""
        assert self._process.stdout is not None
        code, sent = json.loads(self._process.stdout.readline())
        return code, sent


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Host, Host]]:
    """Two processes that fork workers."""
    with Host() as one, Host() as other:
        yield one, other


def queue(crm: CRM, domain: str, messages: dict[str, Repeat]) -> None:
    """Queue messages, in their order."""
    crm.create_tables()
    with crm.begin() as tx:
        for who, repeat in messages.items():
            message = Message(topic="test", subject=who, text="Hello", repeat=repeat)
            tx.messages.queue(message, channel="email", key="k", to=ContactPoint.email(f"{who}@{domain}"))


def states(crm: CRM) -> dict[str, str]:
    """Return the state of each message."""
    with crm.begin() as tx:
        found = tx.messages.list(limit=1000)
    return {status.delivery.address.partition("@")[0]: status.state.value for status in found}


@pytest.mark.parametrize(
    "step, times, doubled, unknown",
    [
        ("claim not committed", 1, None, None),
        ("claim committed", 1, None, None),
        ("before the hand-off", 1, None, None),
        ("hand-off not committed", 1, None, None),
        # handed off and not sent: an at-least-once message goes out once, an at-most-once message not at all
        ("hand-off committed", 1, None, None),
        ("hand-off committed", 2, None, "code1"),
        # sent and not settled
        ("sent", 1, "receipt1", None),
        ("sent", 2, None, "code1"),
        # the answer to one is written with the hand-off of the next
        ("before the hand-off", 2, "receipt1", None),
        ("before the hand-off", 3, None, "code1"),
        ("hand-off not committed", 2, "receipt1", None),
        ("settlement not committed", 3, "receipt2", None),
        ("settlement not committed", 4, None, "code2"),
        ("settlement committed", 1, None, None),
    ],
)
def test_sigkill_loses_nothing_and_repeats_at_most_the_one_in_hand(
    step: str,
    times: int,
    doubled: str | None,
    unknown: str | None,
    shared_url: str,
    mailbox: Mailbox,
    hosts: tuple[Host, Host],
) -> None:
    """Law 17: at most one open delivery per sending thread; only an at-least-once one is repeated."""
    prefix = f"k{list(worker.STEPS).index(step)}{times}_"
    crm = worker.crm_at(shared_url, prefix, mailbox.port)
    domain = f"{prefix.rstrip('_')}.{crm.engine.name}.example"
    queue(crm, domain, MESSAGES)
    place = {"url": shared_url, "prefix": prefix, "port": mailbox.port}
    hosts[0].start(**place, step=step, times=times)
    assert hosts[0].ended() == (-SIGKILL, 0)
    hosts[0].start(**place, ahead=3600)
    assert hosts[0].ended()[0] == 0
    unsent = {unknown} if step == "hand-off committed" else set()
    expected = Counter({who: 1 for who in MESSAGES if who not in unsent}) + Counter(
        [doubled] if doubled else []
    )
    assert mailbox.counts(domain) == expected
    assert states(crm) == {who: "unknown" if who == unknown else "sent" for who in MESSAGES}
    crm.engine.dispose()


def test_two_workers_at_once_send_nothing_twice(
    database_url: str, mailbox: Mailbox, hosts: tuple[Host, Host]
) -> None:
    """Kills: a claim that does not lock; post-office without its lock file doubles all of 1,000."""
    crm = worker.crm_at(database_url, "two_", mailbox.port)
    people = {f"u{number}": (OFTEN, ONCE)[number % 2] for number in range(300)}
    domain = f"two.{crm.engine.name}.example"
    queue(crm, domain, people)
    for host in hosts:
        host.start(url=database_url, prefix="two_", port=mailbox.port)
    results = [host.ended() for host in hosts]
    assert [code for code, _ in results] == [0, 0]
    shares = [sent for _, sent in results]
    assert sum(shares) == 300 and min(shares) > 0
    assert mailbox.counts(domain) == dict.fromkeys(people, 1)
    assert set(states(crm).values()) == {"sent"}
    crm.engine.dispose()
