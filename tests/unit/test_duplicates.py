"""Duplicates as a host meets them: a check at entry, a search, a queue to judge, and the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from csv import DictReader
from datetime import date
from pathlib import Path
from uuid import UUID

import pytest

from crmkit import CRM, Conflict, Contact, ContactPoint, NotFound, ValueRefused
from crmkit.cli import main
from crmkit.contacts import PostalAddress
from crmkit.duplicates.clusters import Edge, clusters
from crmkit.duplicates.folding import fold, fold_email, split_name
from crmkit.duplicates.record import Record, record_of, split_street
from crmkit.errors import ConfigError, SettingsError
from crmkit.testing import memory_crm
from crmkit.transaction.bulk import batch

HOME = PostalAddress(street="12 High Street", locality="York", postcode="YO1 2AB", country="GB")


@pytest.fixture
def crm() -> CRM:
    return memory_crm()


def add_ann(crm: CRM, **changes: object) -> Contact:
    """Add Ann Smith of York, or somebody a little different."""
    fields = {"given_name": "Ann", "family_name": "Smith", "birth_date": "1980-02-03"} | changes
    points = [ContactPoint.postal(HOME)] if not crm_has_home(crm) else []
    with crm.begin() as tx:
        return tx.contacts.add(f"{fields['given_name']} {fields['family_name']}", points=points, **fields)


def crm_has_home(crm: CRM) -> bool:
    with crm.begin() as tx:
        return tx.contacts.find(ContactPoint.postal(HOME)) is not None


@pytest.mark.parametrize(
    "text, folded",
    [
        ("O'Brien", "obrien"),
        ("Müller", "muller"),
        ("Straße", "strasse"),
        ("  De  La Cruz ", "delacruz"),
        ("Łukasz Ærøskøbing", "lukaszaeroskobing"),
        ("Nguyễn Đức", "nguyenduc"),
        ("ＡＢＣ", "abc"),
        ("გიორგი", "გიორგი"),
        ("が", "が"),
        ("हिन्दी", "हिन्दी"),
        ("", ""),
    ],
)
def test_names_are_compared_without_case_accents_and_spaces(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_a_whole_name_is_taken_apart() -> None:
    assert split_name("Ann Mary Smith") == ("annmary", "smith")
    assert split_name("Smith, Ann") == ("ann", "smith")
    assert split_name("Nguyen Van A", family_first=True) == ("vana", "nguyen")
    assert split_name("Madonna") == ("madonna", "")
    organisation = Contact(id=UUID(int=1), name="High Street Bakery", kind="organisation")
    assert record_of(organisation) == Record(family="highstreetbakery")


def test_an_address_is_taken_apart() -> None:
    assert split_street("12a High Street") == ("12a", "highstreet")
    assert split_street("Hauptstraße 7") == ("7", "hauptstrasse")
    assert split_street("The Old Mill") == ("", "theoldmill")
    assert fold_email("ann.smith+shop@mail.example") == "annsmith@mail.example"


def test_a_new_contact_is_checked_before_it_is_added(crm: CRM) -> None:
    ann = add_ann(crm)
    with crm.begin() as tx:
        (match,) = tx.duplicates.check(name="ann SMITH", birth_date="1980-02-03")
        assert match.contact_id == ann.id
        assert match.probability > 0.99
        said = {score.field: score for score in match.explanation}
        assert said["family"].level == "exact"
        assert said["family"].values == ("smith", "smith")
        assert match.weight == pytest.approx(-20 + sum(score.weight for score in match.explanation), abs=0.01)
        assert tx.duplicates.check(name="Bob Jones", birth_date="1980-02-03") == []
        assert tx.duplicates.check(points=[ContactPoint.postal(HOME)]) == []
        assert tx.duplicates.check() == []


def test_swapped_names_and_a_misspelt_date_are_seen(crm: CRM) -> None:
    ann = add_ann(crm)
    with crm.begin() as tx:
        points = [ContactPoint.postal(HOME)]
        (match,) = tx.duplicates.check(
            given_name="Smith", family_name="Ann", birth_date="1980-03-02", points=points
        )
    assert match.contact_id == ann.id
    assert {s.field: s.level for s in match.explanation if s.field in ("given", "birth")} == {
        "given": "swapped",
        "birth": "close",
    }


def test_a_contact_is_no_duplicate_of_itself(crm: CRM) -> None:
    ann = add_ann(crm)
    twin = add_ann(crm)
    with crm.begin() as tx:
        assert [match.contact_id for match in tx.duplicates.check(ann)] == [twin.id]


def test_check_says_what_it_takes(crm: CRM) -> None:
    ann = add_ann(crm)
    with crm.begin() as tx:
        with pytest.raises(ValueRefused, match="not both"):
            tx.duplicates.check(ann, name="Ann")
        with pytest.raises(ValueRefused, match="colour"):
            tx.duplicates.check(colour="red")


def test_keys_follow_every_change(crm: CRM) -> None:
    ann = add_ann(crm, birth_date="")
    with crm.begin() as tx:
        phone = ContactPoint.phone("+44 20 7946 0958")
        assert tx.duplicates.check(points=[phone], least=0.01) == []
        tx.contacts.remember(ann.id, phone)
        assert tx.duplicates.check(points=[phone], least=0.01) != []
        tx.contacts.update(ann.id, birth_date="1980-02-03")
        assert tx.duplicates.check(name="Ann Smith", birth_date="1980-02-03") != []
        tx.contacts.update(ann.id, given_name="Anna", family_name="Jones", name="Anna Jones")
        assert tx.duplicates.check(name="Ann Smith", birth_date="1980-02-03", least=0.01) == []
    assert crm.index_duplicates() == 0


def test_index_mends_keys_that_are_wrong(crm: CRM) -> None:
    add_ann(crm)
    with crm.begin() as tx:
        tx.sql.execute(tx.table("duplicate_keys").delete())
        assert tx.duplicates.check(name="Ann Smith", birth_date="1980-02-03") == []
    assert crm.index_duplicates() > 0
    assert crm.index_duplicates() == 0
    with crm.begin() as tx:
        assert len(tx.duplicates.check(name="Ann Smith", birth_date="1980-02-03")) == 1


def test_a_search_fills_the_queue_and_a_judgement_empties_it(crm: CRM) -> None:
    ann, twin = add_ann(crm), add_ann(crm, family_name="Smyth")
    bob = add_ann(crm, given_name="Bob", birth_date="1955-12-31")
    report = crm.find_duplicates()
    assert (report.contacts, report.pairs, report.merged) == (3, 1, 0)
    with crm.begin(actor="staff:ann") as tx:
        (pair,) = tx.duplicates.queue()
        assert (pair.first_id, pair.second_id, pair.state) == (ann.id, twin.id, "open")
        assert {s.field: (s.level, s.values) for s in pair.explanation}["family"] == (
            "similar",
            ("smith", "smyth"),
        )
        merge = tx.duplicates.accept(twin.id, ann.id)
        assert tx.duplicates.accept(twin.id, ann.id) == merge
        assert (merge.loser_id, merge.into_id) == (twin.id, ann.id)
        assert merge.details["fields"]
        assert tx.duplicates.queue() == []
        judged = tx.duplicates.get(ann.id, twin.id)
        assert (judged.state, judged.decided_by) == ("merged", "staff:ann")
        with pytest.raises(Conflict, match="unmerge"):
            tx.duplicates.reject(ann.id, twin.id)
        assert tx.contacts.get(twin.id).id == ann.id
        assert tx.duplicates.check(bob) == []


def test_a_pair_judged_distinct_never_returns(crm: CRM) -> None:
    ann, twin = add_ann(crm), add_ann(crm)
    crm.find_duplicates()
    with crm.begin(actor="staff:ann") as tx:
        tx.duplicates.reject(twin.id, ann.id)
        tx.duplicates.reject(ann.id, twin.id)
        told = [entry.event for entry in tx.events.timeline(ann.id)]
        assert [type(event).__name__ for event in told].count("DuplicateRejected") == 1
        assert tx.duplicates.check(ann) == []
    report = crm.find_duplicates(merge=True)
    assert (report.pairs, report.merged) == (0, 0)
    with crm.begin() as tx:
        assert tx.duplicates.queue() == []
        third = tx.contacts.add("Ann Smith", given_name="Ann", family_name="Smith", birth_date="1980-02-03")
        tx.merges.merge(third.id, into=twin.id)
    assert (
        crm.find_duplicates(merge=True).merged == 0
    )  # whoever was merged into one of them is distinct as well
    with crm.begin() as tx:
        assert tx.duplicates.check(ann) == []


def test_a_search_that_is_asked_to_merge_does_so_only_when_sure(crm: CRM) -> None:
    ann = add_ann(crm)
    twins = [add_ann(crm), add_ann(crm)]
    with crm.begin() as tx:
        other = tx.contacts.add("Bob Jones")
    assert crm.find_duplicates().merged == 0
    report = crm.find_duplicates(merge=True, actor="staff:ann")
    assert (report.merged, report.clusters) == (2, ((ann.id, *(twin.id for twin in twins)),))
    with crm.begin() as tx:
        assert tx.contacts.ids(twins[1].id) == (ann.id, *(twin.id for twin in twins))
        assert tx.contacts.get(other.id).id == other.id
        assert tx.duplicates.queue() == []
        (merge, *_) = tx.merges.history(ann.id)
        assert merge.details["probability"] > 0.99
    assert crm.find_duplicates(merge=True).merged == 0


def test_twins_are_not_merged_by_themselves(crm: CRM) -> None:
    add_ann(crm), add_ann(crm, given_name="Barbara")
    report = crm.find_duplicates(merge=True)
    assert (report.sure, report.merged) == (0, 0)


def test_what_was_unmerged_is_not_merged_again_by_itself(crm: CRM) -> None:
    ann, twin = add_ann(crm), add_ann(crm)
    crm.find_duplicates(merge=True)
    with crm.begin() as tx:
        tx.merges.unmerge(tx.merges.history(ann.id)[0].id)
    assert crm.find_duplicates(merge=True).merged == 0
    with crm.begin() as tx:
        (pair,) = tx.duplicates.queue()
        assert (pair.first_id, pair.second_id) == (ann.id, twin.id)


def test_an_undone_merge_is_remembered_by_every_later_search(crm: CRM) -> None:
    ann, twin = add_ann(crm), add_ann(crm)
    with crm.begin() as tx:  # by hand: no search has ever seen the pair
        tx.merges.unmerge(tx.merges.merge(twin.id, into=ann.id).id)
    assert [crm.find_duplicates(merge=True).merged for _ in range(3)] == [0, 0, 0]


def test_what_is_judged_distinct_while_a_search_goes_on_is_not_merged(crm: CRM) -> None:
    ann, twin = add_ann(crm), add_ann(crm)

    def judge(what: str, done: int, every: int) -> None:
        if what == "merging":
            with crm.begin() as tx:
                tx.duplicates.reject(ann.id, twin.id)

    assert crm.find_duplicates(merge=True, progress=judge).merged == 0
    with crm.begin() as tx:
        assert tx.contacts.get(twin.id).id == twin.id
        assert tx.duplicates.get(ann.id, twin.id).state == "distinct"


def test_the_queue_knows_pairs_under_every_id_of_who_was_merged(crm: CRM) -> None:
    ann, twin, third = add_ann(crm), add_ann(crm), add_ann(crm)
    crm.find_duplicates()
    with crm.begin() as tx:
        tx.duplicates.accept(ann.id, twin.id)
        (pair,) = tx.duplicates.queue()  # it was found under both ids
        tx.duplicates.reject(pair.first_id, pair.second_id)
        assert (pair.first_id, pair.second_id) == (ann.id, third.id)
        assert tx.duplicates.queue() == []


def test_pairs_that_are_alike_no_longer_leave_the_queue(crm: CRM) -> None:
    add_ann(crm)
    twin = add_ann(crm)
    crm.find_duplicates()
    with crm.begin() as tx:
        changes = {
            "name": "Xaver Quill",
            "given_name": "Xaver",
            "family_name": "Quill",
            "birth_date": "1901-07-09",
        }
        tx.contacts.update(twin.id, **changes)
    crm.find_duplicates()
    with crm.begin() as tx:
        assert tx.duplicates.queue() == []


def test_a_stranger_changes_no_cluster(crm: CRM) -> None:
    add_ann(crm), add_ann(crm)
    before = crm.find_duplicates().clusters
    with crm.begin() as tx:
        for number in range(20):
            tx.contacts.add(f"Person{number} Other{number}", birth_date=date(1950 + number, 1, 1))
    assert crm.find_duplicates().clusters == before


def test_clusters_keep_apart_what_was_judged_distinct() -> None:
    a, b, c = (UUID(int=number) for number in (1, 2, 3))
    edges = [Edge(a, b, 9.0), Edge(b, c, 5.0)]
    assert clusters(edges) == {a: (a, b, c)}
    assert clusters(edges, [(c, a)]) == {a: (a, b)}


def test_errors_name_what_is_wrong(crm: CRM) -> None:
    ann = add_ann(crm)
    with crm.begin() as tx:
        with pytest.raises(NotFound, match="alike"):
            tx.duplicates.get(ann.id, UUID(int=7))
        with pytest.raises(NotFound):
            tx.duplicates.reject(ann.id, UUID(int=7))
        with pytest.raises(NotFound):
            tx.duplicates.accept(ann.id, UUID(int=7))
        with pytest.raises(ValueRefused, match="itself"):
            tx.duplicates.accept(ann.id, ann.id)
        with pytest.raises(ValueRefused, match="into"):
            tx.duplicates.accept(ann.id, UUID(int=7), into=UUID(int=8))
    with pytest.raises(SettingsError, match="duplicates_merge"):
        memory_crm(settings={"core": {"duplicates_merge": 1.0}})


def test_the_search_says_what_is_not_installed(crm: CRM, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "crmkit.duplicates.search", None)
    with pytest.raises(ConfigError, match=r"crmkit\[duplicates\]"):
        crm.find_duplicates()


def test_after_erasing_nobody_finds_the_keys(crm: CRM) -> None:
    ann, twin = add_ann(crm), add_ann(crm)
    crm.find_duplicates()
    crm.erase(ann.id, reason="asked for")
    with crm.begin() as tx:
        assert [m.contact_id for m in tx.duplicates.check(name="Ann Smith", birth_date="1980-02-03")] == [
            twin.id
        ]
        assert tx.duplicates.queue() == []
        keys = tx.table("duplicate_keys")
        assert not tx.sql.execute(keys.select().where(keys.c.contact_id == ann.id)).all()


# the command line


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    crm = CRM(url)
    crm.create_tables()
    add_ann(crm)
    add_ann(crm, family_name="Smyth")
    add_ann(crm, given_name="Bob", family_name="Jones", birth_date="1955-12-31")
    yield url
    crm.engine.dispose()


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run a command that succeeds and return what it prints."""
    assert main(["duplicates", *words]) == 0
    return capsys.readouterr().out


def test_the_command_line_from_search_to_judgement(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "No pair waits" in said(capsys, "list", "--url", url)
    assert "1 pairs are likely one contact" in said(capsys, "find", "--url", url)
    assert "Ann Smyth" in said(capsys, "list", "--url", url)
    (pair,) = json.loads(said(capsys, "list", "--json", "--url", url))
    ids = (pair["first_id"], pair["second_id"])
    shown = said(capsys, "show", *ids, "--url", url)
    assert "smyth" in shown
    assert "together" in shown
    assert json.loads(said(capsys, "show", *ids, "--json", "--url", url))["state"] == "open"
    found = json.loads(
        said(capsys, "check", "--name", "Ann Smith", "--birth-date", "1980-02-03", "--json", "--url", url)
    )
    assert {match["contact_id"] for match in found} == set(ids)
    assert "probability" in said(capsys, "check", ids[0], "--url", url)
    assert "goes on as" in said(capsys, "accept", *ids, "--by", "staff:ann", "--url", url)
    assert json.loads(said(capsys, "list", "--json", "--url", url)) == []
    assert "0 keys" in said(capsys, "index", "--url", url)


def test_the_command_line_judges_distinct(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    report = json.loads(said(capsys, "find", "--json", "--url", url))
    ids = report["clusters"][0] if report["clusters"] else []
    (pair,) = json.loads(said(capsys, "list", "--json", "--url", url))
    ids = [pair["first_id"], pair["second_id"]]
    assert json.loads(said(capsys, "reject", *ids, "--json", "--url", url)) == {"distinct": ids}
    assert json.loads(said(capsys, "find", "--merge", "--json", "--url", url))["merged"] == 0


def test_the_command_line_refuses_clearly(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["duplicates", "show", "x", "y", "--url", url]) == 2
    assert "'x' is no id of a contact" in capsys.readouterr().err
    assert main(["duplicates", "accept", str(UUID(int=1)), str(UUID(int=2)), "--url", url]) == 2


# real data


def febrl(path: Path) -> Iterator[tuple[Contact, str]]:
    """Yield the contacts of a FEBRL data set, each with whom it is in truth; the social security id is not read."""
    with path.open(newline="", encoding="utf-8") as lines:
        for number, row in enumerate(DictReader(lines, skipinitialspace=True), 1):
            address = PostalAddress(
                street=f"{row['street_number']} {row['address_1']}".strip(),
                extended=row["address_2"],
                locality=row["suburb"],
                region=row["state"],
                postcode=row["postcode"],
            )
            given, family = row["given_name"], row["surname"]
            contact = Contact(
                id=UUID(int=number),
                name=f"{given} {family}".strip(),
                given_name=given,
                family_name=family,
                birth_date=_date(row["date_of_birth"]),
                points=[ContactPoint.postal(address)],
            )
            yield contact, row["rec_id"].split("-")[1]


def _date(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None  # such as the 31st of a month that has 30 days


@pytest.mark.parametrize("number, least", [(1, 0.998), (3, 0.990)])
def test_febrl(shared_data: Path, crm: CRM, number: int, least: float) -> None:
    people = list(febrl(shared_data / "febrl" / f"dataset{number}.csv"))
    with crm.begin() as tx:
        at_once = batch(tx)  # two may have the same address
        at_once.look_up(())
        for contact, _ in people:
            at_once.add(contact)
        at_once.write()
    report = crm.find_duplicates()
    with crm.begin() as tx:
        found = {(p.first_id, p.second_id) for p in tx.duplicates.queue(limit=10_000)}
    groups: dict[str, list[UUID]] = {}
    for contact, truth in people:
        groups.setdefault(truth, []).append(contact.id)
    true = {(a, b) for ids in groups.values() for a in ids for b in ids if a < b}
    assert report.pairs == len(found)
    assert 2 * len(found & true) / (len(found) + len(true)) >= least
