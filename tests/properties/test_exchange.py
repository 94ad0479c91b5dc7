"""What goes out comes in again as it was; every row is accounted for; batches and crashes make no difference."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from crmkit import CRM, FOREVER, Contact, ContactPoint, Transaction
from crmkit.clock import EPOCH
from crmkit.consent import Allowed, ConsentEntry, RefusalReason, Refused
from crmkit.contacts import Liking, PostalAddress, PreferenceKind, Privacy
from crmkit.exchange import (
    OnDuplicate,
    applying,
    build,
    export_contacts,
    exporting,
    gathering,
    import_contacts,
    look,
)
from crmkit.exchange import rows as row_reader
from crmkit.exchange import sources as source_module
from crmkit.expressions import Field, FieldType
from crmkit.testing import memory_crm
from crmkit.testing.strategies import contacts

#: Without shrinking, which would take most of the time where a law is broken on purpose.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
SUFFIXES = {"csv": ".csv", "vcard": ".vcf", "jsonl": ".jsonl"}
NOBODY = UUID(int=0)
#: What is a note's own, and does not go over.
NOTE: dict[str, Any] = {"id": NOBODY, "author": "", "written_at": EPOCH}
#: The kinds of relations that vCards have a word for.
ON_CARDS = ("parent", "child", "spouse", "sibling", "friend", "colleague", "relative")
HOSTILE = (
    "=1+1", "'=1", "+49", "-1", "@a", '"', '""', ",", ";", "a;b", "\\", "\\n", "[]", '["a"]', " Ann ", "{}", "^n",
    "BEGIN:VCARD", "a:b", "'; DROP TABLE crm_contacts; --", "\u202eabc", "a\u2028b", "\ufeffx", "\x85", "#", "null",
)  # fmt: skip

lines = st.one_of(
    st.sampled_from([one for one in HOSTILE if one != "\x85"]),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=30),
)
words = lines.filter(lambda text: bool(text.strip()))
addresses = st.builds(
    PostalAddress, street=lines, locality=lines, postcode=lines, country=st.sampled_from(("", "GB", "GE"))
)
postals = addresses.filter(lambda parts: bool(parts.lines().strip())).map(ContactPoint.postal)


#: A day before and after the clock of these tests, and the instants between them.
INSTANTS = st.datetimes(datetime(2026, 1, 13), datetime(2026, 1, 17), timezones=st.just(UTC))
DAYS = st.one_of(st.none(), st.dates())
ANSWERS = st.lists(words, max_size=2).map(tuple)
notes = st.one_of(
    st.fixed_dictionaries({"kind": st.sampled_from(("note", "call")), "text": words, "at": INSTANTS}),
    st.fixed_dictionaries(
        {"kind": st.just("interview"), "text": lines, "needs": ANSWERS, "strengths": words, "at": INSTANTS}
    ),
)
preferences = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(PreferenceKind),
        "value": words,
        "liking": st.sampled_from(Liking),
        "source": lines,
        "confidence": st.integers(0, 100),
    }
)
facts = st.fixed_dictionaries(
    {"text": words, "on": DAYS, "source": lines, "privacy": st.sampled_from(Privacy), "purpose": words}
)
RELATIONS = ("parent", "friend", "relative", "employer", "boss", "employer of", "of")
relations = st.fixed_dictionaries(
    {
        "kind": st.one_of(st.sampled_from(RELATIONS), words),
        "other": st.one_of(words, st.integers(0, 2)),
        "source": lines,
        "began_on": DAYS,
        "ended": st.one_of(st.none(), INSTANTS),
    }
)
consents = st.fixed_dictionaries(
    {
        "purpose": st.sampled_from(("news", "promo", "surveys", "")),
        "channel": st.sampled_from(("", "email", "sms")),
        "given": st.booleans(),
        "source": words,
        "text_version": st.sampled_from(("", "2026-01")),
        "at": INSTANTS,
        "lasting": st.one_of(st.none(), st.timedeltas(timedelta(seconds=1), timedelta(days=2))),
        "personally": st.booleans(),
    }
)


@attrs.frozen
class Someone:
    """A contact, and what is known of it besides."""

    contact: Contact
    tags: Sequence[str] = ()
    motto: str = ""
    notes: Sequence[dict[str, Any]] = ()
    preferences: Sequence[dict[str, Any]] = ()
    facts: Sequence[dict[str, Any]] = ()
    relations: Sequence[dict[str, Any]] = ()
    consents: Sequence[dict[str, Any]] = ()


@st.composite
def people(draw: st.DrawFn) -> list[Someone]:
    """Contacts with points of every kind, and whatever else is known of them, all of it hostile."""
    found = draw(st.lists(contacts(), max_size=3, unique_by=lambda one: one.id))
    return [
        Someone(
            draw(dressed(one, number)),
            *(draw(st.lists(words, max_size=3)), draw(lines)),
            *(draw(st.lists(strategy, max_size=2)) for strategy in (notes, preferences, facts, relations)),
            draw(st.lists(consents, max_size=5)),
        )
        for number, one in enumerate(found)
    ]


@st.composite
def dressed(draw: st.DrawFn, one: Contact, number: int) -> Contact:
    own = ContactPoint.email(f"p{number}@example.com").with_(
        label=draw(lines), source=draw(lines), primary=draw(st.booleans())
    )
    points = [*draw(st.lists(st.just(own), max_size=1)), *draw(st.lists(postals, max_size=1))]
    return attrs.evolve(
        one,
        name=draw(st.sampled_from((one.name, ""))),
        points=points,
        given_name=draw(lines),
        family_name=draw(lines),
        honorific=draw(lines),
        gender=draw(st.sampled_from(("", "m", "f", "x", "=other"))),
        business=draw(st.booleans()),
        birth_date=draw(st.one_of(st.none(), st.dates())),
        source=draw(lines),
    )


PURPOSES = {"core": {"purposes": {"surveys": "legitimate_interest"}}}


def vip() -> Field:
    return Field("contact.motto", FieldType.TEXT)


@cache
def kept_crm(number: int) -> CRM:
    return memory_crm(fields=[vip()], settings=PURPOSES)


def fresh(number: int) -> CRM:
    """Return a CRM with empty tables; making them anew for every example would take most of the time."""
    crm = kept_crm(number)
    with crm.begin() as tx:
        for name, table in crm.tables.items():
            if name not in ("installation", "cursors"):
                tx.sql.execute(table.delete())
    return crm


def filled(found: list[Someone]) -> CRM:
    """Return a CRM with these people, but for those whose postal address is another's."""
    crm = fresh(1)
    with crm.begin() as tx:
        kept = [one for one in found if tx.contacts.keep(one.contact) == one.contact]
        for one in kept:
            tell(tx, one, [other.contact.id for other in kept])
    for one in kept:
        for said in one.consents:
            consent(crm, one.contact.id, **said)
    return crm


def tell(tx: Transaction, one: Someone, everybody: Sequence[UUID]) -> None:
    """Write what is known of somebody, but for the consents."""
    id, known = one.contact.id, tx.contacts
    known.tags.add(id, *one.tags)
    if one.motto.strip():
        known.values.set(id, {"contact.motto": one.motto})
    for note in one.notes:
        known.notes.write(id, **note)
    for preference in one.preferences:
        known.preferences.set(id, **preference)
    for fact in one.facts:
        known.facts.add(id, **fact)
    for relation in map(dict, one.relations):
        ended = relation.pop("ended")
        if isinstance(relation["other"], int):
            relation["other"] = everybody[relation["other"] % len(everybody)]
        if relation["other"] != id:
            made = known.relations.add(id, **relation)
            if ended:
                known.relations.end(made.id, at=ended)


def consent(
    crm: CRM,
    id: UUID,
    *,
    purpose: str,
    channel: str,
    given: bool,
    source: str,
    text_version: str,
    at: datetime,
    lasting: timedelta | None,
    personally: bool,
) -> None:
    """Let a contact grant or withdraw a consent."""
    with crm.begin(actor=f"contact:{id}" if personally else "staff:bo") as tx:
        if not given:
            tx.consents.withdraw(id, purpose, channel, source=source, at=at)
        elif purpose:
            until = at + lasting if lasting else FOREVER
            wording = {"source": source, "text_version": text_version}
            tx.consents.grant(id, purpose, channel, **wording, at=at, until=until)


def snapshot(crm: CRM, *, bare: bool = False, format: str = "csv") -> list[Any]:
    """Return everything that an export carries."""
    with crm.begin() as tx:
        return [
            (
                attrs.evolve(one, id=None) if bare else one,
                [attrs.asdict(point) for point in one.points],
                tx.contacts.tags.of(one.id),
                tx.contacts.values.of(one.id),
                *(on_a_card(tx, one.id) if format == "vcard" else in_full(tx, one.id)),
            )
            for one in tx.contacts.page()
        ]


def in_full(tx: Transaction, id: UUID) -> tuple[Any, ...]:
    """Return what only tables and lines carry of a contact."""
    known = tx.contacts
    return (
        {attrs.evolve(note, **NOTE) for note in known.notes.of(id)},  # what was noted twice goes over once
        known.preferences.of(id),
        Counter(attrs.evolve(fact, id=NOBODY, added_at=EPOCH) for fact in known.facts.of(id)),
        Counter(attrs.evolve(one, id=NOBODY) for one in known.relations.of(id, ended=True)),
    )


def on_a_card(tx: Transaction, id: UUID) -> tuple[Any, ...]:
    """Return what a vCard carries of a contact besides fields and points."""
    standing = tx.contacts.relations.of(id)
    return (
        {note.text for note in tx.contacts.notes.of(id) if note.text},
        {(one.kind, one.other_id, one.other_name) for one in standing if one.kind in ON_CARDS}
        | {
            ("employer", None, one.other_name)
            for one in standing
            if one.kind == "employer" and one.other_name
        },
    )


def round_trip(found: list[Someone], format: str) -> None:
    """Export, import into another CRM, and compare."""
    crm, other = filled(found), fresh(2)
    carried_over(crm, other, format)
    wanted, got = snapshot(crm, format=format), snapshot(other, format=format)
    assert len(got) == len(wanted)
    for one, again in zip(wanted, got, strict=True):
        for part, told in zip(one, again, strict=True):
            assert told == part


def carried_over(crm: CRM, other: CRM, format: str) -> None:
    """Export all contacts of a CRM and import them into another one."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"contacts{SUFFIXES[format]}"
        with path.open("w", encoding="utf-8", newline="") as out:
            count = export_contacts(crm, out, format=format)
        if count:
            report = import_contacts(other, look(path), batch=1)
            assert report.rejected == 0, report.reasons
            assert not [text for text in report.warnings if "left out" in text]


def worst() -> list[Someone]:
    """Two people whose cells are formulas or begin with apostrophes, and who are related, as each of them says."""
    one, other = (
        Contact(
            id=UUID(int=n),
            name="=1",
            given_name="'=1",
            family_name="'a",
            points=[ContactPoint.email(f"p{n}@example.com")],
        )
        for n in (1, 2)
    )
    related = {"source": "=1", "began_on": None, "ended": None}
    return [
        Someone(one, ["-1"], "'=1", relations=[{"kind": "boss", "other": 1, **related}]),
        Someone(other, relations=[{"kind": "friend", "other": 0, **related}]),
    ]


@pytest.mark.parametrize("format", SUFFIXES)
def test_export_then_import_is_the_identity(format: str) -> None:
    identity(format)


def identity(format: str) -> None:
    @settings(max_examples=settings.default.max_examples // 8, phases=PHASES)  # type: ignore[union-attr]
    @given(people())
    @example(worst())
    def check(found: list[Someone]) -> None:
        round_trip(found, format)

    check()


def test_an_export_that_guards_twice_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "guarded", lambda cell: f"'{cell}" if cell[:1] in ("=", "'") else cell)
    with pytest.raises(AssertionError):
        identity("csv")


def test_an_import_that_leaves_the_guards_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "unguarded", lambda cell: cell)
    with pytest.raises(AssertionError):
        identity("csv")


def test_an_export_that_tells_relations_from_one_side_alone_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sides = gathering._sides
    monkeypatch.setattr(
        gathering, "_sides", lambda *given: (one for one in sides(*given) if one[1].of is None)
    )
    with pytest.raises(AssertionError):
        identity("jsonl")


def test_an_export_that_names_contacts_who_come_later_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    relations = gathering._relations
    monkeypatch.setattr(gathering, "_relations", lambda tx, whose, in_order: relations(tx, whose, False))
    with pytest.raises(AssertionError):
        identity("jsonl")


#: What may be asked of a log: for which purpose, over which channel, how much later.
QUESTIONS = tuple(
    product(("news", "promo", "surveys"), ("email", "sms"), (timedelta(hours=hours) for hours in (0, 9, 99)))
)


def answers(crm: CRM, id: UUID) -> list[Allowed | Refused]:
    with crm.begin() as tx:
        return [tx.consents.may_send(id, what, how, tx.now + later) for what, how, later in QUESTIONS]


def log(crm: CRM, id: UUID) -> list[ConsentEntry]:
    with crm.begin() as tx:
        return list(tx.consents.history(id))


def goes_over(said: Sequence[ConsentEntry], now: datetime) -> set[tuple[Any, ...]]:
    """The words that are the last on what they are about, now or at an instant to come, as an import writes them."""
    order = sorted(said, key=lambda one: (one.said_at, one.state == "withdrawn"))
    last = [
        [each for each in order if each.at <= at and each.concerns(one.purpose, one.channel)][-1]
        for one in said
        for at in (now, *(each.at for each in said))
        if max(one.at, now) <= at
    ]
    return {(*scope(one), one.state, one.at, one.until, f"import:{one.source}") for one in last}


def scope(one: ConsentEntry) -> tuple[str, str, str]:
    return one.purpose, one.channel, one.text_version


def consents_come_back() -> None:
    """In another CRM stand the words that hold, as imported ones: so nothing is allowed there that is not here.

    The answers are the same where no grant came after a refusal of something that it is about. Who has refused there
    already stays with that.
    """

    @settings(max_examples=settings.default.max_examples // 4, phases=PHASES)  # type: ignore[union-attr]
    @given(
        st.lists(consents, max_size=6), st.lists(consents, max_size=2), st.sampled_from(sorted(SUFFIXES)[:2])
    )
    def check(said: list[dict[str, Any]], there: list[dict[str, Any]], format: str) -> None:
        ann = Someone(Contact(id=UUID(int=1), name="Ann"), consents=said)
        crm, other = filled([ann]), fresh(2)
        id = ann.contact.id
        if there:
            with other.begin() as tx:
                tx.contacts.keep(ann.contact)
            for one in there:
                consent(other, id, **one)
        before, known = answers(other, id), log(other, id)
        carried_over(crm, other, format)
        mine, after = answers(crm, id), answers(other, id)
        wanted = goes_over(log(crm, id), crm.clock())
        new = [one for one in log(other, id) if one not in known]
        assert {(*scope(one), one.state, one.at, one.until, one.source) for one in new} <= wanted
        assert all(one.actor == "system" and not one.personally for one in new)
        for here, was, now in zip(mine, before, after, strict=True):
            assert not now or here or was
            if was is not None and not was and was.reason is RefusalReason.WITHDRAWN:
                assert not now
        if not there:
            assert len(new) == len(wanted)
            if not taken_back(log(crm, id)):
                assert list(map(plain, mine)) == list(map(plain, after))

    check()


def taken_back(said: Sequence[ConsentEntry]) -> bool:
    """Whether a grant came after a refusal of something that it is about."""
    return any(
        one.overlaps(other.purpose, other.channel) and one.said_at >= other.said_at
        for one in said
        for other in said
        if (one.state, other.state) == ("granted", "withdrawn")
    )


def plain(one: Allowed | Refused) -> tuple[Any, ...]:
    return (bool(one), one.since, getattr(one, "reason", None))


def test_consents_come_back_as_words_that_were_imported() -> None:
    consents_come_back()


def test_an_import_that_takes_the_source_for_its_own_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that does not say that it was imported takes back what was refused."""
    monkeypatch.setattr(build, "imported", lambda source: source)
    with pytest.raises(AssertionError):
        consents_come_back()


def test_an_export_of_what_holds_today_alone_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal that is dated later would be lost."""
    words = gathering.words

    def today(entries: Sequence[ConsentEntry], now: datetime) -> Any:
        return words([one for one in entries if one.at <= now], now)

    monkeypatch.setattr(gathering, "words", today)
    with pytest.raises(AssertionError):
        consents_come_back()


def test_importing_the_own_export_changes_nothing() -> None:
    @settings(max_examples=8, phases=PHASES)
    @given(people(), st.sampled_from(sorted(SUFFIXES)))
    def check(found: list[Someone], format: str) -> None:
        crm = filled(found)
        before = snapshot(crm)
        out = io.StringIO(newline="")
        export_contacts(crm, out, format=format)
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"contacts{SUFFIXES[format]}"
            path.write_text(out.getvalue(), encoding="utf-8", newline="")
            if found:
                report = import_contacts(crm, look(path), on_duplicate="update")
                assert (report.unchanged, report.read) == (len(before), len(before)), report
        assert snapshot(crm) == before

    check()


#: Rows that meet one another: few emails, phones, names, and rubbish.
NAMES = ("Ann Example", "Bob Example", "", "x" * 301)
EMAILS = ("", "a@example.com", "A@Example.com", "b@example.com", "no address", "c@example.com")
PHONES = ("", "+442079460001", "+442079460002", "12")
rows = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.sampled_from(EMAILS),
        st.sampled_from(PHONES),
        st.sampled_from(("", "vip", "vip;new")),
    ),
    max_size=12,
)
rubbish = st.one_of(
    st.just(b'"open\n'),
    st.just(b"\xff\xfe,x\n"),
    st.just(b"a,b,c,d,e\n"),
    st.just(b"\0\n"),
    st.binary(max_size=20).map(lambda raw: raw.replace(b"\n", b"") + b"\n"),
)


def content(found: list[tuple[str, ...]]) -> bytes:
    return b"name,email,phone,tags\n" + b"".join(",".join(row).encode() + b"\n" for row in found)


@contextmanager
def file_of(raw: bytes) -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "people.csv"
        path.write_bytes(raw)
        yield path


def taken(raw: bytes, batch: int, policy: str) -> tuple[Any, Any]:
    """Return the report and the state after an import."""
    crm = fresh(1)
    with file_of(raw) as path:
        report = import_contacts(crm, look(path), batch=batch, on_duplicate=policy)
        rejected = Path(report.rejects).read_bytes() if report.rejects else b""
    return {**report.counts(), "reasons": report.reasons, "rejected rows": rejected}, snapshot(crm, bare=True)


def batches_agree() -> None:
    @settings(max_examples=20, phases=PHASES)
    @given(rows, st.sampled_from(list(OnDuplicate)))
    def check(found: list[tuple[str, ...]], policy: OnDuplicate) -> None:
        assert taken(content(found), 1, policy) == taken(content(found), 1000, policy)

    check()


def test_a_batch_of_one_and_of_a_thousand_come_to_the_same() -> None:
    batches_agree()


def test_a_batch_that_does_not_see_its_own_rows_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    owner_of = applying.owner_of

    def blind(batch: Any, row: Any) -> Any:
        found = owner_of(batch, row)
        return None if found in getattr(batch, "_added", ()) else found

    monkeypatch.setattr(applying, "owner_of", blind)
    with pytest.raises(AssertionError):
        batches_agree()


def accounted() -> None:
    """However broken the file is, every line of it is added, unchanged or rejected, and stands in one place."""

    @settings(max_examples=30, phases=PHASES)
    @given(st.lists(st.one_of(st.just(b"Ann,a@example.com,,\n"), rubbish), max_size=8))
    def check(found: list[bytes]) -> None:
        raw = b"name,email,phone,tags\n" + b"".join(found)
        crm = fresh(1)
        with file_of(raw) as path:
            plan = look(path)
            report = import_contacts(crm, plan, batch=3)
            assert report.added + report.updated + report.unchanged + report.rejected == report.read
            if plan.encoding == "utf-8" and b'"' not in raw and b"\r" not in raw:
                assert report.read == sum(line.strip(b"\n") != b"" for line in found)

    check()


def test_every_row_is_accounted_for() -> None:
    accounted()


def test_a_reader_that_skips_faulty_rows_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    read_rows: Callable[..., Any] = row_reader.read_rows
    monkeypatch.setattr(
        source_module, "read_rows", lambda *given: (row for row in read_rows(*given) if not row.fault)
    )
    with pytest.raises(AssertionError):
        accounted()
