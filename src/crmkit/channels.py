"""The contract of a channel: how one medium is written to, and what it may answer.

A channel is any object with a `spec` and either `send(delivery, ctx)` or `open(ctx)`, a context manager
that gives a sender with `send`. It calls `ctx.handoff()` before the first byte that can have an effect.
It never sleeps, never retries and never raises for an answer that its provider may well give.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, runtime_checkable

import attrs

from crmkit.contacts import PointKind
from crmkit.errors import ValueRefused
from crmkit.messages import Delivery
from crmkit.text import clean


class Dedup(StrEnum):
    """How a repeat of the same delivery is told from a new one."""

    KEY = "key"  #: the provider honours our key: a repeat has no second effect
    NATURAL = "natural"  #: the same id twice is one by the nature of the medium
    LOOKUP = "lookup"  #: the provider can be asked whether it has our key
    NONE = "none"  #: nobody can tell; the message says whether to repeat


class Scope(StrEnum):
    """How much a `Deferred` pauses."""

    ADDRESS = "address"
    DOMAIN = "domain"
    ACCOUNT = "account"
    CHANNEL = "channel"


def _channel_name(value: str) -> str:
    return clean(value, "channel name", limit=30, empty=False)


@attrs.frozen
class Accepted:
    """The provider took it; `id` is the provider's id of it, if it told one."""

    id: str = ""


@attrs.frozen
class Pending:
    """The provider works on it; `state` is what `poll` needs to ask again."""

    state: str


@attrs.frozen
class Deferred:
    """Not now: nothing was sent, try again.

    Args:
        retry_after: how long the provider asked us to wait; None leaves it to the core's backoff.
        scope: how much is to wait: this address, its domain, the account or the whole channel.
        reason: what the provider said.
    """

    retry_after: timedelta | None = None
    scope: Scope = attrs.field(default=Scope.ADDRESS, converter=Scope)
    reason: str = ""


@attrs.frozen
class Rejected:
    """Never: a repeat would be refused as well.

    Args:
        reason: what the provider said.
        code: the provider's code, or one of our own words such as "bad_address".
    """

    reason: str
    code: str = ""


@attrs.frozen
class AuthLost:
    """The account's credentials no longer work; the channel pauses until somebody mends them."""

    reason: str = ""


@attrs.frozen
class Unknown:
    """It broke off after the hand-off: nobody can say whether the provider acted."""

    reason: str = ""


Outcome = Accepted | Pending | Deferred | Rejected | AuthLost | Unknown


@attrs.frozen(kw_only=True)
class ChannelSpec:
    """What the core must know of a channel.

    Args:
        name: unique among the plugins of one CRM.
        address_kind: which contact points it writes to.
        scope: the network of handles, or the system of external ids; of other kinds empty.
        dedup: how a repeat is told from a new delivery.
        timeout: how long one send may take.
        batch: how many deliveries a worker claims at once.
    """

    name: str = attrs.field(converter=_channel_name)
    address_kind: PointKind = attrs.field(converter=PointKind)
    scope: str = ""
    dedup: Dedup = attrs.field(default=Dedup.NONE, converter=Dedup)
    timeout: timedelta = timedelta(seconds=60)
    batch: int = 100

    def __attrs_post_init__(self) -> None:
        if self.address_kind in (PointKind.HANDLE, PointKind.EXTERNAL) and not self.scope:
            # else nobody could tell which of an address's suppressions are meant
            raise ValueRefused(
                f"channel {self.name!r} writes to {self.address_kind} points; give their network or system as scope"
            )
        if self.address_kind is PointKind.HANDLE:  # as handles have it, whatever its case
            object.__setattr__(self, "scope", self.scope.casefold())
        if not 1 <= self.batch <= 10_000:
            raise ValueRefused(f"channel {self.name!r}: batch is {self.batch}, must be 1 to 10000")
        if self.timeout <= timedelta(0):
            raise ValueRefused(f"channel {self.name!r}: timeout is {self.timeout}, must be positive")


@attrs.frozen(kw_only=True)
class SendContext:
    """What the core lends a channel while it sends.

    Args:
        deadline: the instant by which the send must have ended; set network time-outs from it.
        now: the clock.
        handoff: marks durably that from here the provider may have acted; call it once per delivery
            (once per batch in `send_many`), just before the first byte that can have an effect.
    """

    deadline: datetime
    now: Callable[[], datetime]
    handoff: Callable[[], None]

    @property
    def seconds_left(self) -> float:
        """The seconds until the deadline, never below 0.1."""
        return max((self.deadline - self.now()).total_seconds(), 0.1)


@attrs.frozen
class Problem:
    """Something that `check` found before any network was touched: which `field`, and what is wrong."""

    field: str
    reason: str


@runtime_checkable
class Sender(Protocol):
    """Sends deliveries one by one; used by one thread."""

    def send(self, delivery: Delivery, ctx: SendContext) -> Outcome:
        """Send one delivery and answer what came of it."""
        ...


@runtime_checkable
class BatchSender(Protocol):
    """Sends a batch whole, one hand-off for all of it."""

    def send_many(self, deliveries: Sequence[Delivery], ctx: SendContext) -> Sequence[Outcome]:
        """Send the deliveries and answer one outcome for each, in their order."""
        ...


@runtime_checkable
class Connecting(Protocol):
    """A channel that sends over a connection."""

    @property
    def spec(self) -> ChannelSpec:
        """What the core must know of the channel."""
        ...

    def open(self, ctx: SendContext) -> AbstractContextManager[Sender]:
        """Connect, and give a sender that lives until the block ends."""
        ...


@runtime_checkable
class Connectionless(Protocol):
    """A channel that needs no connection."""

    @property
    def spec(self) -> ChannelSpec:
        """What the core must know of the channel."""
        ...

    def send(self, delivery: Delivery, ctx: SendContext) -> Outcome:
        """Send one delivery and answer what came of it."""
        ...


#: What `crmkit_channels` returns.
Channel = Connecting | Connectionless


@runtime_checkable
class Checks(Protocol):
    """A channel that can tell before sending that a delivery cannot go."""

    def check(self, delivery: Delivery) -> Sequence[Problem]:
        """Return what is wrong with the delivery, without touching the network."""
        ...


@runtime_checkable
class LooksUp(Protocol):
    """A channel of class `LOOKUP`: its provider can be asked about a key."""

    def lookup(self, delivery: Delivery, ctx: SendContext) -> Outcome | None:
        """Return what the provider knows of the delivery, or None if it never got it."""
        ...


@runtime_checkable
class Polls(Protocol):
    """A channel that answers `Pending`: its provider can be asked how it went."""

    def poll(self, state: str, ctx: SendContext) -> Outcome:
        """Ask, without any effect, what became of a pending delivery."""
        ...
