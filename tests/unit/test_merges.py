"""What a merged contact reads like, how it is changed, and the commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import MetaData, PrimaryKeyConstraint

from crmkit import (
    CRM,
    AlreadyErased,
    ConfigError,
    ContactPoint,
    ContactsMerged,
    ContactsUnmerged,
    ContactUpdated,
    Field,
    FieldType,
    Money,
    Order,
    OrderLine,
    PointTaken,
    Transaction,
    hookimpl,
)
from crmkit.cli import main
from crmkit.contacts import FirstNamePermission
from crmkit.contacts.merged import edge_towards, path, survivor_of
from crmkit.sql import Id, Minor, Text, column, merged_rows, table
from crmkit.testing import FakeClock, MemoryContacts, memory_crm


def email(who: str) -> ContactPoint:
    return ContactPoint.email(f"{who}@example.com")


@pytest.fixture(params=["own tables", "memory"])
def tx(request: pytest.FixtureRequest) -> Any:
    """A transaction, over contacts that are kept in tables and over others: aliases stand above the port."""
    crm = memory_crm(contacts=MemoryContacts()) if request.param == "memory" else memory_crm()
    with crm.begin() as tx:
        yield tx


def test_empty_fields_are_filled_and_the_parts_of_a_name_go_together(tx: Transaction) -> None:
    by = FirstNamePermission(by="staff:eve", at=tx.now, how="on the phone")
    ann = tx.contacts.add("A. Example", points=[email("a")], locale="en", business=True)
    anna = tx.contacts.add(
        "Anna Example",
        given_name="Anna",
        locale="ka",
        gender="f",
        birth_date=date(1980, 2, 29),
        first_name=by,
    )
    annie = tx.contacts.add("Annie", gender="x", zone="Asia/Tbilisi")
    tx.merges.merge(anna.id, ann.id)
    tx.merges.merge(annie.id, ann.id)
    found = tx.contacts.get(annie.id)
    assert (found.id, found.name, found.given_name) == (ann.id, "A. Example", "")
    assert (found.locale, found.gender, found.zone, found.business) == ("en", "f", "Asia/Tbilisi", True)
    assert (found.birth_date, found.first_name) == (date(1980, 2, 29), None)  # hers is for the name Anna
    assert found.ids == (ann.id, *sorted([anna.id, annie.id]))


def test_points_are_those_of_all_and_the_first_primary_one_of_a_kind_is_primary(tx: Transaction) -> None:
    phone = ContactPoint.phone("+442079460001").with_(primary=True)
    ann = tx.contacts.add("Ann", points=[email("a"), phone])
    ben = tx.contacts.add("Ann", points=[email("b").with_(primary=True)])
    eve = tx.contacts.add("Ann", points=[email("c").with_(primary=True)])
    tx.contacts.remember(eve.id, ContactPoint.phone("+442079460002").with_(primary=True))
    for one in (ben, eve):
        tx.merges.merge(one.id, ann.id)
    found = tx.contacts.get(ann.id)
    assert [(str(point), point.primary) for point in found.points] == [
        ("email:a@example.com", False),
        ("phone:+442079460001", True),
        ("email:b@example.com", True),
        ("email:c@example.com", False),
        ("phone:+442079460002", False),
    ]
    assert found.point("email") == email("b")
    assert tx.contacts.holders(ann.id, email("b")) == (ben.id,)


@pytest.mark.parametrize("how", ["prefer", "remember"])
def test_a_merged_contact_prefers_one_point_of_a_kind_whoever_has_it(tx: Transaction, how: str) -> None:
    ann = tx.contacts.add("Ann", points=[email("a").with_(primary=True), email("a2")])
    ben = tx.contacts.add("Ben", points=[email("b"), email("b2").with_(primary=True)])
    merge = tx.merges.merge(ben.id, ann.id)
    assert tx.contacts.get(ben.id).point("email") == email("a")
    if how == "prefer":
        found = tx.contacts.points.prefer(ann.id, email("b"))
    else:
        found = tx.contacts.remember(ben.id, email("c").with_(primary=True))
    assert found.point("email") == email("b" if how == "prefer" else "c")
    assert sum(point.primary for point in found.points) == 1
    tx.merges.unmerge(merge.id)
    assert not any(point.primary for point in tx.contacts.get(ann.id).points)


def test_what_is_known_of_a_point_is_what_anybody_of_the_person_knows(tx: Transaction) -> None:
    phone = ContactPoint.phone("+442079460001")
    ann = tx.contacts.add("Ann", points=[phone.with_(label="work")])
    ben = tx.contacts.add("Ben")
    tx.contacts.remember(ben.id, phone.with_(label="home", source="till"), shared=True)
    tx.contacts.points.verify(ben.id, phone)
    tx.merges.merge(ben.id, ann.id)
    (found,) = tx.contacts.get(ann.id).points
    assert (found.label, found.source, found.verified_at) == ("work", "till", tx.now)


def test_a_point_is_given_to_the_id_that_was_asked_for(tx: Transaction) -> None:
    ann, ben = tx.contacts.add("Ann", points=[email("a")]), tx.contacts.add("Ben")
    merge = tx.merges.merge(ben.id, ann.id)
    before = len(tx.events.timeline(ben.id))
    for _ in range(2):
        assert tx.contacts.remember(ben.id, email("a")).points == (email("a"),)
        assert tx.contacts.remember(ann.id, email("a")).points == (email("a"),)
    assert len(tx.events.timeline(ben.id)) == before + 1
    tx.merges.unmerge(merge.id)
    assert [tx.contacts.get(one.id).points for one in (ann, ben)] == [(email("a"),), (email("a"),)]
    assert tx.contacts.find(email("a")) == tx.contacts.get(ann.id)


def test_an_update_by_any_id_is_seen_and_can_empty_a_field(tx: Transaction) -> None:
    ann = tx.contacts.add("Ann")
    ben = tx.contacts.add("Ben", given_name="Ben", gender="m", locale="ka")
    merge = tx.merges.merge(ben.id, ann.id)
    assert tx.contacts.update(ben.id, zone="Asia/Tbilisi", gender="") == tx.contacts.get(ann.id)
    found = tx.contacts.get(ann.id)
    assert (found.zone, found.gender, found.locale, found.name) == ("Asia/Tbilisi", "", "ka", "Ann")
    told = tx.events.timeline(ben.id)[0]
    assert isinstance(told.event, ContactUpdated) and told.contact_id == ben.id
    tx.merges.unmerge(merge.id)
    assert tx.contacts.get(ben.id).gender == ""  # whoever asked for it meant the person
    assert (tx.contacts.get(ben.id).zone, tx.contacts.get(ann.id).zone) == ("", "Asia/Tbilisi")


def test_a_name_that_was_filled_is_changed_whole(tx: Transaction) -> None:
    ann = tx.contacts.add("", points=[email("a")])
    ben = tx.contacts.add("Ann Example", given_name="Ann", family_name="Example")
    tx.merges.merge(ben.id, ann.id)
    changed = tx.contacts.update(ann.id, family_name="Sample", name="Ann Sample")
    assert (changed.given_name, changed.family_name) == ("Ann", "Sample")
    assert tx.contacts.get(ben.id) == changed


def test_a_point_of_a_loser_is_the_survivors(tx: Transaction) -> None:
    ann, ben = tx.contacts.add("Ann"), tx.contacts.add("Ben", points=[email("b")])
    tx.merges.merge(ben.id, ann.id)
    assert tx.contacts.find(email("x"), email("b")) == tx.contacts.get(ann.id)
    assert tx.contacts.find_or_add([email("b")], name="Eve").id == ann.id
    with pytest.raises(PointTaken) as taken:
        tx.contacts.add("Eve", points=[email("b")])
    assert taken.value.contact_id == ann.id
    assert tx.contacts.remember(ann.id, email("b")) == tx.contacts.get(ann.id)


def test_the_log_tells_of_merges(tx: Transaction) -> None:
    ann, ben = tx.contacts.add("Ann"), tx.contacts.add("Ben")
    merge = tx.merges.merge(ben.id, ann.id, reason="same phone", details={"score": 12})
    tx.merges.unmerge(merge.id, reason="twins")
    told = [entry.event for entry in tx.events.timeline(ben.id)[:2]]
    assert told == [
        ContactsUnmerged(merge_id=merge.id, loser_id=ben.id, into_id=ann.id, reason="twins"),
        ContactsMerged(merge_id=merge.id, loser_id=ben.id, into_id=ann.id, reason="same phone"),
    ]
    assert (merge.actor, merge.holds, tx.merges.get(merge.id).holds) == ("system", True, False)
    assert tx.merges.history(ann.id) == [tx.merges.get(merge.id)]


def test_paths_end_even_where_the_data_is_a_circle() -> None:
    a, b, c, d = (uuid4() for _ in range(4))
    assert path({a: b, b: a}, a) == [a, b]
    up = {a: b, b: c, d: c}
    assert (survivor_of(up, a), edge_towards(up, a, d), edge_towards(up, c, a)) == (c, b, None)


def test_a_first_name_is_used_only_by_whoever_permitted_that_name(tx: Transaction) -> None:
    rob = tx.contacts.add("Robert Lee", given_name="Robert", family_name="Lee", gender="m")
    bob = tx.contacts.add("Bob", given_name="Bob")
    guest = tx.contacts.add("")
    tx.contacts.permit_first_name(bob.id, how="on the phone")
    merge = tx.merges.merge(bob.id, rob.id)
    assert tx.crm.greeting(tx.contacts.get(bob.id)) == "Dear Mr Lee,"
    assert tx.crm.greeting(tx.contacts.permit_first_name(bob.id, how="asked")) == "Dear Robert,"
    assert tx.crm.greeting(tx.contacts.withdraw_first_name(rob.id)) == "Dear Mr Lee,"
    tx.merges.unmerge(merge.id)
    assert tx.contacts.get(bob.id).first_name is None  # withdrawn for every id
    tx.contacts.permit_first_name(bob.id, how="on the phone")
    tx.merges.merge(bob.id, guest.id)
    assert tx.crm.greeting(tx.contacts.get(guest.id)) == "Dear Bob,"
    assert tx.crm.greeting(tx.contacts.withdraw_first_name(guest.id)) == "Dear customer,"


def test_another_name_leaves_the_permission_of_the_others(tx: Transaction) -> None:
    rob, bob = tx.contacts.add("Rob Lee", given_name="Rob"), tx.contacts.add("Bob", given_name="Bob")
    permitted = tx.contacts.permit_first_name(bob.id, how="on the phone")
    merge = tx.merges.merge(bob.id, rob.id)
    tx.contacts.update(rob.id, name="Robert Lee", given_name="Robert")
    tx.merges.unmerge(merge.id)
    assert tx.contacts.get(bob.id) == permitted


@pytest.mark.parametrize("erased, other", [(0, 1), (1, 0)])
def test_nobody_is_merged_with_somebody_who_was_erased(tx: Transaction, erased: int, other: int) -> None:
    people = [tx.contacts.add("Ann", points=[email("a")]).id, tx.contacts.add("Ben").id]
    tx.privacy.erase(people[erased])
    with pytest.raises(AlreadyErased):
        tx.merges.merge(people[0], people[1])
    assert tx.contacts.ids(people[other]) == (people[other],)


def test_two_that_were_erased_together_stay_one(tx: Transaction) -> None:
    ann, ben = tx.contacts.add("Ann"), tx.contacts.add("Ben")
    merge = tx.merges.merge(ben.id, ann.id)
    tx.privacy.erase(ben.id)
    assert tx.merges.merge(ben.id, ann.id) == merge


SAID: dict[
    str, tuple[Callable[[Transaction, UUID], object], Callable[[Transaction, UUID], object], object]
] = {
    "a tag": (
        lambda tx, id: tx.contacts.tags.add(id, "vip"),
        lambda tx, id: tx.contacts.tags.of(id),
        ("vip",),
    ),
    "a consent": (
        lambda tx, id: tx.consents.grant(id, "news", "email", source="form"),
        lambda tx, id: tx.consents.state(id, "news", "email"),
        "granted",
    ),
    "a preference": (
        lambda tx, id: tx.contacts.preferences.set(id, "topic", "tea"),
        lambda tx, id: [one.value for one in tx.contacts.preferences.of(id)],
        ["tea"],
    ),
    "a custom field": (
        lambda tx, id: tx.contacts.values.set(id, {"size": "XL"}),
        lambda tx, id: tx.contacts.values.of(id),
        {"size": "XL"},
    ),
    "a set": (
        lambda tx, id: tx.contacts.values.set(id, {"cups": ["red", "blue"]}),
        lambda tx, id: tx.contacts.values.of(id),
        {"cups": frozenset({"red", "blue"})},
    ),
    "a relation": (
        lambda tx, id: tx.contacts.relations.add(id, "employer", "Acme"),
        lambda tx, id: [one.other_name for one in tx.contacts.relations.of(id)],
        ["Acme"],
    ),
    "a fact": (
        lambda tx, id: tx.contacts.facts.add(id, "has a dog"),
        lambda tx, id: [one.text for one in tx.contacts.facts.of(id)],
        ["has a dog"],
    ),
}

FIELDS = (Field("size", FieldType.TEXT), Field("cups", FieldType.TEXT_SET))


@pytest.mark.parametrize("what", SAID)
def test_what_the_other_id_has_already_is_recorded_for_the_addressed_one_too(what: str) -> None:
    say, read, wanted = SAID[what]
    with memory_crm(fields=FIELDS).begin() as tx:
        ann, ben = tx.contacts.add("Ann").id, tx.contacts.add("Ben").id
        merge = tx.merges.merge(ben, ann)
        for id in (ann, ben, ann, ben):
            say(tx, id)
            assert read(tx, ann) == read(tx, ben) == wanted
        assert [len(tx.events.timeline(id)) for id in (ann, ben)] == [
            5,
            5,
        ]  # added twice, merged, and each once
        tx.merges.unmerge(merge.id)
        assert (read(tx, ann), read(tx, ben)) == (wanted, wanted)


def test_the_last_word_counts_whichever_id_it_was_said_of_at_the_same_instant() -> None:
    with memory_crm(fields=FIELDS).begin() as tx:
        ann, ben = tx.contacts.add("Ann").id, tx.contacts.add("Ben").id
        merge = tx.merges.merge(ben, ann)
        for id, liking, size in ((ben, "likes", "L"), (ann, "dislikes", "XL"), (ben, "likes", "S")):
            tx.contacts.preferences.set(id, "topic", "tea", liking=liking)
            tx.contacts.values.set(id, {"size": size})
            assert [one.liking for one in tx.contacts.preferences.of(ann)] == [liking]
            assert tx.contacts.values.of(ann) == {"size": size}
        tx.merges.unmerge(merge.id)
        assert [tx.contacts.values.of(id)["size"] for id in (ann, ben)] == ["XL", "S"]


def test_a_relation_ends_and_a_fact_goes_under_every_id(tx: Transaction) -> None:
    ann, ben, eve = (tx.contacts.add(name).id for name in ("Ann", "Ben", "Eve"))
    for id in (ann, ben):
        tx.contacts.relations.add(id, "employer", "Acme")
        tx.contacts.facts.add(id, "has a dog")
    tx.contacts.relations.add(ann, "employer", eve)
    tx.contacts.relations.add(eve, "employee", ben)
    tx.merges.merge(ben, ann)
    assert len(tx.contacts.relations.of(ann)) == 2 and len(tx.contacts.facts.of(ann)) == 1
    for relation in tx.contacts.relations.of(ben):
        tx.contacts.relations.end(relation.id)
    tx.contacts.facts.remove(ben, tx.contacts.facts.of(ben)[0].id)
    assert tx.contacts.relations.of(ann) == [] == tx.contacts.facts.of(ann) == tx.contacts.relations.of(eve)


def test_what_staff_said_of_a_stage_goes_with_the_id_it_was_said_of() -> None:
    clock = FakeClock()
    crm = memory_crm(clock=clock)

    def stages() -> list[str]:
        crm.run_due()
        with crm.begin() as tx:
            return [tx.contacts.get(id).stage.value for id in (ann, ben)]

    with crm.begin() as tx:
        ann, ben = tx.contacts.add("Ann").id, tx.contacts.add("Ben").id
        tx.contacts.stages.set(ben, "loyal")
        line = OrderLine("TEA", 1, Money(100, "GBP"))
        tx.orders.record(Order("1", [line], placed_at=tx.now, contact_id=ann), state="paid")
        merge = tx.merges.merge(ben, ann)
    assert stages() == ["loyal", "loyal"]
    with crm.begin() as tx:
        tx.merges.unmerge(merge.id)
    assert stages() == ["first_time", "loyal"]
    clock.advance(timedelta(days=200))
    assert stages() == ["lapsed", "loyal"]
    with crm.begin() as tx:
        merge = tx.merges.merge(ben, ann)
        tx.contacts.stages.set(ben, "lead")
        tx.merges.unmerge(merge.id)
        assert [one.after for one in tx.contacts.stages.history(ben)] == ["loyal", "lead"]
    assert stages() == ["lead", "lead"]


Rows = Callable[[Transaction, str], list[tuple[Any, ...]]]


class Stamps:
    """A plugin with a table for each way to merge."""

    @hookimpl
    def crmkit_tables(self, metadata: MetaData) -> None:
        ways: dict[str, Any] = {
            "union": "union",
            "survivor": "survivor",
            "sum": "sum",
            "highest": lambda rows: [max(rows, key=lambda row: row.count)],
        }
        for name, merge in ways.items():
            table(
                metadata,
                f"stamps_{name}",
                column("contact_id", Id(), holds="subject"),
                column("card", Text(20)),
                column("count", Minor()),
                PrimaryKeyConstraint("contact_id", "card"),
                merge=merge,
            )
        table(metadata, "stamps_nobody", column("id", Id()), PrimaryKeyConstraint("id"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("union", [("tea", 1), ("coffee", 5), ("tea", 2)]),
        ("survivor", [("tea", 1)]),
        ("sum", [("tea", 3), ("coffee", 5)]),
        ("highest", [("coffee", 5)]),
    ],
)
def test_a_plugins_rows_read_as_its_table_declares(name: str, expected: list[tuple[str, int]]) -> None:
    with memory_crm(plugins=[Stamps()]).begin() as tx:
        stamps = tx.table(f"stamps_{name}")
        ann, ben = tx.contacts.add("Ann").id, tx.contacts.add("Ben").id
        for id, card, number in ((ann, "tea", 1), (ben, "coffee", 5), (ben, "tea", 2)):
            tx.sql.insert(stamps, [{"contact_id": id, "card": card, "count": number}])
        assert len(merged_rows(tx, stamps, ben)) == 2
        merge = tx.merges.merge(ben, ann)
        read = [[(row.card, row[2]) for row in merged_rows(tx, stamps, id)] for id in (ann, ben)]
        assert read == [expected, expected]
        tx.merges.unmerge(merge.id)
        assert [row.card for row in merged_rows(tx, stamps, ann)] == ["tea"]
        with pytest.raises(ConfigError, match="stamps_nobody"):
            merged_rows(tx, tx.table("stamps_nobody"), ann)


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path / 'crm.db'}"
    crm = CRM(url)
    crm.create_tables()
    with crm.begin() as tx:
        ann, ben = tx.contacts.add("Ann", points=[email("a")]).id, tx.contacts.add("Ben").id

    def run(*words: str, status: int = 0) -> str:
        assert main([*words, "--url", url]) == status
        printed = capsys.readouterr()
        return printed.err if status else printed.out

    made = json.loads(run("merge", str(ben), "a@example.com", "--reason", "twice", "--json"))[0]
    assert (made["loser_id"], made["into_id"], made["holds"]) == (str(ben), str(ann), True)
    assert f"{ben} into {ann}  holds" in run("merges", str(ann))
    assert "already" in run("merge", str(ann), str(ben), status=2)
    assert "itself" in run("merge", str(ann), str(ann), status=2)
    assert "undone" in run("unmerge", made["id"])
    assert json.loads(run("merges", "--json"))[0]["holds"] is False
    assert "no id of a merge" in run("unmerge", "x", status=2)
    assert "no merge" in run("unmerge", str(UUID(int=1)), status=2)
    assert "--limit" in run("merges", "--limit", "0", status=2)
