"""A contact is looked up by its email address among 100,000, against one SELECT written by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

from by_hand import Hand
from measure import Side, alternate
from places import Maker, Place
from report import Options, Row
from shop import email
from sqlalchemy import Connection, Select, bindparam, select

from crmkit import CRM, Contact, ContactPoint, Transaction

TITLE = "tx.contacts.find(point) among 100,000 contacts, against one SELECT of the contact and its points"
TARGET = 2.0
CONTACTS = 100_000
_STEP = 7_919  # a prime: the look-ups jump about in the table
_NOTE = "both in one transaction; by hand, the statement is built once and the rows are fetched"


class Directory:
    """A database with many contacts in it, a CRM and a hand-written look-up over it.

    Args:
        place: an empty database.
        contacts: how many.
    """

    def __init__(self, place: Place, contacts: int) -> None:
        self.place = place
        self.crm = CRM(place.engine)
        self.crm.create_tables()
        self.hand = Hand(place)
        self._fill(contacts)
        self.addresses = [email(number * _STEP % contacts) for number in range(2_000)]
        self.points = [ContactPoint.email(address) for address in self.addresses]
        self.statement = self._select()

    def _fill(self, contacts: int) -> None:
        for start in range(0, contacts, 5_000):
            with self.crm.begin() as tx:
                _add(tx, range(start, min(start + 5_000, contacts)))
        with self.place.engine.connect() as connection:
            connection.exec_driver_sql("ANALYZE")
            connection.commit()

    def _select(self) -> Select[Any]:
        contacts, points = self.hand.table["contacts"], self.hand.table["contact_points"]
        wanted = points.alias()
        joined = wanted.join(contacts, contacts.c.id == wanted.c.contact_id).join(
            points, points.c.contact_id == contacts.c.id
        )
        return (
            select(contacts, points)
            .select_from(joined)
            .where(
                wanted.c.kind == "email",
                wanted.c.scope == "",
                wanted.c.key == bindparam("address"),
                wanted.c.rank == 0,
            )
        )

    def by_hand(self, connection: Connection, address: str) -> Any:
        """Look one up with a statement of one's own."""
        return connection.execute(self.statement, {"address": address}).all()


def _add(tx: Transaction, numbers: range) -> None:
    """Write contacts with an address each, past the API, which would take its time."""
    people = [Contact(id=tx.new_id(), name=f"Customer {number}") for number in numbers]
    contacts, points = tx.table("contacts"), tx.table("contact_points")
    defaults: dict[str, Any] = {column.name: _empty(column) for column in contacts.c}
    tx.sql.insert(
        contacts, [{**defaults, "id": one.id, "name": one.name, "kind": "person"} for one in people]
    )
    blank: dict[str, Any] = {column.name: _empty(column) for column in points.c}
    rows = (
        {**blank, "kind": "email", "key": email(number), "value": email(number), "contact_id": one.id}
        for number, one in zip(numbers, people, strict=True)
    )
    tx.sql.insert(points, list(rows))


def _empty(column: Any) -> Any:
    from crmkit.clock import FOREVER
    from crmkit.sql import Instant, Minor

    if column.nullable:
        return None
    return FOREVER if isinstance(column.type, Instant) else 0 if isinstance(column.type, Minor) else ""


def check(directory: Directory) -> None:
    """Refuse to measure unless both sides find the same."""
    with directory.place.engine.connect() as connection, directory.crm.join(connection) as tx:
        for address, point in zip(directory.addresses[:50], directory.points, strict=False):
            (row,) = directory.by_hand(connection, address)
            found = tx.contacts.find(point)
            if found is None or (found.name, found.points[0].value) != (row.name, row.value):
                raise AssertionError(f"{address}: by hand {row}, crmkit {found}")
        if directory.by_hand(connection, "nobody@mail.example"):
            raise AssertionError("nobody was found")


def measure(make: Maker, options: Options) -> Iterator[Row]:
    """Yield the rows of the table for one database."""
    directory = Directory(make(), CONTACTS // 30 if options.quick else CONTACTS)
    check(directory)
    with directory.place.engine.connect() as connection, directory.crm.join(connection) as tx:
        hand = directory.by_hand
        yield from _case(
            directory,
            options,
            "the point at hand",
            lambda address, point: hand(connection, address),
            lambda address, point: tx.contacts.find(point),
            target=TARGET,
        )
        yield from _case(
            directory,
            options,
            "normalising the address, both sides",
            lambda address, point: hand(connection, ContactPoint.email(address).key),
            lambda address, point: tx.contacts.find(ContactPoint.email(address)),
        )
        nobody = ContactPoint.email("nobody@mail.example")
        yield from _case(
            directory,
            options,
            "an address of nobody",
            lambda address, point: hand(connection, nobody.key),
            lambda address, point: tx.contacts.find(nobody),
            target=TARGET,
        )


def _case(
    directory: Directory,
    options: Options,
    what: str,
    theirs: Callable[[str, ContactPoint], object],
    ours: Callable[[str, ContactPoint], object],
    target: float | None = None,
) -> Iterator[Row]:
    sides = [_side(directory, name, work) for name, work in (("by hand", theirs), ("contacts.find", ours))]
    alternate(*sides, rounds=options.rounds, turns=options.turns(1_500))
    yield Row.of("lookup", directory.place.database, what, *sides, at_most=target, note=_NOTE)


def _side(directory: Directory, name: str, work: Callable[[str, ContactPoint], object]) -> Side:
    wanted = cycle(zip(directory.addresses, directory.points, strict=True))
    ready: dict[str, Any] = {}

    def prepare() -> None:
        ready["address"], ready["point"] = next(wanted)

    return Side(name, lambda: work(ready["address"], ready["point"]), prepare, directory.place.cpu)
