"""Segments: defined, asked, explained and refreshed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from crmkit import (
    CRM,
    ConfigError,
    ContactPoint,
    ExpressionError,
    Field,
    FieldType,
    Loaded,
    Money,
    NotFound,
    Order,
    OrderLine,
    SegmentEntered,
    SegmentLeft,
    Transaction,
    ValueRefused,
)
from crmkit.cli import main
from crmkit.contacts import PostalAddress
from crmkit.testing import MemoryContacts, memory_crm

SCORE = Field("score", FieldType.INTEGER, source=Loaded(lambda tx, ids: {id: id.int % 2 for id in ids}))


@pytest.fixture
def crm() -> Iterator[CRM]:
    crm = memory_crm(settings={"core": {"currency": "EUR"}}, fields=[Field("shoe", FieldType.INTEGER), SCORE])
    yield crm
    crm.engine.dispose()


def order(crm: CRM, tx: Transaction, key: str, email: str, cents: int) -> None:
    line = OrderLine("A", 1, Money(cents, "EUR"))
    points = [ContactPoint.email(email)]
    tx.orders.record(Order(key, [line], placed_at=crm.clock(), points=points), state="paid")


def names(tx: Transaction, segment: str) -> set[str]:
    return {contact.name for contact in tx.segments.preview(segment, limit=100)}


def test_a_segment_asks_of_contacts_orders_and_tags(crm: CRM) -> None:
    with crm.begin() as tx:
        berlin = PostalAddress(street="Weg 1", locality="Berlin", postcode="10115", country="DE")
        points = [ContactPoint.email("ann@example.com"), ContactPoint.postal(berlin)]
        ann = tx.contacts.add("Ann", points=points)
        tx.contacts.add("Bo", points=[ContactPoint.email("bo@example.com")])
        tx.contacts.tags.add(ann.id, "VIP")
        tx.contacts.values.set(ann.id, {"shoe": 39})
        for number, cents in enumerate((5000, 2500, 2501)):
            order(crm, tx, f"A-{number}", "ann@example.com", cents)
        tx.segments.define(
            "good",
            'contact.country == "DE" and contact.city == "Berlin" and "vip" in contact.tags and shoe > 38 '
            "and orders.count >= 3 and orders.total >= 100.01 and orders.average > 33.33",
            doc="Who buys much.",
        )
        assert names(tx, "good") == {"Ann"}
        assert tx.segments.count("good") == 1
        tx.segments.define("others", "not segment.good")
        assert names(tx, "others") == {"Bo"}
        tx.segments.define("lapsed", "days_between(orders.last, now) > 90 or orders.last is missing")
        assert names(tx, "lapsed") == {"Bo"}


def test_defining_again_changes_nothing_or_the_expression(crm: CRM) -> None:
    with crm.begin(actor="staff:ann") as tx:
        first = tx.segments.define("a", "contact.name == 'Ann'", doc="x")
        assert first.author == "staff:ann"
        assert tx.segments.define("a", "contact.name == 'Ann'", doc="x") == first
        changed = tx.segments.define("a", "contact.name == 'Bo'", doc="x")
        assert changed.expression == "contact.name == 'Bo'"
        assert [one.name for one in tx.segments.list()] == ["a"]


@pytest.mark.parametrize(
    "expression, message",
    [
        ("orders.cont > 1", "unknown name orders.cont, did you mean orders.count"),
        ("orders.count > 'x'", "cannot compare"),
        ("segment.a", "segment 'a' would ask for itself: a -> a"),
        ("orders.average + 1 > 2", "orders.average is an average: it can stand alone"),
        ("orders.total.XXQ > 1", "unknown name orders.total.XXQ"),
        ("segment.b == True", "segment.b is a condition of its own"),
    ],
)
def test_a_wrong_expression_is_refused_and_nothing_changes(crm: CRM, expression: str, message: str) -> None:
    with crm.begin() as tx:
        tx.segments.define("b", "True")
        with pytest.raises(ExpressionError, match=message):
            tx.segments.define("a", expression)
        assert [one.name for one in tx.segments.list()] == ["b"]


@pytest.mark.parametrize("name", ["", "a b", "1a", "a.b", "not", "missing", "a" * 61])
def test_a_wrong_name_is_refused(crm: CRM, name: str) -> None:
    with crm.begin() as tx, pytest.raises(ValueRefused):
        tx.segments.define(name, "True")


def test_segments_cannot_ask_for_each_other_in_a_circle(crm: CRM) -> None:
    with crm.begin() as tx:
        tx.segments.define("a", "True")
        tx.segments.define("b", "segment.a")
        with pytest.raises(ExpressionError, match="a -> b -> a"):
            tx.segments.define("a", "segment.b")
        with pytest.raises(ValueRefused, match=r"segment 'b' asks for segment\.a"):
            tx.segments.drop("a")
        tx.segments.drop("b")
        tx.segments.drop("a")
        with pytest.raises(NotFound, match="no segment 'a'"):
            tx.segments.count("a")


def test_an_explanation_says_which_clause_decided(crm: CRM) -> None:
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann", points=[ContactPoint.email("ann@example.com")])
        order(crm, tx, "A-1", "ann@example.com", 4000)
        tx.segments.define("rich", "orders.average > 50 or contact.stage == 'loyal'")
        found = tx.segments.explain("rich", ann.id)
        assert not found
        text = str(found)
        assert "orders.total > 50 * orders.count.EUR is false: orders.total = 40.00, " in text
        assert not tx.segments.contains("rich", ann.id)
        with pytest.raises(NotFound):
            tx.segments.explain("rich", UUID(int=1))


def test_what_sql_cannot_ask_is_looked_at_in_python(crm: CRM) -> None:
    with crm.begin() as tx:
        people = [tx.contacts.add(f"P{number}", gender="x" if number % 3 else "f") for number in range(30)]
        tx.segments.define("odd", "score == 1 and contact.gender == 'f'")
        assert tx.segments.question("odd").expression.python_only
        expected = {one.id for one in people if one.id.int % 2 and one.gender == "f"}
        assert {member.id for member in tx.segments.members("odd")} == expected
        assert tx.segments.count("odd") == len(expected)
        assert tx.segments.refresh("odd").members == len(expected)


def test_addresses_are_asked_of_contacts_whose_store_keeps_them_elsewhere() -> None:
    """kills: addresses that are sought in the CRM's own table, whatever store keeps them."""
    crm = memory_crm(contacts=MemoryContacts())
    with crm.begin() as tx:
        berlin = ContactPoint.postal(PostalAddress(street="Weg 1", locality="Berlin", country="DE"))
        points = [ContactPoint.email("ann@example.com"), ContactPoint.handle("photos", "ann"), berlin]
        ann, bo = tx.contacts.add("Ann", points=points).id, tx.contacts.add("Bo").id
        for text, expected in (
            ("'ann@example.com' in contact.emails and 'photos' in contact.networks", {ann}),
            ("contact.emails is missing and contact.phones is missing", {bo}),
            ("contact.country == 'DE' and contact.city == 'Berlin'", {ann}),
            ("contact.postcode is missing", {ann, bo}),
        ):
            question = tx.segments.ask(text)
            assert {member.id for member in question.members()} == expected, text
            assert {id for id in (ann, bo) if question.contains(id)} == expected, text


def test_members_come_in_pages_in_an_order_that_stays(crm: CRM) -> None:
    with crm.begin() as tx:
        people = [tx.contacts.add(f"P{number}") for number in range(25)]
        tx.segments.define("all", "True")
        found, after = [], None
        while page := tx.segments.members("all", after=after, limit=10):
            found += [member.id for member in page]
            after = page[-1]
        assert found == sorted(one.id for one in people)
        with pytest.raises(ValueRefused, match="limit is 0"):
            tx.segments.members("all", limit=0)


def test_a_plugin_s_or_host_s_field_cannot_take_the_name_of_one_of_the_core() -> None:
    with pytest.raises(ConfigError, match=r"field 'contact.name' is one of the core"):
        memory_crm(fields=[Field("contact.name", FieldType.TEXT)])
    with pytest.raises(ConfigError, match=r"begins with 'segment.'"):
        memory_crm(fields=[Field("segment.a", FieldType.TEXT)])


def test_watched_segments_are_refreshed_by_run_due(crm: CRM) -> None:
    with crm.begin() as tx:
        tx.contacts.add("Ann", gender="f")
        tx.segments.define("women", "contact.gender == 'f'", watched=True)
        tx.segments.define("unwatched", "True")
    crm.run_due()
    heard: list[object] = []
    crm.signals.connect(SegmentEntered, lambda entry: heard.append(entry.event))
    with crm.begin() as tx:
        assert tx.segments.get("women").refreshed_at == crm.clock()
        assert tx.segments.get("unwatched").refreshed_at is None
        tx.contacts.add("Eve", gender="f")
    crm.clock.advance(timedelta(hours=2))  # type: ignore[attr-defined]
    crm.run_due()
    crm.run_due()
    assert heard == [SegmentEntered(segment="women")]


def test_a_merge_is_no_coming_or_going(crm: CRM) -> None:
    with crm.begin() as tx:
        ann, anna = tx.contacts.add("Ann", gender="f"), tx.contacts.add("Anna")
        tx.segments.define("women", "contact.gender == 'f'")
        tx.segments.refresh("women")
        tx.merges.merge(ann.id, anna.id)
        done = tx.segments.refresh("women")
        assert (done.members, done.entered, done.left) == (1, 0, 0)
        assert [member.id for member in tx.segments.members("women")] == [anna.id]
        assert tx.segments.contains("women", ann.id)
        kinds = {type(entry.event) for entry in tx.events.timeline(anna.id)}
        assert not kinds & {SegmentEntered, SegmentLeft}


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path / 'crm.db'}"
    crm = CRM(url)
    crm.create_tables()
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann", points=[ContactPoint.email("ann@example.com")])

    def run(*words: str, status: int = 0) -> Any:
        assert main(["segments", *words, "--url", url]) == status
        printed = capsys.readouterr()
        return printed.err if status else printed.out

    assert "Defined anns." in run("define", "anns", "contact.name == 'Ann'", "--doc", "x", "--watch")
    assert json.loads(run("list", "--json"))[0]["expression"] == "contact.name == 'Ann'"
    assert run("count", "anns") == "1\n"
    assert str(ann.id) in run("preview", "anns")
    assert "is true" in run("explain", "anns", "ann@example.com")
    assert json.loads(run("explain", "anns", str(ann.id), "--json"))["answer"] is True
    assert run("refresh") == "anns: 1 members, 1 came, 0 left\n"
    assert run("check", "orders.count > 1 and True").startswith("Right: orders.count > 1 and True")
    assert "unknown name x" in run("check", "x > 1", status=2)
    assert "no segment 'x'" in run("count", "x", status=2)
    assert "no contact has the address" in run("explain", "anns", "bo@example.com", status=2)
    assert "orders.count (integer)" in run("fields")
    assert json.loads(run("drop", "anns", "--json")) == {"dropped": "anns"}
    assert "No segment is defined." in run("list")
    crm.engine.dispose()
