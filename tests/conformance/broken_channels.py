"""Channels that are wrong in one way each, as others have been; `CHANNELS` says which law finds each."""

from __future__ import annotations

import base64
import itertools
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import sleep
from typing import Any, ClassVar

from conformance.wire import (
    BatchSuite,
    BatchWireChannel,
    KeySuite,
    LookupSuite,
    Refused,
    TooMany,
    WireChannel,
    WireSuite,
)
from crmkit import (
    Accepted,
    ChannelSpec,
    Dedup,
    Deferred,
    Delivery,
    Outcome,
    PointKind,
    Problem,
    SendContext,
    Unknown,
)

_counter = itertools.count()


class AnswersTrue(WireChannel):
    def act(self, delivery: Delivery, ctx: SendContext) -> Any:
        super().act(delivery, ctx)
        return True


class SendsTwice(WireChannel):
    def act(self, delivery: Delivery, ctx: SendContext) -> Outcome:
        outcome = super().act(delivery, ctx)
        self.wire.deliver("again", delivery.address)
        return outcome


class SendsNothing(WireChannel):
    def act(self, delivery: Delivery, ctx: SendContext) -> Outcome:
        ctx.handoff()
        return Accepted()


class ActsBeforeHandOff(WireChannel):
    def act(self, delivery: Delivery, ctx: SendContext) -> Outcome:
        id = self.wire.deliver(self.key(delivery), delivery.address)
        ctx.handoff()
        return Accepted(id)


class NeverHandsOff(WireChannel):
    def act(self, delivery: Delivery, ctx: SendContext) -> Outcome:
        return Accepted(self.wire.deliver(self.key(delivery), delivery.address))


class HandsOffTwice(WireChannel):
    def act(self, delivery: Delivery, ctx: SendContext) -> Outcome:
        ctx.handoff()
        return super().act(delivery, ctx)


class HandsOffInOpen(WireChannel):
    @contextmanager
    def open(self, ctx: SendContext) -> Iterator[WireChannel]:
        ctx.handoff()
        yield self


class SwallowsTheCrash(WireChannel):
    def act(self, delivery: Delivery, ctx: SendContext) -> Outcome:
        try:
            return super().act(delivery, ctx)
        except BaseException as error:
            return Unknown(str(error))


class GoesOnWithoutTheMark(WireChannel):
    def act(self, delivery: Delivery, ctx: SendContext) -> Outcome:
        try:
            ctx.handoff()
        except Exception:
            logging.getLogger(__name__).warning("the hand-off failed")
        return Accepted(self.wire.deliver(self.key(delivery), delivery.address))


class NewKeyEachTime(WireChannel):
    def key(self, delivery: Delivery) -> str:
        return f"{delivery.id}-{next(_counter)}"


class ForgetsWhatItSent(WireChannel):
    def lookup(self, delivery: Delivery, ctx: SendContext) -> Outcome | None:
        return None


class KnowsEverything(WireChannel):
    def lookup(self, delivery: Delivery, ctx: SendContext) -> Outcome | None:
        return Accepted()


class RaisesOnRefusal(WireChannel):
    def offer(self, delivery: Delivery) -> None:
        try:
            super().offer(delivery)
        except Refused as error:
            raise RuntimeError("refused") from error


class GivesUpTheBatch(WireChannel):
    refused = False

    def offer(self, delivery: Delivery) -> None:
        if self.refused:
            raise Refused("after the first")
        try:
            super().offer(delivery)
        except Refused:
            type(self).refused = True
            raise


class Sleeps(WireChannel):
    def offer(self, delivery: Delivery) -> None:
        try:
            super().offer(delivery)
        except TooMany:
            time.sleep(30)
            super().offer(delivery)


class SleepsByAnotherName(WireChannel):
    def offer(self, delivery: Delivery) -> None:
        try:
            super().offer(delivery)
        except TooMany:
            sleep(30)
            super().offer(delivery)


class WaitsItsOwnTime(WireChannel):
    def send(self, delivery: Delivery, ctx: SendContext) -> Outcome:
        outcome = super().send(delivery, ctx)
        return Deferred() if isinstance(outcome, Deferred) else outcome


class TriesThrice(WireChannel):
    def offer(self, delivery: Delivery) -> None:
        for _ in range(2):
            try:
                return super().offer(delivery)
            except (Refused, TooMany, ConnectionError):
                pass
        return super().offer(delivery)


class AsksTwice(WireChannel):
    def offer(self, delivery: Delivery) -> None:
        super().offer(delivery)
        super().offer(delivery)


class GreetsWhenOpened(WireChannel):
    @contextmanager
    def open(self, ctx: SendContext) -> Iterator[WireChannel]:
        self.wire.deliver("hello", "postmaster@example.com")
        yield self


class ShowsInRepr(WireChannel):
    def __repr__(self) -> str:
        return f"<Wire {self.token.reveal()}>"


class Logs(WireChannel):
    def offer(self, delivery: Delivery) -> None:
        logging.getLogger("vendor.http").debug("Authorization: Bearer %s", self.token.reveal())
        super().offer(delivery)


class PrintsInBase64(WireChannel):
    def offer(self, delivery: Delivery) -> None:
        print("AUTH", base64.b64encode(f"shop:{self.token.reveal()}".encode()).decode())
        super().offer(delivery)


class TellsInTheAnswer(WireChannel):
    def act(self, delivery: Delivery, ctx: SendContext) -> Outcome:
        super().act(delivery, ctx)
        return Accepted(f"https://api.example/?token={self.token.reveal()}")


class TellsInTheException(WireChannel):
    def offer(self, delivery: Delivery) -> None:
        try:
            super().offer(delivery)
        except Refused as error:
            try:
                raise KeyError(self.token.reveal())
            except KeyError:
                raise RuntimeError("refused") from error


class RemembersOnTheClass(WireChannel):
    seen: ClassVar[list[str]] = []

    def act(self, delivery: Delivery, ctx: SendContext) -> Outcome:
        self.seen.append(delivery.address)
        return super().act(delivery, ctx)


class CountsOnTheClass(WireChannel):
    count = 0

    def act(self, delivery: Delivery, ctx: SendContext) -> Outcome:
        type(self).count += 1
        return super().act(delivery, ctx)


_SESSION: dict[str, str] = {}


class SharesASession(WireChannel):
    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.session = _SESSION


class WritesToAnybody(WireChannel):
    def check(self, delivery: Delivery) -> list[Problem]:
        return []


class ChecksNothing(WireChannel):
    def send(self, delivery: Delivery, ctx: SendContext) -> Outcome:
        found = WireChannel.check(self, delivery)
        return super().send(delivery, ctx) if not found else _rejected(found)

    def check(self, delivery: Delivery) -> list[Problem]:
        return []


def _rejected(found: Sequence[Problem]) -> Outcome:
    from crmkit import Rejected

    return Rejected(found[0].reason)


class ChangesItsSpec(WireChannel):
    @property
    def spec(self) -> ChannelSpec:
        return ChannelSpec(name=f"wire{next(_counter)}", address_kind=PointKind.EMAIL)


class DescribesItself(WireChannel):
    @property
    def spec(self) -> Any:
        return {"name": "wire"}


class LooksUpWithoutLookup(WireChannel):
    lookup = None  # type: ignore[assignment]

    @property
    def spec(self) -> ChannelSpec:
        return ChannelSpec(name="wire", address_kind=PointKind.EMAIL, dedup=Dedup.LOOKUP)


class WritesLatin(WireChannel):
    def offer(self, delivery: Delivery) -> None:
        delivery.name.encode("latin-1")
        super().offer(delivery)


class WritesLines(WireChannel):
    def act(self, delivery: Delivery, ctx: SendContext) -> Outcome:
        ctx.handoff()
        for line in f"{delivery.address} {delivery.subject}".splitlines():
            self.wire.deliver(self.key(delivery), line)
        return Accepted()


class DefersBadText(WireChannel):
    def offer(self, delivery: Delivery) -> None:
        if "\r" in delivery.subject:
            raise ConnectionResetError("the server hung up at that header")
        super().offer(delivery)


class UnsureBefore(WireChannel):
    def offer(self, delivery: Delivery) -> None:
        try:
            super().offer(delivery)
        except ConnectionError as error:
            raise Refused(str(error)) from error


class SureAfter(WireChannel):
    def act(self, delivery: Delivery, ctx: SendContext) -> Outcome:
        outcome = super().act(delivery, ctx)
        return Deferred(reason="timed out") if isinstance(outcome, Unknown) else outcome


class TakesLostLoginForRefusal(WireChannel):
    def offer(self, delivery: Delivery) -> None:
        try:
            super().offer(delivery)
        except Exception as error:
            raise Refused(str(error)) from error


class HandsOffEachOfABatch(BatchWireChannel):
    def send_many(self, deliveries: Sequence[Delivery], ctx: SendContext) -> list[Outcome]:
        return [self.act(delivery, ctx) for delivery in deliveries]


class AnswersOnceForABatch(BatchWireChannel):
    def send_many(self, deliveries: Sequence[Delivery], ctx: SendContext) -> list[Outcome]:
        return super().send_many(deliveries, ctx)[:1]


class SendsABatchUnmarked(BatchWireChannel):
    def send_many(self, deliveries: Sequence[Delivery], ctx: SendContext) -> list[Outcome]:
        outcomes: list[Outcome] = [
            Accepted(self.wire.deliver(str(one.id), one.address)) for one in deliveries
        ]
        ctx.handoff()
        return outcomes


#: Each broken channel with the suite that it is given to and the law that must find it.
CHANNELS: tuple[tuple[type[WireChannel], type[WireSuite], int], ...] = (
    (AnswersTrue, WireSuite, 1),
    (SendsTwice, WireSuite, 1),
    (SendsNothing, WireSuite, 1),
    (ActsBeforeHandOff, WireSuite, 2),
    (NeverHandsOff, WireSuite, 2),
    (HandsOffTwice, WireSuite, 2),
    (HandsOffInOpen, WireSuite, 2),
    (SwallowsTheCrash, WireSuite, 3),
    (GoesOnWithoutTheMark, WireSuite, 3),
    (ActsBeforeHandOff, WireSuite, 3),
    (NewKeyEachTime, KeySuite, 4),
    (ForgetsWhatItSent, LookupSuite, 4),
    (KnowsEverything, LookupSuite, 4),
    (NeverHandsOff, WireSuite, 4),
    (RaisesOnRefusal, WireSuite, 5),
    (GivesUpTheBatch, WireSuite, 5),
    (Sleeps, WireSuite, 6),
    (SleepsByAnotherName, WireSuite, 6),
    (WaitsItsOwnTime, WireSuite, 6),
    (TriesThrice, WireSuite, 7),
    (AsksTwice, WireSuite, 7),
    (GreetsWhenOpened, WireSuite, 8),
    (ShowsInRepr, WireSuite, 9),
    (Logs, WireSuite, 9),
    (PrintsInBase64, WireSuite, 9),
    (TellsInTheAnswer, WireSuite, 9),
    (TellsInTheException, WireSuite, 9),
    (RemembersOnTheClass, WireSuite, 10),
    (CountsOnTheClass, WireSuite, 10),
    (SharesASession, WireSuite, 10),
    (WritesToAnybody, WireSuite, 11),
    (ChecksNothing, WireSuite, 11),
    (ChangesItsSpec, WireSuite, 12),
    (DescribesItself, WireSuite, 12),
    (LooksUpWithoutLookup, WireSuite, 12),
    (WritesLatin, WireSuite, 13),
    (WritesLines, WireSuite, 13),
    (DefersBadText, WireSuite, 13),
    (UnsureBefore, WireSuite, 14),
    (SureAfter, WireSuite, 15),
    (TakesLostLoginForRefusal, WireSuite, 16),
    (ForgetsWhatItSent, LookupSuite, 17),
    (KnowsEverything, LookupSuite, 17),
    (HandsOffEachOfABatch, BatchSuite, 18),
    (AnswersOnceForABatch, BatchSuite, 18),
    (SendsABatchUnmarked, BatchSuite, 18),
)
