"""Messages are queued, one and in bulk, against Core's inserts of the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any, NamedTuple
from uuid import UUID

from by_hand import Hand, named
from measure import Side, alternate
from places import Maker, Place
from report import Options, Row
from shop import BODY, ShopPlugin, email

from crmkit import CRM, ContactPoint, Message
from crmkit.clock import micros

TITLE = "tx.messages.queue and queue_many, against Core's inserts of the same rows (text of 500 characters)"
PEOPLE = 10_000


class Person(NamedTuple):
    """A contact as the hand-written side knows it."""

    id: Any
    name: str
    locale: str
    value: str


def measure(make: Maker, options: Options) -> Iterator[Row]:
    """Yield the rows of the table for one database."""
    theirs, ours = make(), make()
    people = 200 if options.quick else PEOPLE
    same, crm = (CRM(place.engine, plugins=[ShopPlugin()]) for place in (theirs, ours))
    for one in (same, crm):
        with_contacts(one, people)
    hand, ids = Hand(theirs), contact_ids(crm, people)
    yield _one(hand, crm, ours, theirs, options)
    yield _one_contact(hand, crm, ours, theirs, options, ids)
    yield _bulk(hand, crm, ours, theirs, options, ids)


def with_contacts(crm: CRM, people: int) -> None:
    """Write so many contacts in bulk."""
    crm.create_tables()
    now, empty = datetime.now(UTC), {"given_name": "", "family_name": "", "locale": "", "zone": ""}
    rows, points = [], []
    for number in range(people):
        id, address = crm.new_id(), email(number)
        stamps = {"created_at": now, "updated_at": now}
        rows.append({"id": id, "kind": "person", "name": f"Customer {number}", **empty, **stamps})
        found = {"kind": "email", "scope": "", "key": address, "rank": 0, "ordinal": 0}
        points.append({**found, "contact_id": id, "value": address, "added_at": now})
    with crm.begin() as tx:
        tx.sql.insert(tx.table("contacts"), rows)
        tx.sql.insert(tx.table("contact_points"), points)


def contact_ids(crm: CRM, people: int) -> list[UUID]:
    """Return the ids of the contacts, in the order of their numbers."""
    with crm.begin() as tx:
        found = [tx.contacts.find(ContactPoint.email(email(number))) for number in range(min(people, 200))]
        table = tx.table("contacts")
        every = list(tx.sql.execute(table.select().with_only_columns(table.c.id)).scalars())
    return list(dict.fromkeys([*(one.id for one in found if one), *every]))


def message(number: int) -> Message:
    """Return the message of that number."""
    return Message(topic="offer", subject=f"Offer {number}", text=BODY)


def _one(hand: Hand, crm: CRM, ours: Place, theirs: Place, options: Options) -> Row:
    numbers, others = count(), count()
    point = ContactPoint.email("somebody@shop.example.com")
    nobody = Person(None, "", "", point.value)

    def queue() -> None:
        number = next(numbers)
        with crm.begin() as tx:
            tx.messages.queue(message(number), channel="nothing", key=f"one:{number}", to=point)

    def by_hand() -> None:
        number = next(others)
        with hand.begin() as connection:
            connection.execute(hand.insert("deliveries"), _row(hand, nobody, number, f"one:{number}"))

    base = Side("Core insert", by_hand, server=theirs.cpu)
    side = Side("queue", queue, server=ours.cpu)
    alternate(base, side, rounds=options.rounds, turns=options.turns(200))
    return Row.of("enqueue", ours.database, "one, to an address", base, side, at_most=1.5)


def _one_contact(hand: Hand, crm: CRM, ours: Place, theirs: Place, options: Options, ids: list[UUID]) -> Row:
    numbers, others = count(), count()

    def queue() -> None:
        number = next(numbers)
        with crm.begin() as tx:
            id = ids[number % 200]
            tx.messages.queue(message(number), channel="nothing", key=f"to:{number}", contact_id=id)

    def by_hand() -> None:
        number = next(others)
        with hand.begin() as connection:
            contact = connection.execute(hand.contact_by_email, {"email": email(number % 200)}).one()
            connection.execute(hand.insert("deliveries"), _row(hand, contact, number, f"to:{number}"))

    base = Side("Core select and insert", by_hand, server=theirs.cpu)
    side = Side("queue", queue, server=ours.cpu)
    alternate(base, side, rounds=options.rounds, turns=options.turns(200))
    return Row.of("enqueue", ours.database, "one, to a contact", base, side, at_most=1.5)


def _bulk(hand: Hand, crm: CRM, ours: Place, theirs: Place, options: Options, ids: list[UUID]) -> Row:
    numbers, others = count(), count()
    people = [Person(hand.new_id(), f"Customer {n}", "", email(n)) for n in range(len(ids))]

    def queue() -> None:
        number = next(numbers)
        with crm.begin() as tx:
            key = f"bulk:{number}"
            tx.messages.queue_many(message(number), channel="nothing", key=key, contact_ids=ids)

    def by_hand() -> None:
        number = next(others)
        shared = _row(hand, people[0], number, "")
        rows = [
            shared
            | {
                "id": hand.new_id(),
                "key": f"bulk:{number}:{place:032}",
                "recipient": named(one.id),
                "address": one.value,
                "contact_id": one.id,
                "name": one.name,
                "locale": one.locale,
            }
            for place, one in enumerate(people)
        ]
        with hand.begin() as connection:
            connection.execute(hand.insert("deliveries"), rows)

    base = Side("Core executemany", by_hand, server=theirs.cpu, units=len(ids))
    side = Side("queue_many", queue, server=ours.cpu, units=len(ids))
    alternate(base, side, rounds=options.rounds, turns=1, warm_up=1)
    what = f"{len(ids):,} in bulk, to contacts that are read first"
    return Row.of("enqueue", ours.database, what, base, side, at_least=0.5)


def _row(hand: Hand, contact: Any, number: int, key: str) -> dict[str, Any]:
    content = {"subject": f"Offer {number}", "text": BODY}
    now = micros(hand.clock())
    return hand.delivery(key=key, topic="offer", contact=contact, now=now, content=content)
