"""A channel that sends nothing and remembers everything; it stands in for a real one in a host's tests."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Literal

import attrs

from crmkit.channels import Accepted, Channel, ChannelSpec, Dedup, Outcome, Pending, SendContext, Unknown
from crmkit.contacts import PointKind
from crmkit.hookspecs import hookimpl
from crmkit.messages import Delivery


@attrs.frozen
class Crash:
    """What a `RecordingChannel` raises instead of answering, and when.

    Args:
        error: what is raised; a `BaseException` stands for the end of the process.
        when: "before" the hand-off, "after" it but before the provider acts, or at the "end", when it has.
    """

    error: BaseException = attrs.field(factory=lambda: RuntimeError("the channel crashed"))
    when: Literal["before", "after", "end"] = "before"


#: One line of a channel's script: an answer, or an exception; a bare one is raised before the hand-off.
Step = Outcome | Crash | BaseException


class RecordingChannel:
    """A channel and its provider in one; also the plugin that brings it, `plugins=[RecordingChannel()]`.

    `deliveries` are all that it was asked to send, attempt by attempt; `effects` those that its provider acted
    on; `handoffs` counts the hand-offs. An answer of `Accepted`, `Pending` or `Unknown` means that the provider
    acted; the others mean that it did not, and come without a hand-off.

    Args:
        name: the channel's name, and the plugin's.
        address_kind: which contact points it writes to.
        scope: the network of these points, if the kind has several.
        dedup: `KEY` and `NATURAL` let a delivery have its effect once, however often it is sent.
        outcomes: what to answer, in order; it goes on with `Accepted`.
        batch: how many deliveries a worker claims at once.
    """

    def __init__(
        self,
        name: str = "email",
        *,
        address_kind: PointKind | str = PointKind.EMAIL,
        scope: str = "",
        dedup: Dedup | str = Dedup.NONE,
        outcomes: Iterable[Step] = (),
        batch: int = 100,
    ) -> None:
        self.name = name
        self.spec = ChannelSpec(name=name, address_kind=address_kind, scope=scope, dedup=dedup, batch=batch)
        self.deliveries: list[Delivery] = []
        self.effects: list[Delivery] = []
        self.handoffs = 0
        self._script: deque[Step] = deque(outcomes)

    def script(self, *outcomes: Step) -> None:
        """Add to what it answers next.

        Args:
            outcomes: answers, exceptions and `Crash`es, in order.
        """
        self._script.extend(outcomes)

    def send(self, delivery: Delivery, ctx: SendContext) -> Outcome:
        """Record the delivery and answer as the script says."""
        self.deliveries.append(delivery)
        step = self._script.popleft() if self._script else None
        crash = Crash(step) if isinstance(step, BaseException) else step
        if isinstance(crash, Crash):
            self._crash(crash, delivery, ctx)
        if step is not None and not isinstance(step, (Accepted, Pending, Unknown)):
            return step  # type: ignore[return-value]  # a crash has raised
        self._act(delivery, ctx)
        return step or Accepted(f"{self.name}-{len(self.effects)}")

    def lookup(self, delivery: Delivery, ctx: SendContext) -> Outcome | None:
        """Return whether the provider has acted on the delivery."""
        ids = [effect.id for effect in self.effects]
        return Accepted(f"{self.name}-{ids.index(delivery.id) + 1}") if delivery.id in ids else None

    @property
    def addresses(self) -> list[str]:
        """The address of each effect, in order."""
        return [effect.address for effect in self.effects]

    @hookimpl
    def crmkit_channels(self) -> Iterable[Channel]:
        """Return the channel itself."""
        return [self]

    def _crash(self, crash: Crash, delivery: Delivery, ctx: SendContext) -> None:
        if crash.when == "after":
            self._hand_off(ctx)
        elif crash.when == "end":
            self._act(delivery, ctx)
        raise crash.error

    def _hand_off(self, ctx: SendContext) -> None:
        ctx.handoff()
        self.handoffs += 1

    def _act(self, delivery: Delivery, ctx: SendContext) -> None:
        self._hand_off(ctx)
        repeated = self.spec.dedup in (Dedup.KEY, Dedup.NATURAL)
        if not repeated or delivery.id not in [effect.id for effect in self.effects]:
            self.effects.append(delivery)

    def __repr__(self) -> str:
        return f"<RecordingChannel {self.name!r}, {len(self.deliveries)} sent, {len(self.effects)} effects>"
