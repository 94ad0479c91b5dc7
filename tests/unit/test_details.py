"""What is known about contacts besides their fields: what is refused, and what the command line shows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import attrs
import pytest

from crmkit import (
    CRM,
    ConfigError,
    ContactPoint,
    Field,
    FieldType,
    LogEntry,
    Money,
    NotFound,
    Order,
    OrderLine,
    OrderPaid,
    PluginConflict,
    Reaction,
    SettingsError,
    Transaction,
    ValueRefused,
    hookimpl,
)
from crmkit.cli import main
from crmkit.expressions.custom import parsed
from crmkit.sql.contacts import OwnContacts
from crmkit.testing import FakeClock, memory_crm

TIER = Field("shop.tier", FieldType.TEXT)
SIZE = Field("shop.size", FieldType.DECIMAL, scale=1, bound=(0, Decimal("99.5")))
SEEN = Field("shop.seen", FieldType.INSTANT)
VISITS = Field("visits.count", FieldType.INTEGER)
TAGS = Field("shop.tags", FieldType.TEXT_SET)
FIELDS = (TIER, SIZE, SEEN, TAGS)


@pytest.fixture
def crm() -> CRM:
    return memory_crm(fields=FIELDS)


@pytest.fixture
def tx(crm: CRM) -> Iterator[Transaction]:
    with crm.begin(actor="staff:bo") as tx:
        yield tx


@pytest.fixture
def ann(tx: Transaction) -> UUID:
    return tx.contacts.add("Ann Lee", given_name="Ann", points=[ContactPoint.email("ann@example.com")]).id


REFUSED: dict[str, tuple[Callable[[Transaction, UUID], object], str]] = {
    "an empty tag": (lambda tx, ann: tx.contacts.tags.add(ann, "ok", "  "), "tag is empty"),
    "a long tag": (lambda tx, ann: tx.contacts.tags.add(ann, "x" * 101), "at most 100"),
    "an empty note": (lambda tx, ann: tx.contacts.notes.write(ann, " "), "needs a text"),
    "a long note": (lambda tx, ann: tx.contacts.notes.write(ann, "x" * 100_001), "at most 100000"),
    "a kind of note": (
        lambda tx, ann: tx.contacts.notes.write(ann, "x", kind="memo"),
        "note, call, interview",
    ),
    "answers in a note": (
        lambda tx, ann: tx.contacts.notes.write(ann, "x", needs="y"),
        "belong to an interview",
    ),
    "many answers": (
        lambda tx, ann: tx.contacts.notes.write(ann, kind="interview", needs=["x"] * 51),
        "at most 50",
    ),
    "a kind of preference": (
        lambda tx, ann: tx.contacts.preferences.set(ann, "colour", "red"),
        "topic, product, channel, language",
    ),
    "a liking": (
        lambda tx, ann: tx.contacts.preferences.set(ann, "topic", "x", liking="so-so"),
        "likes, dislikes",
    ),
    "a confidence": (
        lambda tx, ann: tx.contacts.preferences.set(ann, "topic", "x", confidence=101),
        "from 0 to 100",
    ),
    "half a confidence": (
        lambda tx, ann: tx.contacts.preferences.set(ann, "topic", "x", confidence=0.5),  # type: ignore[arg-type]
        "whole number",
    ),
    "a relation to nobody": (lambda tx, ann: tx.contacts.relations.add(ann, "friend", " "), "other side"),
    "a relation to itself": (lambda tx, ann: tx.contacts.relations.add(ann, "friend", ann), "its own friend"),
    "a relation without kind": (
        lambda tx, ann: tx.contacts.relations.add(ann, " ", "Bo"),
        "kind of a relation",
    ),
    "a day": (lambda tx, ann: tx.contacts.facts.add(ann, "x", on="1.9.2026"), "such as 2026-09-01"),
    "an instant for a day": (
        lambda tx, ann: tx.contacts.facts.add(ann, "x", on=datetime(2026, 9, 1)),
        "must be a date",
    ),
    "a special fact without purpose": (
        lambda tx, ann: tx.contacts.facts.add(ann, "x", privacy="special"),
        "needs a purpose",
    ),
    "a privacy": (
        lambda tx, ann: tx.contacts.facts.add(ann, "x", privacy="secret"),
        "ordinary, confidential, special",
    ),
    "an unknown field": (
        lambda tx, ann: tx.contacts.values.set(ann, {"shop.teir": "gold"}),
        "did you mean 'shop.tier'",
    ),
    "an unknown field to clear": (
        lambda tx, ann: tx.contacts.values.set(ann, {"shop.x": None}),
        "no custom field",
    ),
    "another type": (lambda tx, ann: tx.contacts.values.set(ann, {"shop.tier": 3}), "a text such as"),
    "a float": (lambda tx, ann: tx.contacts.values.set(ann, {"shop.size": 9.5}), "Decimal"),
    "too many places": (
        lambda tx, ann: tx.contacts.values.set(ann, {"shop.size": Decimal("9.55")}),
        "at most 1 decimal places",
    ),
    "out of bound": (lambda tx, ann: tx.contacts.values.set(ann, {"shop.size": 100}), "from 0 to 99.5"),
    "a naive instant": (
        lambda tx, ann: tx.contacts.values.set(ann, {"shop.seen": datetime(2026, 1, 1)}),
        "aware datetime",
    ),
    "a text for a set": (lambda tx, ann: tx.contacts.values.set(ann, {"shop.tags": "ab"}), "set of texts"),
    "a long text": (lambda tx, ann: tx.contacts.values.set(ann, {"shop.tier": "x" * 501}), "at most 500"),
    "a stage": (lambda tx, ann: tx.contacts.stages.set(ann, "vip"), "lead, first_time, repeat"),
    "history of no field": (lambda tx, ann: tx.contacts.history(ann, "clasification"), "'classification'"),
    "no history of points": (lambda tx, ann: tx.contacts.history(ann, "points"), "no field 'points'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_refused_with_what_would_be_right(name: str, tx: Transaction, ann: UUID) -> None:
    write, wanted = REFUSED[name]
    with pytest.raises(ValueRefused, match=wanted):
        write(tx, ann)
    assert [entry.type for entry in tx.events.timeline(ann)] == ["ContactAdded"]
    assert tx.contacts.tags.of(ann) == () and tx.contacts.values.of(ann) == {}


def test_things_that_do_not_exist_are_named(tx: Transaction, ann: UUID) -> None:
    nothing = uuid4()
    phone = ContactPoint.phone("+442079460000")
    for read in (
        lambda: tx.contacts.notes.get(nothing),
        lambda: tx.contacts.notes.amend(nothing, "x"),
        lambda: tx.contacts.relations.end(nothing),
        lambda: tx.contacts.facts.remove(ann, nothing),
        lambda: tx.contacts.points.verify(ann, phone),
        lambda: tx.orders.relate("A-1", "user", ann),
    ):
        with pytest.raises(NotFound):
            read()
    assert tx.contacts.points.remove(ann, phone).points  # of a repeat nothing is left to do


def test_a_note_is_amended_for_its_own_contact_only(tx: Transaction, ann: UUID) -> None:
    bo = tx.contacts.add("Bo").id
    note = tx.contacts.notes.write(ann, "x")
    with pytest.raises(NotFound, match="has no note"):
        tx.contacts.notes.amend(note.id, "y", contact_id=bo)
    assert tx.contacts.notes.amend(note.id, "x", contact_id=ann) == note
    with pytest.raises(ValueRefused, match="needs, wanted, strengths, weaknesses"):
        tx.contacts.notes.amend(note.id, hopes="much")  # type: ignore[arg-type]


def test_any_word_is_a_relation_and_reads_from_both_sides(tx: Transaction, ann: UUID) -> None:
    bo = tx.contacts.add("Bo").id
    for kind, inverse in (("Parent", "child"), ("accountant", "accountant of"), ("referrer", "referred")):
        relation = tx.contacts.relations.add(ann, kind, bo)
        (mine,) = tx.contacts.relations.of(ann)
        (theirs,) = tx.contacts.relations.of(bo)
        assert (mine.kind, mine.other_id, theirs.kind, theirs.other_id) == (kind.lower(), bo, inverse, ann)
        assert tx.contacts.relations.add(bo, inverse, ann) == theirs  # noted from the other side: the same
        tx.contacts.relations.end(relation.id)


def test_classification_source_and_owner_have_a_history(crm: CRM) -> None:
    with crm.begin(actor="staff:bo") as tx:
        ann = tx.contacts.add("Ann", source="fair").id
        tx.contacts.update(ann, classification="wholesale", owner="bo", source="referral")
        tx.contacts.update(ann, name="Ann Lee")
    crm.clock.advance(timedelta(days=1))  # type: ignore[attr-defined]
    with crm.begin(actor="staff:cy") as tx:
        tx.contacts.update(ann, classification="retail")
        changes = tx.contacts.history(ann, "classification")
        assert [(one.before, one.after, one.actor) for one in changes] == [
            ("", "wholesale", "staff:bo"),
            ("wholesale", "retail", "staff:cy"),
        ]
        assert changes[0].at < changes[1].at
        assert [(one.before, one.after) for one in tx.contacts.history(ann, "source")] == [
            ("fair", "referral")
        ]
        assert len(tx.contacts.history(ann, "owner")) == 1


def test_one_point_of_a_kind_is_preferred_and_each_change_is_told(tx: Transaction) -> None:
    home, work = (ContactPoint.email(f"{place}@example.com") for place in ("home", "work"))
    ann = tx.contacts.add("Ann", points=[home, work]).id
    tx.contacts.points.prefer(ann, home)
    tx.contacts.points.prefer(ann, work)
    contact = tx.contacts.points.label(ann, work, "work")
    assert contact.point("email") == work
    assert [point.primary for point in contact.points] == [False, True]
    verified = tx.contacts.points.verify(ann, work)
    assert verified.points[1].verified_at == tx.now
    entry = tx.events.timeline(ann)[0]
    assert (entry.type, entry.actor) == ("ContactPointChanged", "staff:bo")
    assert tx.contacts.points.distrust(ann, work).points[1].verified_at is None
    assert tx.contacts.points.remove(ann, home).points == (work,)
    assert tx.contacts.find(home) is None
    assert tx.events.timeline(ann)[0].type == "ContactPointRemoved"


@attrs.define(eq=False)
class WithField:
    """A plugin with a custom field, and one that has a source of its own."""

    field: Field = VISITS
    name: str = "visits"

    @hookimpl
    def crmkit_fields(self) -> list[Field]:
        return [self.field]


def test_fields_of_the_host_and_of_plugins_are_custom_fields() -> None:
    crm = memory_crm(plugins=[WithField()], fields=[TIER])
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann").id
        tx.contacts.values.set(ann, {"visits.count": 3, "shop.tier": "gold"})
        assert tx.contacts.values.of(ann) == {"shop.tier": "gold", "visits.count": 3}
        assert tx.contacts.values.of_many([ann]) == {ann: {"shop.tier": "gold", "visits.count": 3}}
    for fields in ([TIER, TIER], ["shop.tier"]):
        with pytest.raises(ConfigError, match="fields holds"):
            memory_crm(fields=fields)
    with pytest.raises(PluginConflict, match=r"visits\.count"):
        memory_crm(plugins=[WithField()], fields=[Field("visits.count", FieldType.TEXT)])


def test_values_of_a_plugin_that_is_gone_are_kept_unread(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'crm.db'}"
    both, alone = CRM(url, plugins=[WithField()], fields=[TIER]), CRM(url, fields=[TIER])
    both.create_tables()
    with both.begin() as tx:
        ann = tx.contacts.add("Ann").id
        tx.contacts.values.set(ann, {"visits.count": 3, "shop.tier": "gold"})
    with alone.begin() as tx:
        assert tx.contacts.values.of(ann) == {"shop.tier": "gold"}
        tx.contacts.values.set(ann, {"shop.tier": "iron"})
    with both.begin() as tx:
        assert tx.contacts.values.of(ann) == {"shop.tier": "iron", "visits.count": 3}


@pytest.mark.parametrize(
    "field, text, wanted",
    [
        (TIER, " gold ", " gold "),
        (SIZE, "9.5", Decimal("9.5")),
        (TAGS, "a, b,,a ", frozenset({"a", "b"})),
        (TAGS, r"a\, b , \ c,\-,d\\", frozenset({"a, b", " c", "", "d\\"})),
        (TAGS, "ends \\", frozenset({"ends"})),
        (Field("x", FieldType.BOOLEAN), "Yes", True),
        (Field("x", FieldType.DATE), "2026-09-01", date(2026, 9, 1)),
    ],
)
def test_a_value_is_read_from_a_file(field: Field, text: str, wanted: object) -> None:
    assert parsed(field, text) == wanted


@pytest.mark.parametrize("field, text", [(SIZE, "9,5"), (SIZE, "NaN"), (SEEN, "yesterday"), (SIZE, "1e400")])
def test_a_text_that_is_no_value_is_refused(field: Field, text: str) -> None:
    with pytest.raises(ValueRefused, match="it must be"):
        parsed(field, text)


def order(crm: CRM, key: str, contact_id: UUID) -> Order:
    return Order(key, [OrderLine("tea", 1, Money(100, "GBP"))], placed_at=crm.clock(), contact_id=contact_id)


class AtOnce:
    """A plugin that derives the stage with the order itself."""

    name = "at_once"

    @hookimpl
    def crmkit_reactions(self) -> list[Reaction]:
        return [Reaction(OrderPaid, self.derive)]

    def derive(self, tx: Transaction, entry: LogEntry) -> None:
        assert entry.contact_id
        tx.contacts.stages.derive(entry.contact_id)


def test_a_stage_can_be_derived_with_the_order() -> None:
    crm = memory_crm(plugins=[AtOnce()])
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann").id
        tx.orders.record(order(crm, "A-1", ann), state="paid")
        assert tx.contacts.get(ann).stage == "first_time"
        tx.orders.record(order(crm, "A-2", ann), state="paid")
        assert tx.contacts.get(ann).stage == "repeat"


def test_recording_an_order_costs_no_statement_for_the_stage(crm: CRM) -> None:
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann").id
        tx.orders.record(order(crm, "A-1", ann), state="paid")
        assert tx.contacts.get(ann).stage == ""
        table = crm.tables["contact_stages"]
        assert tx.sql.execute(table.select()).all() == []


def test_stages_may_be_left_to_the_host() -> None:
    crm = memory_crm(settings={"core": {"stages": False}})
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann").id
        tx.orders.record(order(crm, "A-1", ann), state="paid")
    crm.run_due()
    with crm.begin() as tx:
        assert tx.contacts.get(ann).stage == ""


@pytest.mark.parametrize(
    "settings",
    [
        {"stage_repeat": 1},
        {"stage_loyal": 1},
        {"stage_lapsed_after": timedelta(days=400)},
        {"stage_lost_after": timedelta(0)},
        {"stages": "yes"},
    ],
)
def test_settings_of_stages_that_contradict_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="stage"):
        memory_crm(settings={"core": settings})


def test_a_failing_worker_gives_the_stages_back() -> None:
    clock = FakeClock()
    crm = memory_crm(clock=clock)
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann").id
        tx.orders.record(order(crm, "A-1", ann), state="paid")
        table = crm.tables["cursors"]
        row = {
            "name": "stages",
            "position": 0,
            "lease_until": clock() + timedelta(minutes=5),
            "holder": uuid4(),
        }
        tx.sql.insert(table, [row])
    crm.run_due()
    with crm.begin() as tx:
        assert tx.contacts.get(ann).stage == ""  # another process is at work
    clock.advance(timedelta(minutes=5))
    crm.run_due()
    with crm.begin() as tx:
        assert tx.contacts.get(ann).stage == "first_time"


class OfTheHost(OwnContacts):
    """A store whose host keeps stages itself, and does not let them be written."""

    def update(self, tx: Transaction, contact_id: UUID, changes: Mapping[str, Any]) -> None:
        if "stage" in changes:
            raise ValueRefused("change it there")
        super().update(tx, contact_id, changes)


class Store:
    """A plugin with that store."""

    name = "store"

    @hookimpl
    def crmkit_contact_store(self) -> OwnContacts:
        return OfTheHost()


def test_a_stage_that_the_host_keeps_is_left_to_it() -> None:
    crm = memory_crm(plugins=[Store()])
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann").id
        tx.orders.record(order(crm, "A-1", ann), state="paid")
    assert crm.run_due().failures == ()
    with crm.begin() as tx:
        assert tx.contacts.get(ann).stage == "" and tx.contacts.stages.history(ann) == []
        with pytest.raises(ValueRefused, match="change it there"):
            tx.contacts.stages.set(ann, "loyal")


@pytest.fixture
def shown(tmp_path: Path) -> tuple[str, UUID]:
    url = f"sqlite:///{tmp_path / 'crm.db'}"
    crm = CRM(url)
    crm.create_tables()
    mail = ContactPoint.email("ann@example.com")
    with crm.begin(actor="staff:bo") as tx:
        ann = tx.contacts.add("Ann \u202eLee", family_name="Lee", honorific="Ms", points=[mail]).id
        tx.contacts.points.verify(ann, mail)
        tx.contacts.tags.add(ann, "vip")
        tx.contacts.notes.write(ann, "wants\ntea")
        tx.contacts.facts.add(ann, "has a dog", on="2026-09-01")
        tx.contacts.relations.add(ann, "friend", "Bo")
        tx.contacts.preferences.set(ann, "topic", "tea", confidence=70)
        tx.orders.record(order(crm, "A-1", ann), state="paid")
        tx.orders.relate("A-1", "user", ann)
    return url, ann


def test_the_command_line_shows_a_contact(
    shown: tuple[str, UUID], capsys: pytest.CaptureFixture[str]
) -> None:
    url, ann = shown
    assert main(["contacts", "show", "ann@example.com", "--url", url]) == 0
    said = capsys.readouterr().out
    for part in (
        str(ann),
        "greeting: Dear Ms Lee,",
        "verified",
        "vip",
        "wants tea",
        "2026-09-01 has a dog (ordinary)",
        "friend: Bo",
        "topic: likes tea (70 %)",
        "A-1: user",
        "OrderPaid",
    ):
        assert part in said
    assert "\u202e" not in said


def test_the_command_line_prints_json(shown: tuple[str, UUID], capsys: pytest.CaptureFixture[str]) -> None:
    url, ann = shown
    assert main(["contacts", "show", str(ann), "--json", "--limit", "2", "--url", url]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["contact"]["id"] == str(ann) and data["tags"] == ["vip"]
    assert len(data["timeline"]) == 2 and data["facts"][0]["on"] == "2026-09-01"


@pytest.mark.parametrize("who", ["nobody@example.com", str(uuid4()), "Ann"])
def test_the_command_line_names_whom_it_does_not_find(
    who: str, shown: tuple[str, UUID], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["contacts", "show", who, "--url", shown[0]]) == 2
    assert who in capsys.readouterr().err
