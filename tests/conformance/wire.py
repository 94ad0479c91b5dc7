"""A provider in memory that can misbehave in every way that the channel suite knows, and a channel to it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import Any, ClassVar

import attrs

from crmkit import (
    Accepted,
    AuthLost,
    ChannelSpec,
    Dedup,
    Deferred,
    Delivery,
    Outcome,
    PointKind,
    Problem,
    Rejected,
    Scope,
    Secret,
    SendContext,
    Unknown,
)
from crmkit.testing import BAD_EMAILS, ChannelSuite

TOKEN = "tok_5ecr3t/value"


class Refused(Exception):
    """The provider refuses for good."""


class TooMany(Exception):
    """The provider refuses for now."""


class Unauthorised(Exception):
    """The provider does not know the token."""


@attrs.define(eq=False)
class Wire:
    """A provider: `offer` asks whether it would take something, `deliver` has the effect.

    Args:
        honours_keys: whether a key that it has seen has no second effect.
        sent: address by address.
        attempts: how often it was offered something.
        fault: what it does at the next offer.
        keys: that it has seen.
    """

    honours_keys: bool = False
    sent: list[str] = attrs.field(factory=list)
    attempts: int = 0
    fault: str = ""
    keys: list[str] = attrs.field(factory=list)

    def offer(self, token: str) -> None:
        """Answer whether it would take a message now."""
        self.attempts += 1
        fault = self.fault
        if fault != "drop_after":
            self.fault = ""
        if fault == "refuse":
            raise Refused("no such user")
        if fault == "throttle":
            raise TooMany("slow down")
        if fault == "drop_before":
            raise ConnectionResetError("hung up")
        if fault == "expire_login" or token != TOKEN:
            self.fault = fault
            raise Unauthorised("who are you?")

    def deliver(self, key: str, address: str) -> str:
        """Take a message and return its id."""
        fault, self.fault = self.fault, ""
        if not (self.honours_keys and key in self.keys):
            self.sent.append(address)
        self.keys.append(key)
        if fault == "drop_after":
            raise TimeoutError("no answer")
        return f"id-{key}"


@attrs.define(eq=False)
class WireChannel:
    """A channel without a fault: the broken ones below each change one thing."""

    wire: Wire
    token: Secret
    dedup: Dedup = Dedup.NONE

    @property
    def spec(self) -> ChannelSpec:
        return ChannelSpec(name="wire", address_kind=PointKind.EMAIL, dedup=self.dedup)

    def check(self, delivery: Delivery) -> list[Problem]:
        """Find one address and at most 2000 characters."""
        local, at, domain = delivery.address.partition("@")
        short = len(delivery.address) <= 254 and not set(delivery.address) & set(" ,<>\r\n")
        problems = [] if local and at and domain and short else [Problem("address", "not one address")]
        return problems + ([Problem("text", "too long")] if len(delivery.text) > 30_000 else [])

    def send(self, delivery: Delivery, ctx: SendContext) -> Outcome:
        """Offer, hand off, deliver."""
        if problems := self.check(delivery):
            return Rejected(problems[0].reason, "bad_address")
        try:
            self.offer(delivery)
        except Refused as error:
            return Rejected(str(error), "refused")
        except TooMany as error:
            return Deferred(timedelta(seconds=30), Scope.ACCOUNT, str(error))
        except Unauthorised as error:
            return AuthLost(str(error))
        except ConnectionError as error:
            return Deferred(reason=str(error))
        return self.act(delivery, ctx)

    def offer(self, delivery: Delivery) -> None:
        """Ask the provider."""
        self.wire.offer(self.token.reveal())

    def act(self, delivery: Delivery, ctx: SendContext) -> Outcome:
        """Hand off, then have the effect."""
        ctx.handoff()
        try:
            return Accepted(self.wire.deliver(self.key(delivery), delivery.address))
        except TimeoutError as error:
            return Unknown(str(error))

    def key(self, delivery: Delivery) -> str:
        """Return the key that the provider is given."""
        return str(delivery.id)

    def lookup(self, delivery: Delivery, ctx: SendContext) -> Outcome | None:
        """Ask the provider for a key."""
        key = self.key(delivery)
        return Accepted(f"id-{key}") if key in self.wire.keys else None


class BatchWireChannel(WireChannel):
    """Sends a batch whole."""

    def send_many(self, deliveries: Sequence[Delivery], ctx: SendContext) -> list[Outcome]:
        """Hand off once, then deliver all."""
        self.wire.offer(self.token.reveal())
        ctx.handoff()
        return [Accepted(self.wire.deliver(self.key(one), one.address)) for one in deliveries]


class WireSuite(ChannelSuite):
    """The suite for channels to a `Wire`; every fault can be acted out."""

    __test__ = False

    made: ClassVar[type[WireChannel]] = WireChannel
    dedup: ClassVar[Dedup] = Dedup.NONE
    secrets = (TOKEN,)
    bad_addresses = BAD_EMAILS
    too_long = "x" * 30_001
    provider: Wire

    def make_provider(self) -> AbstractContextManager[Wire]:
        return nullcontext(Wire(honours_keys=self.dedup in (Dedup.KEY, Dedup.NATURAL)))

    def make_channel(self) -> Any:
        return self.made(self.provider, Secret(TOKEN), self.dedup)

    def received(self) -> list[str]:
        return self.provider.sent

    def attempts(self) -> int:
        return self.provider.attempts

    def refuse(self) -> None:
        self.provider.fault = "refuse"

    def throttle(self) -> timedelta:
        self.provider.fault = "throttle"
        return timedelta(seconds=30)

    def drop_before(self) -> None:
        self.provider.fault = "drop_before"

    def drop_after(self) -> None:
        self.provider.fault = "drop_after"

    def expire_login(self) -> None:
        self.provider.fault = "expire_login"


class KeySuite(WireSuite):
    """The same for a provider that honours keys."""

    __test__ = False
    dedup = Dedup.KEY


class LookupSuite(WireSuite):
    """The same for a provider that can be asked for a key."""

    __test__ = False
    dedup = Dedup.LOOKUP
    can_look_up = True


class BatchSuite(WireSuite):
    """The same for a channel that sends batches."""

    __test__ = False
    made = BatchWireChannel
    can_send_many = True
