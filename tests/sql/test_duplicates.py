"""Duplicates on every database: keys, checks, the search, the queue, and two at once."""

from __future__ import annotations

from uuid import UUID

import pytest

from crmkit import CRM, ContactPoint
from crmkit.contacts import Contact, PostalAddress
from crmkit.duplicates.review import PairState
from crmkit.sql import duplicate_pairs as pairs
from crmkit.sql.duplicates import read_keys


@pytest.fixture
def crm(database_url: str) -> CRM:
    crm = CRM(database_url)
    crm.create_tables()
    return crm


def person(number: int, family: str, street: int) -> Contact:
    """Return somebody who lives in York; up to number 99 all are called Ann and were born on one day."""
    home = PostalAddress(street=f"{street} Mill Road", locality="York", postcode=f"YO{street}", country="GB")
    return Contact(
        id=UUID(int=number),
        given_name="Ann" if number < 100 else f"{family}ina",
        family_name=family,
        birth_date="1970-01-05" if number < 100 else f"19{number - 80}-03-1{number % 10}",
        points=[ContactPoint.postal(home), ContactPoint.email(f"p{number}@example.com")],
    )


@pytest.mark.parametrize("fresh", [1, 60])
def test_pairs_that_are_there_are_left_alone_and_the_others_are_added(crm: CRM, fresh: int) -> None:
    """kills: add_pairs without what it does where a pair is there, and one that overwrites it."""
    known, *others = [(UUID(int=number), UUID(int=1000 + number)) for number in range(1, fresh + 2)]
    with crm.begin() as tx:
        pairs.add_pairs(tx.sql, [pairs.pair_row(known, 2.0, [], crm.clock())])
        pairs.decide(tx.sql, known, PairState.DISTINCT, crm.clock(), "staff:bea")
    with crm.begin() as tx:
        pairs.add_pairs(tx.sql, [pairs.pair_row(ids, 9.0, ["name"], crm.clock()) for ids in (*others, known)])
        pairs.add_pairs(tx.sql, [])
    with crm.begin() as tx:
        assert dict(pairs.read_states(tx.sql)) == {known: "distinct", **dict.fromkeys(others, "open")}
        rows = [pairs.read_pair(tx.sql, ids) for ids in (known, *others)]
        assert [row and (row["weight"], row["explanation"]) for row in rows] == [
            (2000, []),
            *[(9000, ["name"])] * fresh,
        ]
    crm.engine.dispose()


def test_duplicates_from_entry_to_judgement(crm: CRM) -> None:
    families = ["Smith", "Şmith", "Jones", "Jonnes", "Nguyễn", "Clark"]
    with crm.begin() as tx:
        people = [
            person(number + 1, family, 10 + number // 2 * 10 + number)
            for number, family in enumerate(families)
        ]
        for one in people[:3]:
            tx.contacts.keep(one)
        tx.contacts.add_many(
            people[3:]
            + [person(100 + n, chr(97 + n % 26) * 3 + chr(97 + n // 3) * 4, 300 + n) for n in range(60)]
        )
    with crm.begin() as tx:
        assert all(read_keys(tx.sql, [one.id])[one.id] for one in people)
        found = tx.duplicates.check(given_name="Smith", family_name="Ann", birth_date="1970-01-05")
        assert [match.contact_id for match in found] == [people[0].id, people[1].id]
        assert tx.duplicates.check(people[2])[0].contact_id == people[3].id
    assert crm.index_duplicates() == 0
    report = crm.find_duplicates()
    with crm.begin(actor="staff:bea") as tx:
        queue = tx.duplicates.queue()
        assert len(queue) == report.pairs
        assert [pair.probability for pair in queue] == sorted(
            (pair.probability for pair in queue), reverse=True
        )
        assert (people[0].id, people[1].id) in {(pair.first_id, pair.second_id) for pair in queue}
        tx.duplicates.reject(people[1].id, people[0].id)
        tx.duplicates.accept(people[2].id, people[3].id)
        tx.contacts.update(people[5].id, family_name="Quill", birth_date=None)
    assert crm.index_duplicates() == 0
    crm.find_duplicates(merge=True)
    with crm.begin() as tx:
        assert tx.contacts.get(people[1].id).id == people[1].id
        assert tx.contacts.get(people[3].id).id == people[2].id
        left = {(pair.first_id, pair.second_id) for pair in tx.duplicates.queue()}
        assert not left & {(people[0].id, people[1].id), (people[2].id, people[3].id)}
    crm.engine.dispose()
