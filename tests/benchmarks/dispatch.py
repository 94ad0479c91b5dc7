"""Queued messages are sent to a channel that does nothing: what the worker itself costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

from by_hand import END_OF_TIME, Hand
from enqueue import Person, with_contacts
from hand_worker import HandWorker
from measure import Side, alternate
from peers import peer_rows
from places import Maker, Place
from record import Shop
from report import Options, Row
from shop import BODY, CUSTOMERS, NothingChannel, ShopPlugin, email
from sqlalchemy import select

from crmkit import CRM, Dedup
from crmkit.clock import micros

TITLE = (
    "crm.run_due() with one worker and a channel that does nothing (text of 500 characters, batches of 100)"
)


class Outbox:
    """A database with queued messages, a CRM and a hand-written worker over it.

    Args:
        place: an empty database.
        dedup: the dedup class of the channel.
        now: where its clock stands; else it goes.
    """

    def __init__(self, place: Place, dedup: Dedup = Dedup.NATURAL, now: datetime | None = None) -> None:
        def clock() -> datetime:
            return now or datetime.now(UTC)

        self.place = place
        self.crm = CRM(place.engine, plugins=[ShopPlugin(channel=NothingChannel(dedup))], clock=clock)
        self.people = self._people()
        self.hand = HandWorker(place, self.crm.place, clock)
        self._numbers = count()

    def _people(self) -> list[Person]:
        with_contacts(self.crm, CUSTOMERS)
        contacts = Hand(self.place).table["contacts"]
        with self.place.engine.connect() as connection:
            ids = connection.execute(select(contacts.c.id).order_by(contacts.c.id)).scalars().all()
        return [Person(id, f"Customer {n}", "", email(n)) for n, id in enumerate(ids)]

    def fill(self, messages: int) -> None:
        """Queue so many messages more."""
        now, rows = micros(self.hand.clock()), []
        for number, _ in zip(self._numbers, range(messages), strict=False):
            contact = self.people[number % len(self.people)]
            content = {"subject": f"Offer {number}", "text": BODY}
            key = f"offer:{number}"
            rows.append(self.hand.delivery(key=key, topic="offer", contact=contact, now=now, content=content))
        with self.hand.begin() as connection:
            connection.execute(self.hand.insert("deliveries"), rows)

    def work(self, messages: int) -> None:
        """Let crmkit send so many."""
        report = self.crm.run_due(limit=messages)
        if report.sent != messages:
            raise AssertionError(f"{messages} were to be sent: {report}")

    def work_by_hand(self, messages: int) -> None:
        """Let the hand-written worker send so many."""
        sent = self.hand.run(messages, _nothing)
        if sent != messages:
            raise AssertionError(f"{messages} were to be sent, {sent} were")

    def commits(self, number: int) -> None:
        """Mark so many queued messages as handed over, each in a transaction of its own, and nothing else."""
        with self.hand.begin() as connection:
            due = connection.execute(self.hand.due, {"now": micros(self.hand.clock()), "n": number}).all()
        for row in due:
            with self.hand.begin() as connection:
                connection.execute(self.hand.mark, {"b_id": row.id, "b_due": END_OF_TIME})


def _nothing(message: dict[str, Any]) -> None:
    return None


def measure(make: Maker, options: Options) -> Iterator[Row]:
    """Yield the rows of the table for one database."""
    check(make)
    yield from _harmless(make, options)
    yield from _one_by_one(make, options)

    def ours(size: int) -> Side:
        outbox = Outbox(make())
        return _side("run_due", outbox, outbox.work, size)

    yield from peer_rows(make, options, ours)


def check(make: Maker) -> None:
    """Refuse to measure unless both workers leave the same rows behind."""
    now = datetime.now(UTC)
    ours, theirs = (Outbox(make(), now=now) for _ in range(2))
    for outbox, work in ((ours, ours.work), (theirs, theirs.work_by_hand)):
        outbox.fill(150)
        work(120)
    mine, by_hand = (Shop(one.place, one.crm, one.hand).contents() for one in (ours, theirs))
    for name in ("deliveries", "events"):
        pairs = zip(mine[name], by_hand[name], strict=True)
        different = next((pair for pair in pairs if pair[0] != pair[1]), None)
        if different:
            raise AssertionError(f"both workers must write the same rows of {name}: {different}")


def _harmless(make: Maker, options: Options) -> Iterator[Row]:
    size = 100 if options.quick else 1000
    backlog = 1000 if options.quick else 100_000
    by_hand, few, many = (Outbox(make()) for _ in range(3))
    many.fill(backlog - size)
    sides = [
        _side("hand-written worker", by_hand, by_hand.work_by_hand, size),
        _side(f"run_due, {size:,} waiting", few, few.work, size),
        _side(f"run_due, {backlog:,} waiting", many, many.work, size),
    ]
    alternate(*sides, rounds=options.rounds, turns=options.turns(3), warm_up=2)
    database = by_hand.place.database
    repeat = "a repeat is harmless"
    yield Row.of("dispatch", database, repeat, sides[0], sides[1], at_least=0.5)
    yield Row.of("dispatch", database, f"{repeat}, {backlog:,} waiting", sides[1], sides[2], at_least=0.8)


def _one_by_one(make: Maker, options: Options) -> Iterator[Row]:
    size = 20 if options.quick else 100
    bare, ours = Outbox(make()), Outbox(make(), Dedup.NONE)
    sides = [
        _side("single-row commits", bare, bare.commits, size),
        _side("run_due", ours, ours.work, size),
    ]
    alternate(*sides, rounds=options.rounds, turns=options.turns(10), warm_up=2)
    what = "a repeat cannot be told"
    yield Row.of("dispatch", ours.place.database, what, sides[0], sides[1], at_least=0.4)


def _side(name: str, outbox: Outbox, work: Callable[[int], None], size: int) -> Side:
    return Side(name, lambda: work(size), lambda: outbox.fill(size), outbox.place.cpu, size)
