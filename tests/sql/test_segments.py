"""Segments are refreshed set-wise, over the CRM's own contacts and over a table of the host's, on every database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Integer, MetaData, String, Table, insert

from crmkit import CRM, ContactPoint, MappedContacts, SegmentEntered, SegmentLeft, Transaction

HEARD = (SegmentEntered, SegmentLeft)


def heard(tx: Transaction, contact_id: Any) -> list[str]:
    """Return the names of the events of segments of a contact, oldest first."""
    events = [entry.event for entry in tx.events.timeline(contact_id)]
    return [type(event).__name__ for event in reversed(events) if isinstance(event, HEARD)]


def test_a_refresh_tells_who_came_and_who_left(database_url: str) -> None:
    crm = CRM(database_url)
    crm.create_tables()
    with crm.begin() as tx:
        ann, bo, eve = (tx.contacts.add(name, gender="f") for name in ("Ann", "Bo", "Eve"))
        tx.segments.define("women", "contact.gender == 'f'")
        first = tx.segments.refresh("women")
    assert (first.members, first.entered, first.left) == (3, 3, 0)
    with crm.begin() as tx:
        assert heard(tx, ann.id) == []
        tx.contacts.update(ann.id, gender="")
        cy = tx.contacts.add("Cy", gender="f")
    with crm.begin() as tx:
        second = tx.segments.refresh("women")
        assert (second.members, second.entered, second.left) == (3, 1, 1)
        again = tx.segments.refresh("women")
        assert (again.members, again.entered, again.left) == (3, 0, 0)
    with crm.begin() as tx:
        tx.contacts.update(ann.id, gender="f")
        tx.merges.merge(bo.id, eve.id)
        third = tx.segments.refresh("women")
        assert (third.members, third.entered, third.left) == (3, 1, 0)
        assert [heard(tx, one.id) for one in (ann, bo, cy)] == [
            ["SegmentLeft", "SegmentEntered"],
            [],
            ["SegmentEntered"],
        ]
        assert tx.segments.count("women") == 3
        tx.segments.drop("women")
    crm.engine.dispose()


def test_contacts_of_a_host_s_table_are_asked_and_kept(database_url: str) -> None:
    metadata = MetaData()
    customers = Table(
        "customers",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("mail", String(100)),
        Column("label", String(60)),
        Column("sex", String(5)),
    )
    columns = {"email": "mail", "name": "label", "gender": "sex"}
    store = MappedContacts(table=customers, columns=columns, read_only=True)
    crm = CRM(database_url, contacts=store)
    crm.create_tables()
    metadata.create_all(crm.engine)
    with crm.engine.begin() as connection:
        rows = [
            {"id": n, "mail": f"c{n}@example.com", "label": f"C{n}", "sex": "f" if n % 2 else None}
            for n in range(1, 11)
        ]
        connection.execute(insert(customers), rows)
    with crm.begin() as tx:
        known = tx.contacts.find(ContactPoint.email("c3@example.com"))
        assert known is not None
        tx.contacts.tags.add(known.id, "vip")
        tx.segments.define("women", "contact.gender == 'f'")
        tx.segments.define("tagged", "'vip' in contact.tags and contact.name == 'C3'")
        tx.segments.define("untagged", "'vip' not in contact.tags and orders.count == 0")
        assert [tx.segments.count(name) for name in ("women", "tagged", "untagged")] == [5, 1, 9]
        assert {one.name for one in tx.segments.preview("women")} == {"C1", "C3", "C5", "C7", "C9"}
        for member in tx.segments.members("untagged"):
            assert tx.segments.contains("untagged", member.id)
            assert not tx.segments.explain("tagged", member.id)
        assert tx.segments.refresh("women").entered == 5
    with crm.begin() as tx:
        tx.sql.execute(customers.delete().where(customers.c.id == 1))
        tx.sql.execute(customers.update().where(customers.c.id == 2).values(sex="f"))
        done = tx.segments.refresh("women")
        assert (done.members, done.entered, done.left) == (5, 1, 1)
        two = tx.contacts.find(ContactPoint.email("c2@example.com"))
        assert two is not None and heard(tx, two.id) == ["SegmentEntered"]
    crm.engine.dispose()
