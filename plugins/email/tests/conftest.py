"""What the tests of the email plugin share: a delivery, a context that watches the hand-off, a server."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import attrs
import pytest

from crmkit import Delivery, SendContext
from crmkit_email import EmailSettings
from crmkit_email.testing import SmtpServer

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@attrs.define
class Watch:
    """A context whose hand-offs are counted and can be made to fail.

    Args:
        server: the server to look at.
        seconds: how long a send may take.
        crash: what the next hand-off raises.
        at_handoff: how many mails the server had at each hand-off, and the last command that it got.
    """

    server: SmtpServer
    seconds: float = 10
    crash: BaseException | None = None
    at_handoff: list[tuple[int, str]] = attrs.field(factory=list)

    @property
    def ctx(self) -> SendContext:
        """A new context, as the core makes for each send."""
        start = datetime.now(UTC)
        return SendContext(
            deadline=NOW + timedelta(seconds=self.seconds),
            now=lambda: NOW + (datetime.now(UTC) - start),
            handoff=self._handoff,
        )

    def _handoff(self) -> None:
        last = self.server.commands[-1] if self.server.commands else ""
        self.at_handoff.append((len(self.server.received), last))
        if self.crash:
            raise self.crash


@pytest.fixture(scope="session")
def delivery() -> Callable[..., Delivery]:
    """Makes deliveries, each with its own id."""
    numbers = itertools.count(1)

    def make(address: str = "anna@example.org", **changes: Any) -> Delivery:
        number = next(numbers)
        given: dict[str, Any] = {
            "id": UUID(int=number), "key": f"k{number}", "channel": "email", "topic": "thank-you",
            "subject": "Thank you", "text": "Thank you for your order.\n", "queued_at": NOW,
        }  # fmt: skip
        return Delivery(**(given | {"address": address} | changes))

    return make


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    """A server that takes every mail until it is told otherwise."""
    with SmtpServer() as running:
        yield running


@pytest.fixture
def watch(server: SmtpServer) -> Watch:
    """A context that tells what the server had seen at each hand-off."""
    return Watch(server)


@pytest.fixture(scope="session")
def make_settings() -> Callable[..., EmailSettings]:
    """Makes settings for a server on loopback."""

    def make(port: int = 25, **changes: Any) -> EmailSettings:
        given: dict[str, Any] = {
            "host": "127.0.0.1", "port": port, "security": "none", "helo": "shop.example",
            "sender": "Shop <hello@shop.example>", "timeout": 10,
        }  # fmt: skip
        return EmailSettings(**(given | changes))

    return make
