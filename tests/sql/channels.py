"""A provider that remembers what reached it, channels of every class before it, and a CRM around them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import attrs

from crmkit import (
    CRM,
    Accepted,
    ChannelSpec,
    Contact,
    ContactPoint,
    Dedup,
    Delivery,
    DeliveryState,
    DeliveryStatus,
    Event,
    Job,
    LogEntry,
    Message,
    Outcome,
    PointKind,
    Reaction,
    Report,
    SendContext,
    Transaction,
    hookimpl,
)
from crmkit.testing import FakeClock

BEFORE, AFTER, LOST = "dies before the hand-off", "dies after it", "dies after the effect"


class Killed(BaseException):
    """The worker died here: nothing of it runs on, as after SIGKILL."""


@attrs.define(eq=False, slots=False)
class Fake:
    """A channel that does what its script says, then accepts.

    A script's entry is one of BEFORE, AFTER and LOST, an outcome, an exception, or a function of delivery and
    ctx; an outcome and an exception come after the hand-off and without effect, unless `early`.
    """

    dedup: Dedup = Dedup.NONE
    name: str = "fake"
    script: dict[str, list[Any]] = attrs.field(factory=dict)
    effects: list[UUID] = attrs.field(factory=list)
    sends: list[Delivery] = attrs.field(factory=list)
    early: bool = False
    batch: int = 100
    spec: ChannelSpec = attrs.field(init=False)

    @spec.default
    def _spec(self) -> ChannelSpec:
        return ChannelSpec(name=self.name, address_kind=PointKind.EMAIL, dedup=self.dedup, batch=self.batch)

    def send(self, delivery: Delivery, ctx: SendContext) -> Outcome:
        self.sends.append(delivery)
        who = delivery.address.partition("@")[0]
        steps = self.script.get(who) or self.script.get("*") or []
        step = steps.pop(0) if steps else Accepted("id-" + who)
        if step == BEFORE:
            raise Killed
        if not self.early or step in (AFTER, LOST):
            ctx.handoff()
        if step == AFTER:
            raise Killed
        if isinstance(step, BaseException):
            raise step
        if step == LOST or isinstance(step, Accepted) or callable(step):
            self._act(delivery)
        if step == LOST:
            raise Killed
        return step(delivery, ctx) if callable(step) else step

    def _act(self, delivery: Delivery) -> None:
        if self.dedup is Dedup.NONE or delivery.id not in self.effects:
            self.effects.append(delivery.id)


class Asked(Fake):
    """A channel of class LOOKUP."""

    def lookup(self, delivery: Delivery, ctx: SendContext) -> Outcome | None:
        return Accepted("found") if delivery.id in self.effects else None

    def _act(self, delivery: Delivery) -> None:
        self.effects.append(delivery.id)


@attrs.define(eq=False)
class Plugin:
    """A plugin of channels, and of whatever else a test needs."""

    channels: Sequence[Any] = ()
    suppress: Callable[[Delivery, Contact | None], str | None] = attrs.field(
        default=lambda delivery, contact: None
    )
    reaction: Callable[[Transaction, LogEntry], object] | None = None
    essential: bool = False
    to: type[Event] = Event
    jobs: Sequence[Job] = ()
    name: str = "fakes"

    @hookimpl
    def crmkit_channels(self) -> Iterable[Any]:
        return self.channels

    @hookimpl
    def crmkit_suppress_delivery(self, delivery: Delivery, contact: Contact | None) -> str | None:
        return self.suppress(delivery, contact)

    @hookimpl
    def crmkit_reactions(self) -> Iterable[Reaction]:
        return [Reaction(self.to, self.reaction, essential=self.essential)] if self.reaction else []

    @hookimpl
    def crmkit_jobs(self) -> Iterable[Job]:
        return self.jobs


class Post:
    """A CRM with one fake channel, and short ways to queue, run and look.

    Args:
        url: the database.
        channel: the channel; by default one of class NONE.
        plugin: what else the plugin does.
        options: of the CRM.
    """

    def __init__(
        self, url: str, channel: Any = None, *, tables: bool = True, clock: Any = None, **options: Any
    ) -> None:
        self.channel = channel or Fake()
        self.clock = clock or FakeClock()
        plugin = options.pop("plugin", None) or Plugin()
        plugin.channels = [*plugin.channels, self.channel]
        self.crm = CRM(url, plugins=[plugin], clock=self.clock, **options)
        if tables:
            self.crm.create_tables()

    def queue(self, *who: str, key: str = "k", **fields: Any) -> list[UUID]:
        """Queue a message to each local part, in this order."""
        given = {"topic": "test", **fields}
        if "template" not in given:
            given.setdefault("text", "Hello")
        with self.crm.begin() as tx:
            queued = [
                tx.messages.queue(
                    Message(**given),
                    channel=self.channel.spec.name,
                    key=key,
                    to=ContactPoint.email(f"{one}@x.example"),
                )
                for one in who
            ]
        return [status.delivery.id for status in queued]

    def run(self, **options: Any) -> Report:
        """Run what is due."""
        return self.crm.run_due(**options)

    def drain(self, rounds: int = 12) -> None:
        """Run, killed or not, until nothing more can become due, an hour between two runs."""
        for _ in range(rounds):
            with suppress(Killed):
                self.run()
            self.clock.advance(hours=1)

    def states(self) -> dict[str, str]:
        """Return the state of each delivery by local part."""
        return {status.delivery.address.partition("@")[0]: status.state.value for status in self.all()}

    def all(self) -> Sequence[DeliveryStatus]:
        """Return every delivery."""
        with self.crm.begin() as tx:
            return tx.messages.list(limit=10_000)

    def get(self, id: UUID) -> DeliveryStatus:
        """Return one delivery."""
        with self.crm.begin() as tx:
            return tx.messages.get(id)

    def events(self) -> list[str]:
        """Return the types of the events that were numbered, in their order."""
        with self.crm.begin() as tx:
            return [entry.type for entry in tx.events.since(0)]

    def effects(self) -> Counter[UUID]:
        """Return how often each delivery had an effect."""
        return Counter(self.channel.effects)

    def state(self, id: UUID) -> DeliveryState:
        """Return the state of one delivery."""
        return self.get(id).state
