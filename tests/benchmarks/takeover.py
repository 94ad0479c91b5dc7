"""Customers are taken over from CSV, against Core's batches of the same rows after the same normalising calls."""

from __future__ import annotations

import csv
import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from hashlib import sha256
from itertools import count, islice
from os import urandom
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import perf_counter_ns, process_time_ns
from typing import Any

from by_hand import END_OF_TIME, Hand, to_json
from measure import Cost, Side
from places import Maker, Place
from report import Options, Row
from sqlalchemy import select, text
from sqlalchemy.dialects import postgresql, sqlite

from crmkit import CRM, ContactPoint
from crmkit.clock import micros
from crmkit.contacts import PostalAddress
from crmkit.duplicates.folding import fold, fold_email
from crmkit.duplicates.keys import keys_of
from crmkit.duplicates.record import Record, place_of
from crmkit.exchange import ColumnMap, import_contacts, look

TITLE = (
    "import contacts: 100,000 rows of CSV, one in ten a duplicate by email, with tags, against Core's batches"
)
ROWS = 100_000
AT_ONCE = 1000
ANALYZE_AFTER = 5
_GIVEN = "Ann Bob Carla Dmitri Eka Fatima Giorgi Hanna Ivan Jun Kim Lena Minh Nino Olu Petra Quan Rosa Sara Tom".split()
_FAMILY = (
    "Smith Jones Maisuradze Nguyen Garcia Müller Rossi Dubois Kowalski Tanaka Santos Ivanov Haddad".split()
)
_HEADER = "first name,last name,email,phone,street,city,postcode,country,tags,date of birth"


def write_file(path: Path, rows: int) -> None:
    """Write so many rows of made-up people; one in ten has an email that came before, and a tag more."""
    random = Random(7)
    with path.open("w", encoding="utf-8", newline="") as out:
        out.write(_HEADER + "\r\n")
        for row in range(rows):
            again = row and random.random() < 0.1
            number = random.randrange(row) if again else row
            one = Random(number)
            tags = "again" if again else f"{one.choice(('vip', 'news'))};{one.choice(('2024', '2025'))}"
            born = date(1940 + one.randrange(60), 1 + one.randrange(12), 1 + one.randrange(28))
            cells = (
                one.choice(_GIVEN), one.choice(_FAMILY), f"person{number}@example{number % 97}.com",
                f"+44 20 79{number // 10000:02} {number % 10000:04}", f"{number % 300} High Street",
                f"Town {number % 5000}", f"AB{number % 99} {number % 9}CD", "GB", tags, born,
            )  # fmt: skip
            out.write(",".join(map(str, cells)) + "\r\n")


def measure(make: Maker, options: Options) -> Iterator[Row]:
    """Yield the row of the table for one database."""
    rows = ROWS // 30 if options.quick else ROWS
    with TemporaryDirectory(prefix="crmkit-bench-") as folder:
        file = Path(folder) / "customers.csv"
        write_file(file, rows)
        base, side = Side("Core batches", lambda: None, units=rows), Side("import", lambda: None, units=rows)
        places: list[Place] = []
        for turn in range(options.turns(1) if options.quick else 3):
            base.rounds.append([])
            side.rounds.append([])
            ours, theirs = make(), make()
            places += [ours, theirs]
            pair = [(base, theirs, by_hand), (side, ours, by_crmkit)]
            for one, place, work in pair if turn % 2 else reversed(pair):
                _turn(one, place, work, file)
        yield Row.of(
            "takeover", places[0].database, f"import {rows:,} contacts", base, side, at_least=1.0, rate=True
        )


def _turn(side: Side, place: Place, work: Any, file: Path) -> None:
    CRM(place.engine).create_tables()
    gc.collect()
    side.run = lambda: work(place, file)
    side.server = place.cpu
    side.turn()


def by_crmkit(place: Place, file: Path) -> Cost:
    """Import the file."""
    crm = CRM(place.engine)
    with _timed() as cost:
        report = import_contacts(crm, look(file, ColumnMap()))
    assert report.rejected == 0, report.reasons
    return cost[0]


def by_hand(place: Place, file: Path) -> Cost:
    """Write the same rows with Core."""
    hand = Hand(place)
    with _timed() as cost, file.open(encoding="utf-8", newline="") as source:
        reader = csv.DictReader(source)
        for number in count(1):
            if not (rows := list(islice(reader, AT_ONCE))):
                break
            with hand.begin() as connection:
                _Batch(hand, connection).write(rows)
                if number == ANALYZE_AFTER:  # as servers do after a while; `key IN` crawls until then
                    connection.execute(text("ANALYZE"))
    return cost[0]


@contextmanager
def _timed() -> Iterator[list[Cost]]:
    cost: list[Cost] = []
    cpu, started = process_time_ns(), perf_counter_ns()
    yield cost
    cost.append(Cost(perf_counter_ns() - started, process_time_ns() - cpu))


class _Batch:
    """A thousand rows, upserted by email."""

    def __init__(self, hand: Hand, connection: Any) -> None:
        self.hand = hand
        self.connection = connection
        self.now = micros(datetime.now(UTC))
        self.rows: dict[str, list[dict[str, Any]]] = {}

    def write(self, rows: Sequence[dict[str, str]]) -> None:
        """Look up who is known, then insert."""
        points = [_points(row) for row in rows]
        emails = [email for email, _, _ in points]
        c = self.hand.table["contact_points"].c
        known_of = select(c.key, c.contact_id).where(c.kind == "email", c.scope == "", c.rank == 0)
        wanted = known_of.where(c.key.in_(sorted({email.key for email in emails})))
        known: dict[str, Any] = dict(self.connection.execute(wanted).tuples().all())
        for row, own in zip(rows, points, strict=True):
            key = own[0].key
            if key not in known:
                known[key] = self._add(row, own)
            self._tag(known[key], row["tags"])
        for name, found in self.rows.items():
            if name != "contact_tags":
                self.connection.execute(self.hand.insert(name), found)
        make = sqlite.insert if self.connection.dialect.name == "sqlite" else postgresql.insert
        table = self.hand.table["contact_tags"]
        upsert = self.hand.statement("tags", lambda: make(table).on_conflict_do_nothing())
        self.connection.execute(upsert, self.rows["contact_tags"])

    def _add(self, row: dict[str, str], own: tuple[ContactPoint, ...]) -> Any:
        id, now = self.hand.new_id(), self.now
        email, phone, postal = own
        parts = postal.parts
        assert parts is not None
        given, family, born = row["first name"], row["last name"], date.fromisoformat(row["date of birth"])
        self._put("contacts", _contact(id, given, family, born, now))
        for place, point in enumerate(own):
            self._put("contact_points", _point(id, place, point, now))
        folded = (fold_email(email.key),), (phone.key,), (place_of(parts, postal.value, postal.scope),)
        record = Record(fold(given), fold(family), born.isoformat(), *folded)
        for key in keys_of(record, b"k" * 32):
            self._put("duplicate_keys", {"contact_id": id, "key": key})
        points = [str(point) for point in own]
        self._event(id, "ContactAdded", {"name": f"{given} {family}", "points": points})
        return id

    def _tag(self, id: Any, text: str) -> None:
        tags = sorted(tag.strip().casefold() for tag in text.split(";"))
        for tag in tags:
            self._put("contact_tags", {"contact_id": id, "tag": tag, "added_at": self.now})
        self._event(id, "TagsChanged", {"added": tags})

    def _event(self, contact_id: Any, type: str, personal: dict[str, Any]) -> None:
        id, salt, text = self.hand.new_id(), urandom(16).hex(), to_json(personal)
        shared = {"version": 1, "actor": "system", "cause_id": None, "position": None, "data": "{}"}
        times = {"occurred_at": self.now, "recorded_at": self.now}
        digest = sha256(f"{salt}:{text}".encode()).hexdigest()
        key = {
            "id": id,
            "type": type,
            "key": f"{type}:{id}",
            "contact_id": contact_id,
            "subject_id": contact_id,
        }
        self._put("events", shared | times | key | {"digest": digest})
        self._put("event_personal", {"event_id": id, "data": text, "salt": salt})

    def _put(self, table: str, row: dict[str, Any]) -> None:
        self.rows.setdefault(table, []).append(row)


def _points(row: dict[str, str]) -> tuple[ContactPoint, ContactPoint, ContactPoint]:
    """The normalising calls, for every row: what an import cannot know before it has made them."""
    parts = PostalAddress(
        street=row["street"], locality=row["city"], postcode=row["postcode"], country=row["country"]
    )
    return ContactPoint.email(row["email"]), ContactPoint.phone(row["phone"]), ContactPoint.postal(parts)


def _contact(id: Any, given: str, family: str, born: date, now: int) -> dict[str, Any]:
    empty = dict.fromkeys(
        (
            "honorific",
            "formality",
            "name_order",
            "first_name_by",
            "first_name_how",
            "gender",
            "locale",
            "zone",
            "classification",
            "stage",
            "owner",
        ),
        "",
    )
    return empty | {
        "id": id, "kind": "person", "name": f"{given} {family}", "given_name": given, "family_name": family,
        "first_name_at": END_OF_TIME, "birth_date": born.isoformat(), "business": 0, "internal": 0,
        "source": "import", "created_at": now, "updated_at": now,
    }  # fmt: skip


def _point(id: Any, place: int, point: ContactPoint, now: int) -> dict[str, Any]:
    parts = point.parts
    named = {
        name: getattr(parts, name)
        for name in ("street", "locality", "postcode", "country")
        if parts is not None
    }
    return {
        "kind": point.kind.value, "scope": point.scope, "key": point.key, "rank": 0, "contact_id": id,
        "ordinal": place, "value": point.value, "label": "", "source": "import", "verified_at": END_OF_TIME,
        "is_primary": 0, "parts": to_json(named) if named else None, "country": named.get("country", ""),
        "city": named.get("locality", ""), "postcode": named.get("postcode", ""), "added_at": now,
    }  # fmt: skip
