"""Laws that hold only together with the core: the channel under its real worker, on a CRM in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal

import attrs

from crmkit.channels import Channel, ChannelSpec, Dedup, Outcome, SendContext
from crmkit.contacts import Contact
from crmkit.crm import CRM
from crmkit.hookspecs import hookimpl
from crmkit.messages import Delivery, DeliveryState, DeliveryStatus, Message, Repeat
from crmkit.plugins import said
from crmkit.testing.channels.stage import Killed, Stage
from crmkit.testing.laws import law
from crmkit.testing.memory import memory_crm

_SETTLED = frozenset(DeliveryState(name) for name in "sent rejected suppressed expired unknown dead".split())

#: When a worker is killed: as the hand-off returns, or as the channel returns its answer.
When = Literal["at the hand-off", "before the answer"]


class WorkerLaws(Stage):
    """Laws 4 and 8."""

    __test__ = False

    @law(4, "received")
    def test_04_a_crash_after_the_hand_off_ends_as_the_class_says(self) -> None:
        """A worker killed after the hand-off loses nothing, and repeats only what the dedup class allows."""
        for when in ("at the hand-off", "before the answer"):
            for number, repeat in enumerate(Repeat, 1):
                self._killed(when, repeat, number if when == "at the hand-off" else number + 2)

    @law(8, "received")
    def test_08_what_is_suppressed_is_not_sent(self) -> None:
        """A delivery that a plugin suppresses sends nothing and marks no hand-off."""
        crm = self._crm(self.make_channel(), _Suppressor())
        status = self._queued(crm, Repeat.AT_LEAST_ONCE, 1)
        self._run(crm, 8)
        with crm.begin() as tx:
            state = tx.messages.get(status.delivery.id).state
        if self._count() or state is not DeliveryState.SUPPRESSED:
            raise self.broken(
                8,
                expected="nothing arrives, the delivery is suppressed",
                found=f"{self._count()} effect(s), the delivery is {state}",
                hint="open(ctx) must not send either",
            )

    def _killed(self, when: When, repeat: Repeat, number: int) -> None:
        channel = KilledOnce(self.make_channel(), when)
        crm = self._crm(channel)
        before = self._count()
        status = self._queued(crm, repeat, number)
        for _ in range(6):
            self._run(crm, 4)
            with crm.begin() as tx:
                status = tx.messages.get(status.delivery.id)
            if status.state in _SETTLED:
                break
            self.clock.advance(hours=1)
        self._judge(channel, when, repeat, status, self._count() - before)

    def _judge(
        self, channel: KilledOnce, when: When, repeat: Repeat, status: DeliveryStatus, effects: int
    ) -> None:
        dedup = channel.spec.dedup
        least, most = bounds(dedup, repeat)
        scene = f"a channel of class {dedup}, sent {repeat}, killed {when}"
        if not channel.killed:
            raise self.broken(
                4, expected=f"a hand-off ({scene})", found=f"none; the delivery is {status.state}"
            )
        if not least <= effects <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            raise self.broken(
                4,
                expected=f"{wanted} effect(s) ({scene})",
                found=f"{effects} effect(s), the delivery is {status.state}: {status.reason}",
                hint="declare the dedup class that the provider really has",
            )
        if status.state not in (DeliveryState.SENT, DeliveryState.PENDING, DeliveryState.UNKNOWN):
            raise self.broken(
                4, expected=f"sent or unknown in the end ({scene})", found=f"{status.state}: {status.reason}"
            )

    def _run(self, crm: CRM, number: int) -> None:
        try:
            with suppress(Killed):
                crm.run_due()
        except Exception as error:
            raise self.broken(
                number, expected="the worker has nothing to complain of", found=said(error)
            ) from error

    def _crm(self, channel: Any, *plugins: object) -> CRM:
        core = {"core": {"secret": "for tests only"}}
        crm = memory_crm(plugins=[Carrier(channel), *plugins], clock=self.clock, settings=core)
        self._closing.callback(crm.engine.dispose)
        return crm

    def _queued(self, crm: CRM, repeat: Repeat, number: int) -> DeliveryStatus:
        message = Message(topic="thank-you", subject="Thank you", text="Thank you.\n", repeat=repeat)
        name = next(iter(crm.registry.channels))
        with crm.begin() as tx:
            return tx.messages.queue(message, channel=name, key=f"message-{number}", to=self.point(number))


def bounds(dedup: Dedup, repeat: Repeat) -> tuple[int, int]:
    """Return the least and the greatest number of effects that one killed worker may leave."""
    if dedup is not Dedup.NONE:
        return 1, 1
    return (1, 2) if repeat is Repeat.AT_LEAST_ONCE else (0, 1)


class KilledOnce:
    """A channel around another one, whose first send ends with the worker's death.

    Args:
        inner: the channel.
        when: when the worker dies.
    """

    def __init__(self, inner: Channel, when: When) -> None:
        self.spec: ChannelSpec = inner.spec
        self.inner: Any = inner
        self.killed = False
        self._when = when

    @contextmanager
    def open(self, ctx: SendContext) -> Iterator[_KilledSender]:
        """Give a sender around the other one's."""
        if not hasattr(self.inner, "open"):
            yield _KilledSender(self, self.inner)
            return
        with self.inner.open(ctx) as sender:
            yield _KilledSender(self, sender)

    def kill(self, when: When) -> None:
        """End the worker if this is the moment."""
        if not self.killed and when == self._when:
            self.killed = True
            raise Killed(when)

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["inner"], name)


@attrs.frozen
class _KilledSender:
    channel: KilledOnce
    sender: Any

    def send(self, delivery: Delivery, ctx: SendContext) -> Outcome:
        def handoff() -> None:
            ctx.handoff()
            self.channel.kill("at the hand-off")

        outcome: Outcome = self.sender.send(delivery, attrs.evolve(ctx, handoff=handoff))
        self.channel.kill("before the answer")
        return outcome


@attrs.define(eq=False)
class Carrier:
    """A plugin that brings one channel."""

    channel: Any

    @hookimpl
    def crmkit_channels(self) -> Iterable[Channel]:
        """Return the channel."""
        return [self.channel]


class _Suppressor:
    @hookimpl
    def crmkit_suppress_delivery(self, delivery: Delivery, contact: Contact | None) -> str | None:
        return "the suite suppresses everything"
