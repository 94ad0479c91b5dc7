"""An order is recorded as paid, against the same rows written by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

from by_hand import Hand
from measure import Side, alternate
from places import Maker, Place
from report import Options, Row
from shop import CATEGORIES, CUSTOMERS, CategoryRule, Sale, ShopPlugin, email, order_of, sale
from sqlalchemy import select

from crmkit import CRM, ContactPoint, Order

TITLE = "tx.orders.record(order, state='paid') with ledger and outbox, against the same rows written by hand"
STRICT = (
    "by hand, statements are built once at the start, which is as fast as Core goes, unless said otherwise"
)
TARGETS = {1: 2.0, 20: 3.0}
_ID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")


@dataclass(frozen=True)
class Shop:
    """A database with customers in it, a CRM and a hand-written data layer over it."""

    place: Place
    crm: CRM
    hand: Hand

    def counts(self) -> dict[str, int]:
        """Return how many rows each table has."""
        with self.place.engine.connect() as connection:
            return {
                name: connection.exec_driver_sql(f"SELECT count(*) FROM {table.fullname}").scalar_one()
                for name, table in self.crm.tables.items()
            }

    def contents(self) -> dict[str, list[str]]:
        """Return the rows of each table as texts, ids left out."""
        with self.place.engine.connect() as connection:
            return {
                name: sorted(_without_ids(row) for row in connection.execute(select(table)))
                for name, table in self.crm.tables.items()
                if name != "installation"
            }


def _without_ids(row: Any) -> str:
    return _ID.sub("ID", repr(tuple("ID" if isinstance(value, UUID) else value for value in row)))


def open_shop(place: Place, rules: int, now: datetime | None = None, *, once: bool = True) -> Shop:
    """Return a shop with so many rules: points for the total, and others for a category each.

    Args:
        place: an empty database.
        rules: how many.
        now: where its clock stands; else it goes.
        once: whether the hand-written side builds its statements once.
    """
    named = {f"rule {number}": CATEGORIES[number % len(CATEGORIES)] for number in range(1, rules)}
    own = ShopPlugin([CategoryRule(name, category) for name, category in named.items()])

    def clock() -> datetime:
        return now or datetime.now(UTC)

    secret = {"core": {"secret": "the same on both sides, so that digests compare"}}
    crm = CRM(place.engine, plugins=["loyalty", own], clock=clock, settings=secret)
    crm.create_tables()
    with crm.begin() as tx:
        for number in range(CUSTOMERS):
            tx.contacts.add(f"Customer {number}", points=[ContactPoint.email(email(number))])
    return Shop(place, crm, Hand(place, named, clock, once=once))


def check(make: Maker, rules: int, lines: int) -> None:
    """Refuse to measure unless both sides write the same rows: compared by content, ids aside."""
    now = datetime.now(UTC)
    ours, theirs = open_shop(make(), rules, now), open_shop(make(), rules, now)
    for number in range(3):
        given = sale(number, lines)._replace(at=now)
        record(ours.crm, order_of(given))
        theirs.hand.record(given)
    mine, by_hand = ours.contents(), theirs.contents()
    different = [name for name in mine if mine[name] != by_hand[name]]
    if different:
        first = different[0]
        pair = next((a, b) for a, b in zip(mine[first], by_hand[first], strict=False) if a != b)
        raise AssertionError(f"both sides must write the same rows; {', '.join(different)} differ: {pair}")


def record(crm: CRM, order: Order) -> None:
    """Record a paid order in a transaction of its own."""
    with crm.begin() as tx:
        tx.orders.record(order, state="paid")


def measure(make: Maker, options: Options) -> Iterator[Row]:
    """Yield the rows of the table for one database."""
    for rules, target in TARGETS.items():
        check(make, rules, 10)
        shops = [open_shop(make(), rules, once=place != 1) for place in range(4)]
        numbers = [count() for _ in shops]
        for lines in (10, 100):
            yield from _case(shops, numbers, options, rules, lines, target)


def _case(
    shops: Sequence[Shop],
    numbers: Sequence[Iterator[int]],
    options: Options,
    rules: int,
    lines: int,
    target: float,
) -> Iterator[Row]:
    theirs, usual, ours, whole = shops
    works: list[tuple[str, Callable[[Sale, Order], object]]] = [
        ("by hand", lambda given, order: theirs.hand.record(given)),
        ("by hand", lambda given, order: usual.hand.record(given)),
        ("orders.record", lambda given, order: record(ours.crm, order)),
        ("from the shop's lines", lambda given, order: record(whole.crm, order_of(given))),
    ]
    sides = [
        _side(shop, number, lines, work, name)
        for shop, number, (name, work) in zip(shops, numbers, works, strict=True)
    ]
    alternate(*sides, rounds=options.rounds, turns=options.turns(60))
    _same_counts(*shops)
    what = f"{rules} rule{'s' * (rules > 1)}, {lines} lines"
    database = ours.place.database
    yield Row.of("record", database, what, sides[0], sides[2], at_most=target, note=STRICT)
    yield Row.of("record", database, f"{what}, statements built where used", sides[1], sides[2])
    yield Row.of("record", database, f"{what}, making the Order included", sides[0], sides[3])


def _side(
    shop: Shop, numbers: Iterator[int], lines: int, work: Callable[[Sale, Order], object], name: str
) -> Side:
    ready: dict[str, Any] = {}

    def prepare() -> None:
        ready["sale"] = sale(next(numbers), lines)
        ready["order"] = order_of(ready["sale"])

    return Side(name, lambda: work(ready["sale"], ready["order"]), prepare, shop.place.cpu)


def _same_counts(*shops: Shop) -> None:
    first, *others = (shop.counts() for shop in shops)
    for other in others:
        if other != first:
            raise AssertionError(f"the sides wrote different numbers of rows: {first} and {other}")
