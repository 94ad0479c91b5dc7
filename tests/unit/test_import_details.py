"""What is known of contacts besides their fields: taken over once, told as it was, and never against a refusal."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from crmkit import CRM, ContactPoint, MappedContacts
from crmkit.exchange import ColumnMap, ImportReport, export_contacts, import_contacts, look
from crmkit.testing import memory_crm

NOBODY = UUID(int=7)
ENDED = {"purpose": "news", "state": "granted", "at": "2026-01-02T00:00Z", "until": "2026-01-01T00:00Z"}


@pytest.fixture
def crm() -> CRM:
    return memory_crm(settings={"core": {"purposes": {"surveys": "legitimate_interest"}}})


def take(
    crm: CRM, path: Path, content: str, columns: ColumnMap | None = None, **options: Any
) -> ImportReport:
    path.write_text(content, newline="")
    return import_contacts(crm, look(path, columns), again=True, **options)


def lines(*documents: dict[str, Any]) -> str:
    return "".join(json.dumps(one) + "\n" for one in documents)


def exported(crm: CRM, format: str = "jsonl", **options: Any) -> str:
    out = io.StringIO(newline="")
    export_contacts(crm, out, format=format, **options)
    return out.getvalue()


def documents(crm: CRM, **options: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in exported(crm, **options).splitlines()]


def test_a_line_tells_what_is_known(crm: CRM) -> None:
    with crm.begin(actor="staff:bo") as tx:
        acme, ann = tx.contacts.add("Acme"), tx.contacts.add("Ann")
        tx.contacts.notes.write(ann.id, "called", kind="call")
        tx.contacts.relations.add(ann.id, "employer", acme.id, began_on="2020-01-01")
        tx.contacts.relations.add(ann.id, "daughter", "Mia", source="phone")
        tx.contacts.preferences.set(ann.id, "topic", "tea", confidence=60)
        tx.contacts.facts.add(ann.id, "allergic to nuts", privacy="special", purpose="catering")
        tx.consents.grant(ann.id, "news", "email", source="fair")
        now = tx.now.isoformat()
    plain, told = documents(crm)
    assert "relations" not in plain
    assert told["notes"] == [{"text": "called", "kind": "call", "at": now}]
    assert told["relations"] == [
        {"kind": "employer", "contact": str(acme.id), "began_on": "2020-01-01"},
        {"kind": "daughter", "name": "Mia", "source": "phone"},
    ]
    assert told["preferences"] == [{"kind": "topic", "value": "tea", "confidence": 60}]
    assert told["facts"] == [{"text": "allergic to nuts", "privacy": "special", "purpose": "catering"}]
    assert told["consents"] == [
        {"purpose": "news", "channel": "email", "state": "granted", "source": "fair", "at": now}
    ]


@pytest.mark.parametrize(
    "told, words",
    [
        ({"notes": [{"txet": "a"}]}, "a note has no 'txet'; did you mean 'text'"),
        ({"notes": [{"text": ""}]}, "a note needs a text"),
        ({"notes": [{"text": 1}]}, "note: 1 must be text"),
        ({"notes": [{"text": "a", "at": "yesterday"}]}, "'yesterday' is no instant"),
        ({"notes": [{"text": "a", "at": "2026-01-01T00:00"}]}, "no instant"),
        ({"facts": "a"}, "facts must be a list"),
        ({"facts": ["a"]}, "a fact must be a table"),
        ({"facts": [{"on": "2026-01-01"}]}, "a fact needs 'text'"),
        ({"facts": [{"text": "a", "privacy": "special"}]}, "needs a purpose"),
        ({"facts": [{"text": "a", "on": "2026-02-30"}]}, "no date"),
        ({"relations": [{"kind": "friend"}]}, "the other side of a relation"),
        ({"relations": [{"kind": "friend", "contact": "me"}]}, "'me' is no id"),
        ({"relations": [{"kind": "a", "contact": str(NOBODY), "of": str(NOBODY)}]}, "not both"),
        ({"relations": [{"kind": "x" * 60, "contact": str(NOBODY)}]}, "at most 60"),
        ({"id": str(NOBODY), "relations": [{"kind": "friend", "of": str(NOBODY)}]}, "its own friend"),
        ({"preferences": [{"kind": "colour", "value": "red"}]}, "one of topic, product, channel, language"),
        ({"preferences": [{"kind": "topic", "value": "a", "confidence": 101}]}, "0 to 100"),
        ({"preferences": [{"kind": "topic", "value": "a", "confidence": [1]}]}, "a whole number"),
        ({"consents": [{"purpose": "nwes", "state": "granted"}]}, "did you mean 'news'"),
        ({"consents": [{"purpose": "news", "state": "pending"}]}, "granted or withdrawn"),
        ({"consents": [{"purpose": "service", "state": "withdrawn"}]}, "cannot be refused"),
        ({"consents": [{"state": "granted"}]}, "no purpose is named ''"),
        ({"consents": [{"purpose": "news", "state": "granted", "channel": "x" * 31}]}, "at most 30"),
        ({"consents": [ENDED]}, "must end after it begins"),
    ],
)  # fmt: skip
def test_what_is_told_wrongly_costs_the_row_and_no_other(
    crm: CRM, tmp_path: Path, told: dict[str, Any], words: str
) -> None:
    report = take(crm, tmp_path / "a.jsonl", lines({"name": "Ann"} | told, {"name": "Bob"}))
    assert (report.added, report.rejected) == (1, 1)
    assert words in report.reasons[0]


def test_a_relation_to_somebody_who_is_not_here_is_warned_of(crm: CRM, tmp_path: Path) -> None:
    told = lines({"name": "Ann", "relations": [{"kind": "boss", "contact": str(NOBODY)}]})
    report = take(crm, tmp_path / "a.jsonl", told)
    assert report.warnings == [f"line 1: relation 'boss' is left out: no contact has the id {NOBODY} so far"]


def test_somebody_who_was_erased_comes_back_by_nobodys_row(crm: CRM, tmp_path: Path) -> None:
    """kills: others that are looked up without asking who was erased."""
    with crm.begin() as tx:
        eve = tx.contacts.add("Eve")
        tx.privacy.erase(eve.id)
    assert documents(crm) == []
    told = lines(
        {"name": "Ann", "relations": [{"kind": "boss", "contact": str(eve.id)}]},
        {"id": str(eve.id), "notes": [{"text": "likes tea"}]},
    )
    report = take(crm, tmp_path / "a.jsonl", told)
    assert (report.added, report.rejected, report.warned) == (1, 1, 1)
    with crm.begin() as tx:
        assert not tx.sql.execute(tx.sql.tables["contact_relations"].select()).all()
        assert not tx.sql.execute(tx.sql.tables["contact_notes"].select()).all()


class Base(DeclarativeBase):
    """The host's models."""


class Customer(Base):
    """A customer of the host's."""

    __tablename__ = "customers"

    no: Mapped[int] = mapped_column(primary_key=True)
    mail: Mapped[str]


def test_who_was_erased_over_the_hosts_table_gets_nothing_new(tmp_path: Path) -> None:
    """kills: tags that are written without asking who was erased."""
    made = MappedContacts(table=Customer.__table__, columns={"email": "mail"}, read_only=True)
    crm = memory_crm(contacts=made)
    Base.metadata.create_all(crm.engine)
    with Session(crm.engine) as session, session.begin():
        session.add(Customer(mail="eve@example.com"))
    with crm.begin() as tx:
        eve = tx.contacts.find(ContactPoint.email("eve@example.com"))
        assert eve is not None
        tx.privacy.erase(eve.id)
    columns = ColumnMap(columns={"email": "email", "tags": "tags"}, source="")
    report = take(crm, tmp_path / "a.csv", "email,tags\neve@example.com,vip\n", columns)
    assert (report.rejected, report.read) == (1, 1)
    assert "erased" in report.reasons[0]
    with crm.begin() as tx:
        assert tx.contacts.tags.of(eve.id) == ()


@pytest.mark.parametrize("policy, liking", [("fill", "likes"), ("update", "dislikes"), ("skip", "likes")])
def test_a_preference_that_is_there_follows_the_policy(
    crm: CRM, tmp_path: Path, policy: str, liking: str
) -> None:
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann", points=[ContactPoint.email("ann@example.com")])
        tx.contacts.preferences.set(ann.id, "topic", "tea")
    told = {"kind": "topic", "value": "tea", "liking": "dislikes"}
    point = {"kind": "email", "value": "ann@example.com"}
    report = take(
        crm, tmp_path / "a.jsonl", lines({"points": [point], "preferences": [told]}), on_duplicate=policy
    )
    assert report.updated == (policy == "update")
    with crm.begin() as tx:
        assert [one.liking for one in tx.contacts.preferences.of(ann.id)] == [liking]


def test_a_refusal_of_somebody_who_was_merged_outlives_the_unmerge(crm: CRM, tmp_path: Path) -> None:
    """kills: words of merged contacts that are written past the log."""
    with crm.begin() as tx:
        ann, other = tx.contacts.add("Ann"), tx.contacts.add("Anna")
        merge = tx.merges.merge(other.id, into=ann.id)
    report = take(crm, tmp_path / "a.csv", f"id,name,consent:news\n{ann.id},Ann,no\n")
    assert report.updated == 1
    with crm.begin() as tx:
        tx.merges.unmerge(merge.id)
        assert [one.state for one in tx.consents.history(other.id)] == ["withdrawn"]


def test_the_same_words_again_change_nothing(crm: CRM, tmp_path: Path) -> None:
    path, told = tmp_path / "a.csv", "name,email,consent:news,consent:promo\nAnn,ann@example.com,yes,no\n"
    assert take(crm, path, told).added == 1
    assert take(crm, path, told).unchanged == 1
    with crm.begin() as tx:
        (ann,) = tx.contacts.page()
        assert len(tx.consents.history(ann.id)) == 2


def test_columns_of_other_files_are_not_read_as_lists(crm: CRM, tmp_path: Path) -> None:
    """kills: headers such as "preferences" that mean crmkit's own lists in everybody's files."""
    plan_of = tmp_path / "a.csv"
    report = take(crm, plan_of, "name,email,preferences,consents\nAnn,ann@example.com,tea,all\n")
    assert (report.added, report.rejected) == (1, 0)
    assert look(plan_of).unused == ("preferences", "consents")


def test_a_list_in_a_note_of_another_file_is_a_text(crm: CRM, tmp_path: Path) -> None:
    take(crm, tmp_path / "a.csv", 'name,note\nAnn,"[{""text"": ""a""}]"\n')
    with crm.begin() as tx:
        (ann,) = tx.contacts.page()
        assert [one.text for one in tx.contacts.notes.of(ann.id)] == ['[{"text": "a"}]']


def test_a_note_written_into_an_exported_table_is_added(crm: CRM, tmp_path: Path) -> None:
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann", points=[ContactPoint.email("ann@example.com")])
        tx.contacts.notes.write(ann.id, "likes tea", kind="call")
    table = exported(crm, "csv").replace(",likes tea,", ",likes coffee,")
    assert take(crm, tmp_path / "a.csv", table).updated == 1
    with crm.begin() as tx:
        kinds = {one.text: one.kind for one in tx.contacts.notes.of(ann.id)}
        assert kinds == {"likes tea": "call", "likes coffee": "note"}


def test_a_card_tells_relations_that_the_standard_knows(crm: CRM, tmp_path: Path) -> None:
    with crm.begin() as tx:
        ann, bob = tx.contacts.add("Ann"), tx.contacts.add("Bob")
        tx.contacts.relations.add(ann.id, "parent", bob.id)
        tx.contacts.relations.add(bob.id, "employer", "Tea; Sons")
        tx.contacts.relations.add(bob.id, "relative", "Cy")
        tx.contacts.relations.add(bob.id, "landlord", "Di")
    cards = exported(crm, "vcard")
    assert f"RELATED;TYPE=child:urn:uuid:{ann.id}\r\n" in cards
    assert "ORG:Tea\\; Sons\r\n" in cards
    assert "RELATED;TYPE=kin;VALUE=text:Cy\r\n" in cards
    assert "Di" not in cards


def test_a_segment_tells_relations_of_both_sides(crm: CRM) -> None:
    with crm.begin() as tx:
        ann, acme = tx.contacts.add("Ann"), tx.contacts.add("Acme")
        tx.contacts.relations.add(ann.id, "employer", acme.id)
        tx.segments.define("anns", 'contact.name == "Ann"')
    (told,) = documents(crm, segment="anns")
    assert told["relations"] == [{"kind": "employer", "contact": str(acme.id)}]


def test_a_contact_without_a_name_goes_over_by_its_id(crm: CRM, tmp_path: Path) -> None:
    with crm.begin() as tx:
        guest = tx.contacts.add("")
    other = memory_crm()
    assert take(other, tmp_path / "a.jsonl", exported(crm)).added == 1
    with other.begin() as tx:
        assert tx.contacts.get(guest.id).name == ""
