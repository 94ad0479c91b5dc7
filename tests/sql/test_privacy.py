"""After an erasure no read finds the value, on every database, however it is written; nothing brings it back."""

from __future__ import annotations

import base64
import json
import quopri
import sqlite3
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Column, MetaData, inspect, make_url

from crmkit import (
    CRM,
    Accepted,
    ContactPoint,
    Dedup,
    Deferred,
    Message,
    Refund,
    Rejected,
    Transaction,
    hookimpl,
)
from crmkit.clock import FOREVER
from crmkit.contacts import FirstNamePermission, PostalAddress
from crmkit.errors import AlreadyErased
from crmkit.money import Money
from crmkit.privacy.audit import verify
from crmkit.privacy.seals import seal_events
from crmkit.sql import Id, Json, Text, column, table
from crmkit.sql import persons as real_persons
from crmkit.sql.events import number_events
from crmkit.sql.scrub import scrub
from crmkit.testing import FakeClock
from sql.channels import Fake, Plugin
from sql.hosts import order

#: Greek and an emoji in each, so that every encoding of it differs from the others.
MARK = "µάρτυς😀"


class Marks:
    """Gives out values that are found again wherever they went."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def __call__(self, what: str) -> str:
        self.given.append(f"zq{len(self.given):03}{what}{MARK}")
        return self.given[-1]

    def ascii(self, what: str) -> str:
        self.given.append(f"zq{len(self.given):03}{what}")
        return self.given[-1]


def forms(mark: str) -> Iterator[bytes]:
    """Return what a mark looks like raw, JSON-escaped, in base64 at each offset, and in quoted-printable."""
    raw = mark.encode()
    yield raw
    yield json.dumps(mark)[1:-1].encode()
    yield json.dumps(mark.upper())[1:-1].encode()
    yield quopri.encodestring(raw).replace(b"=\n", b"")
    for offset in range(3):
        encoded = base64.b64encode(b"-" * offset + raw)
        yield encoded[4 if offset else 0 : len(encoded) // 4 * 4 - 4]
    yield raw.hex().encode()


def found(url: str, marks: Marks) -> list[str]:
    """Return where marks are found in any text, JSON or binary column of any table of the database."""
    crm = CRM(url)
    needles = {form: mark for mark in marks.given for form in forms(mark)}
    hits = []
    with crm.engine.connect() as connection:
        for name in inspect(connection).get_table_names():
            for row in connection.exec_driver_sql(f"SELECT * FROM {name}").mappings():
                for key, value in row.items():
                    data = value if isinstance(value, bytes) else str(value).encode()
                    hits += [f"{name}.{key}: {mark}" for form, mark in needles.items() if form in data]
    return sorted(set(hits))


class Club(Plugin):
    """A plugin with tables of its own and a reaction that fails with a person's words."""

    marks: Marks

    @hookimpl
    def crmkit_tables(self, metadata: MetaData) -> None:
        table(
            metadata,
            "club_members",
            Column("id", Id(), primary_key=True),
            column("contact_id", Id(), holds="subject"),
            column("nickname", Text(), holds="personal"),
            column("answers", Json(), holds="personal"),
        )
        table(
            metadata,
            "club_letters",
            Column("id", Id(), primary_key=True),
            column("event_id", Id(), of="events"),
            column("words", Text(), holds="personal"),
        )


def fail(tx: Transaction, entry: Any) -> None:
    raise RuntimeError(f"cannot greet {entry.event.name}")


def club(channels: list[Fake], marks: Marks) -> Club:
    from crmkit import ContactAdded

    made = Club(channels=channels, reaction=fail, to=ContactAdded, name="club")
    made.marks = marks
    return made


def answers(marks: Marks) -> Fake:
    """Return a channel whose answers and errors repeat what they were given."""
    script = {
        "*": [
            Accepted(marks("provider id")),
            Rejected(marks("reason"), "550"),
            RuntimeError(marks("failure")),
            Deferred(reason=marks("later")),
        ]
    }
    return Fake(name="fake", dedup=Dedup.KEY, script=script)


def fill(crm: CRM, marks: Marks) -> tuple[UUID, ContactPoint]:
    """Write something personal everywhere; return the contact and one of its addresses."""
    mail = ContactPoint.email(f"{marks.ascii('mail')}@example.com")
    points = [
        mail,
        ContactPoint.external("shop", marks.ascii("external")),
        ContactPoint.handle("mastodon", f"@{marks.ascii('handle')}@example.social"),
        ContactPoint.postal(PostalAddress(street=marks("street"), locality=marks("city"))),
    ]
    with crm.begin() as tx:
        ann = tx.contacts.add(marks("name"), points=points, birth_date=date(1990, 1, 2))
        tx.contacts.update(
            ann.id,
            given_name=marks("given"),
            family_name=marks("family"),
            honorific=marks("honorific"),
            gender=marks("gender"),
            first_name=FirstNamePermission(by=marks("by"), how=marks("how"), at=tx.now),
        )
        details(tx, ann.id, marks)
        rows = [{"id": tx.new_id(), "contact_id": ann.id, "nickname": marks("nick"), "answers": [marks("a")]}]
        tx.sql.insert(tx.table("club_members"), rows)
        event = tx.events.timeline(ann.id)[0]
        rows = [{"id": tx.new_id(), "event_id": event.id, "words": marks("letter")}]
        tx.sql.insert(tx.table("club_letters"), rows)
        tx.orders.record(order("A-1", email=mail.value, placed_at=tx.now, name=marks("buyer")), state="paid")
        tx.orders.shipped("A-1", tracking=marks("tracking"))
        tx.orders.refund("A-1", Refund.of_amount("r", Money(100, "GBP"), reason=marks("refund")))
        tx.orders.record(order("A-2", email=mail.value, placed_at=tx.now))
        tx.orders.cancel("A-2", reason=marks("cancel"))
        for number in range(4):
            message = Message(
                topic="news",
                subject=marks("subject"),
                text=marks("text"),
                html=marks("html"),
                headers={"X-Mark": marks.ascii("header")},
            )
            tx.messages.queue(message, channel="fake", key=f"m{number}", contact_id=ann.id)
        tx.messages.queue(Message(topic="news", text=marks("to")), channel="fake", key="to", to=mail)
        data = Message(topic="news", template="nowhere", data={"words": [marks("data")]})
        tx.messages.queue(data, channel="gone", key="held", contact_id=ann.id)
    return ann.id, mail


def details(tx: Transaction, id: UUID, marks: Marks) -> None:
    """Write what is known of a contact besides its fields."""
    contacts: Any = tx.contacts
    contacts.notes.write(id, marks("note"), kind="interview", needs=[marks("need")])
    contacts.tags.add(id, marks("tag"))
    contacts.facts.add(id, marks("fact"), on="1990-01-02")
    contacts.relations.add(id, "sister", marks("sister"))
    contacts.preferences.set(id, "topic", marks("topic"))
    contacts.stages.set(id, "loyal", reason=marks("stage"))


@pytest.fixture
def marked(database_url: str) -> Iterator[tuple[CRM, Marks, FakeClock]]:
    marks, clock = Marks(), FakeClock()
    crm = CRM(database_url, plugins=["loyalty", club([answers(marks)], marks)], clock=clock)
    crm.create_tables()
    yield crm, marks, clock
    crm.engine.dispose()


def test_after_an_erasure_no_read_finds_a_value(
    marked: tuple[CRM, Marks, FakeClock], database_url: str
) -> None:
    crm, marks, clock = marked
    placed = clock()
    id, mail = fill(crm, marks)
    with crm.begin() as tx:
        ben = tx.contacts.add("Ben", points=[ContactPoint.email("ben@example.com")]).id
    from crmkit_loyalty import Loyalty

    with crm.begin() as tx:
        Loyalty(tx).grant(id, 50, "g1", marks("grant"))
        Loyalty(tx).redeem(id, 20, "r1", marks("redeem"))
        points = Loyalty(tx).balance(id)
    crm.run_due()
    assert len({hit.partition(":")[0] for hit in found(database_url, marks)}) > 15
    head = verify(crm).head
    before = exported_facts(crm)

    assert crm.erase(id, reason="asked").complete

    assert found(database_url, marks) == []
    # the log is whole: nothing is missing, and the seals from before hold
    clock.advance(minutes=2)
    crm.run_due()
    audit = verify(crm, head=head)
    assert audit.intact and not audit.unexplained, audit
    assert exported_facts(crm)[: len(before)] == before
    with crm.begin() as tx:
        assert tx.contacts.get(ben).name == "Ben"
        assert Loyalty(tx).balance(id) == points
        # whoever repeats what was recorded hears what is stored, and brings nothing back
        assert Loyalty(tx).grant(id, 50, "g1", marks.given[-2]).key == "grant:g1"
        again = tx.orders.record(order("A-1", email=mail.value, placed_at=placed), state="paid")
        assert again.replayed and again.contact_id == id
        assert tx.orders.shipped("A-1", tracking="whatever").replayed
        assert tx.orders.cancel("A-2", reason="whatever").replayed
        assert tx.contacts.find(mail) is None
    crm.erase(id)
    assert found(database_url, marks) == []


def exported_facts(crm: CRM) -> list[Any]:
    """Return the log's rows as they are stored."""
    with crm.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT position, type, data, digest FROM crm_events WHERE position > 0 ORDER BY position"
        )
        return [tuple(row) for row in rows]


@pytest.mark.parametrize("broken", ["deliveries", "event_personal", "failures", "club_letters"])
def test_the_search_finds_what_an_erasure_forgets(
    sqlite_url: str, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each mutant forgets one table; the search must tell."""
    real = real_persons.clear

    def forgetful(sql: Any, one: Any, whose: Any) -> int:
        return 0 if one.name == broken else real(sql, one, whose)

    monkeypatch.setattr(real_persons, "clear", forgetful)
    if broken == "failures":
        monkeypatch.setattr(real_persons, "clear_mentions", lambda sql, values: 0)
    marks = Marks()
    crm = CRM(sqlite_url, plugins=[club([answers(marks)], marks)], clock=FakeClock())
    crm.create_tables()
    id, _ = fill(crm, marks)
    crm.run_due()
    crm.erase(id)
    hits = found(sqlite_url, marks)
    assert hits and all(hit.startswith(f"crm_{broken}.") for hit in hits)


def test_a_delivery_that_is_being_sent_brings_nothing_back(
    marked: tuple[CRM, Marks, FakeClock], database_url: str
) -> None:
    """The worker holds the delivery in its hands; the contact is erased; the provider's answer is dropped."""
    marks, clock = Marks(), FakeClock()
    channel = Fake(name="fake", dedup=Dedup.NONE)
    crm = CRM(database_url, plugins=[club([channel], marks)], clock=clock)
    with crm.begin() as tx:
        id = tx.contacts.add(marks("name"), points=[ContactPoint.email(f"{marks.ascii('m')}@example.com")]).id
        for number in range(2):
            message = Message(topic="news", text=marks("text"))
            tx.messages.queue(message, channel="fake", key=f"m{number}", contact_id=id)

    def meanwhile(delivery: Any, ctx: Any) -> Any:
        other = CRM(database_url, plugins=[club([Fake(name="fake")], marks)], clock=clock)
        other.erase(id)
        other.engine.dispose()
        return Accepted(marks("provider id"))

    channel.script = {"*": [meanwhile]}
    crm.run_due()
    clock.advance(minutes=3)
    crm.run_due()
    assert found(database_url, marks) == []
    assert len(channel.effects) == 1  # the second was never sent
    with crm.begin() as tx:
        assert sorted(one.state for one in tx.messages.list()) == ["suppressed", "unknown"]
        assert {one.reason for one in tx.messages.list()} == {"erased"}


@pytest.mark.parametrize("server", ["postgresql", "mariadb"])
def test_what_is_recorded_meanwhile_is_cleared_with_the_next_run(
    request: pytest.FixtureRequest, server: str
) -> None:
    """An order's transaction read the contact before the erasure and commits after it."""
    url = request.getfixturevalue(f"{server}_url")
    marks, clock = Marks(), FakeClock()
    crm, other = (CRM(url, plugins=[club([Fake(name="fake")], marks)], clock=clock) for _ in range(2))
    crm.create_tables()
    mail = ContactPoint.email(f"{marks.ascii('m')}@example.com")
    with crm.begin() as tx:
        id = tx.contacts.add(marks("name"), points=[mail]).id
    with crm.begin() as tx:
        name = tx.contacts.get(id).name
        other.erase(id)
        tx.orders.record(order("A-1", email="", contact_id=id, placed_at=tx.now, name=""), state="paid")
        deliver(tx, id, name)
        with pytest.raises(AlreadyErased):
            tx.contacts.update(id, given_name=name)
    assert found(url, marks) != []
    clock.advance(minutes=2)
    crm.run_due()
    assert found(url, marks) == []
    with crm.begin() as tx:
        assert tx.orders.get("A-1").contact_id == id


def deliver(tx: Transaction, id: UUID, name: str) -> None:
    """Queue as a plugin does that still has the contact in its hands."""
    row = {
        "id": tx.new_id(),
        "key": "late",
        "channel": "fake",
        "recipient": str(id),
        "address": name,
        "contact_id": id,
        "topic": "news",
        "repeat": "at_least_once",
        "state": "queued",
        "due_at": FOREVER,
        "expires_at": FOREVER,
        "queued_at": tx.now,
        "attempt": 0,
        "claim": None,
        "reason": "",
        "provider_id": "",
        "name": name,
        "locale": "",
        "content": {"text": f"Dear {name}"},
    }
    known = {one.name for one in tx.table("deliveries").columns}
    defaults = dict.fromkeys(known - set(row), "")
    tx.sql.insert(tx.table("deliveries"), [row | defaults])


@pytest.mark.parametrize("server", ["postgresql", "mariadb"])
def test_two_erasures_at_once_are_one(request: pytest.FixtureRequest, server: str) -> None:
    url = request.getfixturevalue(f"{server}_url")
    crm = CRM(url, clock=FakeClock())
    crm.create_tables()
    with crm.begin() as tx:
        id = tx.contacts.add("Ann").id
    together = threading.Barrier(3)
    done: list[Any] = []

    def erase(reason: str) -> None:
        together.wait(5)
        try:
            done.append(crm.erase(id, reason=reason).reason)
        except Exception as error:
            done.append(error)

    threads = [threading.Thread(target=erase, args=(f"reason {number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(done) == 3 and len(set(done)) == 1, done
    with crm.begin() as tx:
        assert [one.type for one in tx.events.timeline(id)] == ["ContactErased", "ContactAdded"]


@pytest.mark.parametrize("server", ["postgresql", "mariadb"])
def test_a_change_that_waits_for_an_erasure_is_refused(request: pytest.FixtureRequest, server: str) -> None:
    url = request.getfixturevalue(f"{server}_url")
    crm, other = (CRM(url, clock=FakeClock()) for _ in range(2))
    crm.create_tables()
    with crm.begin() as tx:
        id = tx.contacts.add("Ann").id
    began, raised = threading.Event(), []

    def change() -> None:
        began.set()
        try:
            other.transact(lambda tx: tx.contacts.update(id, given_name="Ann"))
        except Exception as error:
            raised.append(error)

    with crm.begin() as tx:
        tx.privacy.erase(id)
        thread = threading.Thread(target=change)
        thread.start()
        began.wait(5)
        thread.join(0.3)
    thread.join(10)
    assert [type(error) for error in raised] == [AlreadyErased]
    with crm.begin() as tx:
        assert tx.contacts.get(id).given_name == ""


@pytest.mark.parametrize("server", ["postgresql", "mariadb"])
def test_a_late_commit_is_sealed_later_and_two_sealers_make_one_chain(
    request: pytest.FixtureRequest, server: str
) -> None:
    url = request.getfixturevalue(f"{server}_url")
    crm = CRM(url, clock=FakeClock())
    crm.create_tables()
    with crm.begin() as early:
        early.contacts.add("Ann")
        with crm.begin() as late:
            late.contacts.add("Ben")
        crm.run_due()
        assert (verify(crm).sealed, verify(crm).intact) == (1, True)
    with crm.begin() as tx:
        for number in range(20):
            tx.contacts.add(f"Ann {number}")
        number_events(tx.sql, 100)
    together = threading.Barrier(3)

    def seal() -> None:
        together.wait(5)
        seal_events(crm)

    threads = [threading.Thread(target=seal) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    audit = verify(crm)
    assert (audit.intact, audit.sealed, audit.batches) == (True, 22, 2), audit


def test_scrubbing_takes_the_bytes_out_of_the_files(tmp_path: Path) -> None:
    """With secure_delete off SQLite leaves deleted rows in its pages, until it is scrubbed."""
    path, marks = tmp_path / "shop.db", Marks()
    crm = CRM(f"sqlite:///{path}", plugins=[club([answers(marks)], marks)], clock=FakeClock())
    crm.create_tables()
    keeper = sqlite3.connect(path)  # keeps the write-ahead log from going away by itself
    keeper.execute("PRAGMA secure_delete = OFF")
    assert keeper.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    with crm.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA secure_delete = OFF")
    id, _ = fill(crm, marks)
    crm.run_due()
    crm.erase(id)
    assert found(str(crm.engine.url), marks) == []
    assert bytes_left(tmp_path, marks) != []  # or the test would prove nothing
    scrub(crm.engine, list(crm.tables.values()))
    assert bytes_left(tmp_path, marks) == []
    assert {file.name for file in tmp_path.iterdir()} >= {"shop.db", "shop.db-wal"}
    keeper.close()


def bytes_left(folder: Path, marks: Marks) -> list[str]:
    """Return which marks stand in the bytes of a database's files."""
    data = b"".join(file.read_bytes() for file in folder.iterdir())
    return [mark for mark in marks.given if any(form in data for form in forms(mark))]


def test_scrubbing_goes_table_by_table_on_servers(database_url: str) -> None:
    crm = CRM(database_url)
    crm.create_tables()
    tables = [crm.tables[name] for name in ("contacts", "events")]
    done = scrub(crm.engine, tables)
    if make_url(database_url).get_backend_name() == "sqlite":
        assert done == ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"]
    else:
        assert len(done) == 2 and all("crm_" in statement for statement in done)
