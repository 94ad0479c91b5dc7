"""Erasure beside the other parts of a contact: merges, segments, suppressions, and a table of the host's."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table

from crmkit import CRM, ContactAdded, ContactErased, ContactPoint, KeyConflict, MappedContacts, Message
from crmkit.testing import FakeClock, MemoryContacts, RecordingChannel, memory_crm

ANN = ContactPoint.email("ann@example.com")
ANNIE = ContactPoint.email("annie@example.com")


def merged(crm: CRM) -> tuple[UUID, UUID]:
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann Lee", points=[ANN]).id
        annie = tx.contacts.add("Annie Lee", points=[ANNIE]).id
        tx.contacts.notes.write(annie, "likes tea")
        tx.merges.merge(annie, ann, reason="said so herself")
    return ann, annie


@pytest.mark.parametrize("by", [0, 1])
def test_a_merged_contact_is_exported_and_erased_whole_by_any_of_its_ids(by: int) -> None:
    crm = memory_crm()
    ids = merged(crm)
    with crm.begin() as tx:
        told = tx.privacy.export(ids[by])
        assert {row["name"] for row in told["tables"]["contacts"]} == {"Ann Lee", "Annie Lee"}
        assert [row["text"] for row in told["tables"]["contact_notes"]] == ["likes tea"]
        assert sorted(told["ids"]) == sorted(map(str, ids))
    crm.erase(ids[by], reason="asked")
    with crm.begin() as tx:
        for id in ids:
            contact = tx.contacts.get(id)
            assert (contact.name, contact.points) == ("", ())
            assert tx.privacy.erased(id) is not None
            told = tx.privacy.export(id)
            assert "contact_notes" not in told["tables"] and "contact_points" not in told["tables"]
        assert tx.contacts.find(ANN) is None and tx.contacts.find(ANNIE) is None
        assert "Lee" not in str(told) and "herself" not in str(told)


def test_a_segment_holds_nobody_who_was_erased_and_a_suppression_survives() -> None:
    crm = memory_crm()
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann", points=[ANN], locale="en").id
        tx.segments.define("english", "contact.locale == 'en'")
        tx.segments.refresh("english")
        tx.suppressions.add(ANN, "complaint")
        assert tx.sql.execute(tx.table("segment_members").select()).first() is not None
    crm.erase(ann)
    with crm.begin() as tx:
        assert tx.sql.execute(tx.table("segment_members").select()).first() is None
        assert [one.reason for one in tx.suppressions.find(ANN)] == ["complaint"]
        assert tx.sql.execute(tx.table("duplicate_keys").select()).first() is None


@pytest.fixture
def customers() -> Table:
    return Table(
        "customers",
        MetaData(),
        Column("no", Integer, primary_key=True),
        Column("full_name", String(80), nullable=False),
        Column("mail", String(80)),
    )


def shop(path: Path, customers: Table, *, read_only: bool) -> tuple[CRM, UUID]:
    columns = {"name": "full_name", "email": "mail"}
    store = MappedContacts(table=customers, columns=columns, read_only=read_only)
    crm = CRM(f"sqlite:///{path / 'shop.db'}", contacts=store, clock=FakeClock())
    crm.create_tables()
    with crm.engine.begin() as connection:
        customers.create(connection)
        connection.execute(customers.insert(), [{"full_name": "Ann Lee", "mail": "ann@example.com"}])
    with crm.begin() as tx:
        found = tx.contacts.find(ANN)
        assert found is not None
        tx.contacts.notes.write(found.id, "likes tea")
        tx.messages.queue(Message(topic="hi", text="Dear Ann"), channel="post", key="to", to=ANN)
        return crm, found.id


def host_rows(crm: CRM, customers: Table) -> list[Any]:
    with crm.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(customers.select())]


def test_a_host_that_is_only_read_clears_its_own_columns_and_says_so(
    tmp_path: Path, customers: Table
) -> None:
    crm, ann = shop(tmp_path, customers, read_only=True)
    erasure = crm.erase(ann)
    assert erasure.host == ("customers.full_name", "customers.mail")
    assert host_rows(crm, customers) == [(1, "Ann Lee", "ann@example.com")]
    with crm.begin() as tx:
        assert tx.messages.list()[0].delivery.text == ""  # found by the address in the host's table
        assert [one.contact_id for one in tx.privacy.pending()] == [ann]
        assert "contact_notes" not in tx.privacy.export(ann)["tables"]
    with crm.engine.begin() as connection:
        connection.execute(customers.update().values(full_name="", mail=None))
    with crm.begin() as tx:
        tx.privacy.confirm_host_erased(ann)
        assert tx.privacy.pending() == [] and tx.contacts.get(ann).name == ""
    crm.engine.dispose()


def test_columns_that_crmkit_may_write_are_cleared(tmp_path: Path, customers: Table) -> None:
    crm, ann = shop(tmp_path, customers, read_only=False)
    assert crm.erase(ann).host == ()
    assert host_rows(crm, customers) == [(1, "", None)]
    crm.engine.dispose()


def test_what_went_to_an_address_of_old_is_found_however_it_was_written() -> None:
    crm = memory_crm()
    old = ContactPoint.email("Ann.Old@Example.com")
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann", points=[ANN, old]).id
        for number, to in enumerate(
            [old, ContactPoint.email("ann.old@example.com"), ContactPoint.email("x@y.org")]
        ):
            tx.messages.queue(Message(topic="hi", text="Dear"), channel="post", key=f"m{number}", to=to)
        tx.contacts.points.remove(ann, old)
    crm.erase(ann)
    with crm.begin() as tx:
        assert [(one.delivery.address, one.delivery.text) for one in tx.messages.list()] == [
            ("", ""),
            ("", ""),
            ("x@y.org", "Dear"),
        ]


def test_an_erasure_is_undone_with_the_transaction_that_it_is_part_of() -> None:
    crm = memory_crm()
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann", points=[ANN]).id
    with crm.engine.connect() as connection:
        host = connection.begin()
        crm.join(connection).privacy.erase(ann)
        host.rollback()
    with crm.begin() as tx:
        assert tx.contacts.get(ann).name == "Ann" and tx.privacy.erased(ann) is None


def test_what_is_queued_to_somebody_erased_is_never_sent() -> None:
    clock = FakeClock()
    channel = RecordingChannel("post")
    crm = memory_crm(clock=clock, plugins=[channel])
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann", points=[ANN]).id
    crm.erase(ann)
    clock.advance(days=30)
    message = Message(topic="hi", text="Dear Ann")
    with crm.begin() as tx:
        tx.messages.queue(message, channel="post", key="m", contact_id=ann, to=ANN)
    crm.run_due()
    assert channel.deliveries == []
    with crm.begin() as tx:
        assert [(one.state, one.reason) for one in tx.messages.list()] == [("suppressed", "erased")]
    clock.advance(minutes=1)
    crm.run_due()
    with crm.begin() as tx:
        assert tx.messages.list()[0].delivery.text == ""


def test_contacts_that_stand_elsewhere_are_cleared_through_their_store() -> None:
    crm = memory_crm(contacts=MemoryContacts())
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann", given_name="Ann", points=[ANN]).id
    assert crm.erase(ann).complete
    with crm.begin() as tx:
        contact = tx.contacts.get(ann)
        assert (contact.name, contact.given_name, contact.points) == ("", "", ())


def test_an_event_told_again_after_an_erasure_is_the_stored_one() -> None:
    crm = memory_crm()
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann").id
        told = tx.events.append(ContactAdded(name="Ann"), key="k", contact_id=ann)
        with pytest.raises(KeyConflict):
            tx.events.append(ContactAdded(name="Eve"), key="k", contact_id=ann)
    crm.erase(ann)
    with crm.begin() as tx:
        again = tx.events.append(ContactAdded(name="Ann"), key="k", contact_id=ann)
        assert (again.id, again.event, again.erased) == (told.id, ContactAdded(), True)
        with pytest.raises(KeyConflict):  # what is not personal still tells facts apart
            tx.events.append(ContactErased(reason="Ann"), key="k", contact_id=ann)


@pytest.mark.parametrize("purpose", ["service", "news"])
@pytest.mark.parametrize("many", [False, True])
def test_what_is_queued_to_somebody_erased_and_goes_to_nobody_is_cleared(purpose: str, many: bool) -> None:
    clock = FakeClock()
    crm = memory_crm(clock=clock, plugins=[RecordingChannel()])
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann", points=[ANN]).id
    crm.erase(ann)
    for _ in range(4):
        clock.advance(days=2)
        crm.run_due()
    message = Message(topic="hi", purpose=purpose, text="Dear Ann")
    with crm.begin() as tx:
        if many:
            tx.messages.queue_many(message, channel="email", key="m", contact_ids=[ann])
        else:
            tx.messages.queue(message, channel="email", key="m", contact_id=ann)
    clock.advance(minutes=1)
    crm.run_due()
    with crm.begin() as tx:
        (status,) = tx.messages.list()
        assert (status.state, status.reason, status.delivery.text) == ("suppressed", "erased", "")


@pytest.mark.parametrize(
    "point",
    [
        ContactPoint.email("Ann@Straße.example"),
        ContactPoint.postal("1, Main St: left\nTown", "DE"),
        ContactPoint.postal("1, Main St: left\nTown"),
        ContactPoint.handle("Chat", "@Ann.Lee"),
        ContactPoint.external("shop", "A17"),
    ],
    ids=str,
)
def test_what_went_to_a_point_that_was_taken_away_is_found(point: ContactPoint) -> None:
    crm = memory_crm()
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann", points=[point]).id
        tx.messages.queue(Message(topic="hi", text="Dear"), channel="post", key="m", to=point)
        tx.contacts.points.remove(ann, point)
    crm.erase(ann)
    with crm.begin() as tx:
        (status,) = tx.messages.list()
        assert (status.delivery.address, status.delivery.text) == ("", "")
