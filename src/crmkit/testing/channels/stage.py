"""What the author of a channel gives the suite, and how the laws send through it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import attrs

from crmkit.channels import Accepted, Channel, ChannelSpec, Outcome, Pending, SendContext
from crmkit.clock import IdSource
from crmkit.contacts import ContactPoint, PointKind
from crmkit.messages import Delivery
from crmkit.plugins import said, shown
from crmkit.testing.laws import is_written, unwritten
from crmkit.testing.suite import Suite

#: What is not exactly one address, for `bad_addresses` of a channel that writes mail.
BAD_EMAILS = (
    "",
    "nobody",
    "@example.com",
    "ann@",
    "ann@example.com, ben@example.com",
    "ann@example.com\r\nRCPT TO:<eve@example.com>",
    "ann@example.com>\r\nBcc: eve@example.com",
    f"{'a' * 400}@example.com",
)

_POINTS = {
    PointKind.EMAIL: lambda number: ContactPoint.email(f"ann{number:03}@example.com"),
    PointKind.PHONE: lambda number: ContactPoint.phone(f"+44207946{number:04}"),
    PointKind.POSTAL: lambda number: ContactPoint.postal(f"{number:03} High Street, London", "GB"),
}


class Killed(BaseException):
    """Stands for the end of the process: no channel may catch it and go on."""


@attrs.frozen(kw_only=True)
class Attempt:
    """What came of sending one delivery.

    Args:
        outcome: the answer, or None if there was none.
        error: what was raised instead, if anything.
        handoffs: for each hand-off, how much had arrived by then that was not there before.
        arrived: what arrived, text by text.
    """

    outcome: Outcome | None = None
    error: BaseException | None = None
    handoffs: tuple[int, ...] = ()
    arrived: tuple[str, ...] = ()

    @property
    def taken(self) -> bool:
        """Whether the provider took it."""
        return isinstance(self.outcome, (Accepted, Pending))

    def __str__(self) -> str:
        answer = f"it raised {said(self.error)}" if self.error else f"the answer {shown(self.outcome)}"
        return f"{answer}, {len(self.handoffs)} hand-off(s), {len(self.arrived)} effect(s)"


class Stage(Suite):
    """What an author writes, and what the laws are made of.

    Args (class attributes):
        secrets: passwords and tokens that the channel is made with; none may show anywhere.
        bad_addresses: what the channel must refuse before it touches the network.
        too_long: a text that the medium cannot take, to be refused likewise.
        can_look_up: the channel has `lookup`.
        can_send_many: the channel's senders have `send_many`.
    """

    __test__ = False

    page = "docs/reference/channel-suite.md"

    secrets: ClassVar[Sequence[str]] = ()
    bad_addresses: ClassVar[Sequence[str]] = ()
    too_long: ClassVar[str] = ""
    can_look_up: ClassVar[bool] = False
    can_send_many: ClassVar[bool] = False

    _closing: ExitStack

    def make_channel(self) -> Channel:
        """Return a new channel that talks to the test's provider; every call gives another one."""
        raise NotImplementedError(
            f"{type(self).__name__} needs make_channel(self), which returns a new channel"
        )

    def make_provider(self) -> AbstractContextManager[Any]:
        """Return a context manager around each test; what it gives is `self.provider`."""
        return nullcontext()

    @unwritten
    def received(self) -> Sequence[str]:
        """Return what has arrived at the provider, one text an effect, each holding the address."""
        raise NotImplementedError

    @unwritten
    def attempts(self) -> int:
        """Return how often the provider has been asked to send, whatever it answered."""
        raise NotImplementedError

    @unwritten
    def refuse(self) -> None:
        """Let the provider refuse the next delivery for good."""

    @unwritten
    def throttle(self) -> timedelta | None:
        """Let the provider refuse the next delivery for now; return the wait that it asks for, or None."""
        return None

    @unwritten
    def drop_before(self) -> None:
        """Let the provider hang up on the next delivery before it can have an effect."""

    @unwritten
    def drop_after(self) -> None:
        """Let the provider act on the next delivery and hang up without an answer."""

    @unwritten
    def expire_login(self) -> None:
        """Let the provider no longer accept the credentials."""

    @cached_property
    def provider(self) -> Any:
        """What the context manager of `make_provider` gave; entered when it is first asked for."""
        # not before the test: fixtures of the subclass have run by now, whatever their order
        return self._closing.enter_context(self.make_provider())

    @cached_property
    def spec(self) -> ChannelSpec:
        """The channel's spec."""
        return self.make_channel().spec

    def point(self, number: int) -> ContactPoint:
        """Return a contact point that the channel can write to, another one for each number from 1 on."""
        if self.spec.address_kind is PointKind.HANDLE:
            return ContactPoint.handle(self.spec.scope or "network", f"ann{number:03}")
        if self.spec.address_kind is PointKind.EXTERNAL:
            return ContactPoint.external(self.spec.scope or "system", f"{number:06}")
        return _POINTS[self.spec.address_kind](number)

    def delivery(self, number: int = 1, **changes: Any) -> Delivery:
        """Return a delivery to point `number`.

        Args:
            number: from 1 on; equal numbers share the address and nothing else.
            changes: fields of the delivery that are to be otherwise.
        """
        given: dict[str, Any] = {
            "id": self._ids(),
            "channel": self.spec.name,
            "address": self.point(number).value,
            "topic": "thank-you",
            "name": "Ann Example",
            "subject": "Thank you",
            "text": "Thank you for your order.\n",
            "attempt": 1,
            "queued_at": self.clock(),
        }
        given |= changes
        return Delivery(key=f"key-{given['id']}", **given)

    @contextmanager
    def sender(self, channel: Channel | None = None) -> Iterator[Any]:
        """Open a channel and give its sender.

        Args:
            channel: by default a new one.
        """
        made = channel or self.make_channel()
        if not hasattr(made, "open"):
            yield made
            return
        with made.open(self.context(self._handed_off_nothing)) as sender:
            yield sender

    def context(self, handoff: Any) -> SendContext:
        """Return what a worker would lend for one send, on the suite's clock."""
        return SendContext(deadline=self.clock() + self.spec.timeout, now=self.clock, handoff=handoff)

    def attempt(self, sender: Any, delivery: Delivery, *, crash: BaseException | None = None) -> Attempt:
        """Send one delivery and return everything that was seen of it, exceptions included.

        Args:
            sender: what `sender()` gave.
            delivery: what to send.
            crash: what the hand-off raises.
        """
        before, handoffs = self._count(), []
        outcome, error = None, None

        def handoff() -> None:
            handoffs.append(self._count() - before)
            if crash:
                raise crash

        try:
            outcome = sender.send(delivery, self.context(handoff))
        except (Exception, Killed, SystemExit) as raised:
            error = raised
        arrived = tuple(self._arrived()[before:])
        return Attempt(outcome=outcome, error=error, handoffs=tuple(handoffs), arrived=arrived)

    def send(self, delivery: Delivery, **options: Any) -> Attempt:
        """Send one delivery through a new channel; as `attempt`."""
        with self.sender() as sender:
            return self.attempt(sender, delivery, **options)

    @contextmanager
    def staged(self, folder: Path) -> Iterator[None]:
        """Give the test its provider when it is first asked for, and close it afterwards."""
        with super().staged(folder), ExitStack() as self._closing:
            self._ids = IdSource(self.clock)
            yield

    def subject(self) -> str:
        """Return how errors name the channel."""
        return f"{type(self.make_channel()).__name__} ({type(self).__name__})"

    def _arrived(self) -> Sequence[str]:
        return self.received() if is_written(type(self), "received") else ()

    def _count(self) -> int:
        return len(self._arrived())

    def _handed_off_nothing(self) -> None:
        raise self.broken(
            2,
            expected="no hand-off while the channel opens",
            found="open(ctx) called ctx.handoff()",
            hint="each send brings its own ctx; call the handoff of that one",
        )
