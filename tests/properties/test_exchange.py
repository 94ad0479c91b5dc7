"""What goes out comes in again as it was; every row is accounted for; batches and crashes make no difference."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from crmkit import CRM, Contact, ContactPoint
from crmkit.contacts import PostalAddress
from crmkit.exchange import OnDuplicate, applying, export_contacts, exporting, import_contacts, look
from crmkit.exchange import rows as row_reader
from crmkit.exchange import sources as source_module
from crmkit.expressions import Field, FieldType
from crmkit.testing import memory_crm
from crmkit.testing.strategies import contacts

#: Without shrinking, which would take most of the time where a law is broken on purpose.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
SUFFIXES = {"csv": ".csv", "vcard": ".vcf", "jsonl": ".jsonl"}
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


@st.composite
def people(draw: st.DrawFn) -> list[tuple[Contact, tuple[str, ...], str]]:
    """Contacts with points of every kind, tags and a note, all of them hostile."""
    found = draw(st.lists(contacts(), max_size=3, unique_by=lambda one: one.id))
    return [
        (draw(dressed(one, number)), tuple(draw(st.lists(words, max_size=3))), draw(lines))
        for number, one in enumerate(found)
    ]


@st.composite
def dressed(draw: st.DrawFn, one: Contact, number: int) -> Contact:
    own = ContactPoint.email(f"p{number}@example.com").with_(
        label=draw(lines), source=draw(lines), primary=draw(st.booleans())
    )
    points = [own, *draw(st.lists(postals, max_size=1))]
    return attrs.evolve(
        one,
        points=points,
        given_name=draw(lines),
        family_name=draw(lines),
        honorific=draw(lines),
        gender=draw(st.sampled_from(("", "m", "f", "x", "=other"))),
        business=draw(st.booleans()),
        birth_date=draw(st.one_of(st.none(), st.dates())),
        source=draw(lines),
    )


def vip() -> Field:
    return Field("contact.motto", FieldType.TEXT)


@cache
def kept_crm(number: int) -> CRM:
    return memory_crm(fields=[vip()])


def fresh(number: int) -> CRM:
    """Return a CRM with empty tables; making them anew for every example would take most of the time."""
    crm = kept_crm(number)
    with crm.begin() as tx:
        for name, table in crm.tables.items():
            if name not in ("installation", "cursors"):
                tx.sql.execute(table.delete())
    return crm


def filled(found: list[tuple[Contact, tuple[str, ...], str]]) -> CRM:
    """Return a CRM with these contacts."""
    crm = fresh(1)
    with crm.begin() as tx:
        for one, tags, note in found:
            tx.contacts.keep(one)
            tx.contacts.tags.add(one.id, *tags)
            if note.strip():
                tx.contacts.notes.write(one.id, note)
                tx.contacts.values.set(one.id, {"contact.motto": note})
    return crm


def snapshot(crm: CRM, *, bare: bool = False) -> list[Any]:
    """Return everything that an export carries."""
    with crm.begin() as tx:
        return [
            (
                attrs.evolve(one, id=None) if bare else one,
                [attrs.asdict(point) for point in one.points],
                tx.contacts.tags.of(one.id),
                sorted(note.text for note in tx.contacts.notes.of(one.id)),
                tx.contacts.values.of(one.id),
            )
            for one in tx.contacts.page()
        ]


def round_trip(found: list[tuple[Contact, tuple[str, ...], str]], format: str) -> None:
    """Export, import into another CRM, and compare."""
    crm, other = filled(found), fresh(2)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"contacts{SUFFIXES[format]}"
        with path.open("w", encoding="utf-8", newline="") as out:
            export_contacts(crm, out, format=format)
        if found:
            report = import_contacts(other, look(path))
            assert report.rejected == 0, report.reasons
    assert snapshot(other) == snapshot(crm)


@pytest.mark.parametrize("format", SUFFIXES)
def test_export_then_import_is_the_identity(format: str) -> None:
    identity(format)


def identity(format: str) -> None:
    @settings(max_examples=settings.default.max_examples // 8, phases=PHASES)  # type: ignore[union-attr]
    @given(people())
    def check(found: list[tuple[Contact, tuple[str, ...], str]]) -> None:
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


def test_importing_the_own_export_changes_nothing() -> None:
    @settings(max_examples=8, phases=PHASES)
    @given(people(), st.sampled_from(sorted(SUFFIXES)))
    def check(found: list[tuple[Contact, tuple[str, ...], str]], format: str) -> None:
        crm = filled(found)
        before = snapshot(crm)
        out = io.StringIO(newline="")
        export_contacts(crm, out, format=format)
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"contacts{SUFFIXES[format]}"
            path.write_text(out.getvalue(), encoding="utf-8", newline="")
            if found:
                report = import_contacts(crm, look(path), on_duplicate="update")
                assert (report.unchanged, report.read) == (len(found), len(found)), report
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
