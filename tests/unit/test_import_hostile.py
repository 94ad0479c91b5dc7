"""Hostile files: each gives a clear error or a correct row, nothing is lost, and memory stays bounded."""

from __future__ import annotations

import csv
import gzip
import io
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from crmkit import CRM, ContactPoint
from crmkit.errors import ValueRefused
from crmkit.exchange import ColumnMap, ImportReport, Limits, import_contacts, look
from crmkit.exchange.cards import read_property
from crmkit.exchange.formulas import guarded, unguarded
from crmkit.exchange.rows import Row, read_rows
from crmkit.testing import memory_crm


@pytest.fixture
def crm() -> CRM:
    return memory_crm()


def take(
    crm: CRM, path: Path, content: bytes | str, columns: ColumnMap | None = None, **options: Any
) -> ImportReport:
    """Import a file of that content, and see that every row is accounted for."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    report = import_contacts(crm, look(path, columns, **options))
    assert report.added + report.updated + report.unchanged + report.rejected == report.read
    return report


def rejects(report: ImportReport) -> list[dict[str, str]]:
    """Return the rows of the file of rejects."""
    if not report.rejects:
        return []
    with open(report.rejects, encoding="utf-8-sig", newline="") as source:
        return list(csv.DictReader(source))


def names(crm: CRM) -> list[str]:
    with crm.begin() as tx:
        return sorted(contact.name for contact in tx.contacts.page())


@attrs.define
class Stream:
    """Bytes that are made when they are read."""

    chunks: Iterator[bytes]

    def read(self, size: int = -1) -> bytes:
        return next(self.chunks, b"")


def gigabyte(filling: bytes) -> Iterator[bytes]:
    """A header, a row, a line of a gigabyte, and a row."""
    yield b"name,email\nAnn,ann@example.com\n"
    for _ in range(1024):
        yield filling * (1 << 20)
    yield b"\nBob,bob@example.com\n"


@pytest.mark.parametrize("filling", [b"a", b'"', b"\0"])
def test_a_line_of_a_gigabyte_is_refused_with_its_number_in_bounded_memory(filling: bytes) -> None:
    source: Any = Stream(gigabyte(filling))
    tracemalloc.start()
    rows = list(read_rows(source, "utf-8", ",", Limits()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [row.line for row in rows] == [1, 2, 3, 4]
    assert [row.cells for row in (rows[1], rows[3])] == [
        ("Ann", "ann@example.com"),
        ("Bob", "bob@example.com"),
    ]
    assert "more than 1000000 bytes" in rows[2].fault
    assert peak < 30_000_000


def test_a_line_with_a_nul_byte_is_rejected_alone(crm: CRM, tmp_path: Path) -> None:
    report = take(
        crm,
        tmp_path / "a.csv",
        b"name,email\nAnn,ann@example.com\nBo\0b,bob@example.com\nCy,cy@example.com\n",
    )
    assert (report.added, report.rejected) == (2, 1)
    assert rejects(report)[0]["crmkit line"] == "3"
    assert "NUL" in rejects(report)[0]["crmkit reason"]


def test_lines_in_another_encoding_are_rejected_one_by_one(crm: CRM, tmp_path: Path) -> None:
    content = "name\nNiño\n".encode() + "Peña\n".encode("cp1252") + "Müller\n".encode()
    report = take(crm, tmp_path / "a.csv", content)
    assert names(crm) == ["Müller", "Niño"]
    assert rejects(report) == [
        {"name": "Peña", "crmkit line": "3", "crmkit reason": report.reasons[0].removeprefix("line 3: ")}
    ]


def test_rejected_rows_can_be_imported_as_they_are_mended(crm: CRM, tmp_path: Path) -> None:
    report = take(crm, tmp_path / "a.csv", "name\nNiño\n".encode() + "Peña\n".encode("cp1252"))
    again = import_contacts(crm, look(report.rejects))
    assert (again.added, again.rejected) == (1, 0)
    assert names(crm) == ["Niño", "Peña"]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_the_encoding_is_found_out(crm: CRM, tmp_path: Path, encoding: str) -> None:
    text = "Vorname;Nachname;Straße;Ort\n" + "Jürgen;Müßig;Große Straße 1;Köln\n" * 5
    report = take(crm, tmp_path / "a.csv", text.encode(encoding))
    assert report.rejected == 0
    assert set(names(crm)) == {"Jürgen Müßig"}


def test_too_many_columns_are_refused(crm: CRM, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(",".join(f"c{n}" for n in range(10_000)) + "\n")
    with pytest.raises(ValueRefused, match="10000 cells, at most 1000"):
        look(path)
    report = take(crm, path, "name,email\nAnn,ann@example.com\n" + "x," * 10_000 + "\nBob,bob@example.com\n")
    assert (report.added, report.rejected) == (2, 1)
    assert "10001 cells" in report.reasons[0]


def test_a_quote_that_is_never_closed_costs_one_line(crm: CRM, tmp_path: Path) -> None:
    lines = [
        "name,email",
        "Ann,ann@example.com",
        '"Bob,bob@example.com',
        *(f"P{n},p{n}@example.com" for n in range(50)),
    ]
    report = take(crm, tmp_path / "a.csv", "\n".join(lines) + "\n")
    assert (report.read, report.added, report.rejected) == (52, 51, 1)
    assert report.reasons == ["line 3: a quote is opened on this line and never closed"]
    assert rejects(report)[0]["name"] == '"Bob,bob@example.com'


def test_text_after_a_closed_quote_is_rejected(crm: CRM, tmp_path: Path) -> None:
    report = take(crm, tmp_path / "a.csv", 'name,email\n"Ann"x,a@example.com\nBob,b@example.com\n')
    assert (report.added, report.rejected) == (1, 1)
    assert report.reasons[0].startswith("line 2: the line is no row of CSV")


def test_a_row_may_stand_on_several_lines(crm: CRM, tmp_path: Path) -> None:
    take(crm, tmp_path / "a.csv", 'name,postal address\r\n"Ann","1 High Street\r\nLondon"\r\nBob,\r\n')
    with crm.begin() as tx:
        found = {contact.name: contact for contact in tx.contacts.page()}
    assert found["Ann"].points[0].value.split() == ["1", "High", "Street", "London"]
    assert found["Bob"].points == ()


def test_sql_in_every_field_is_text(crm: CRM, tmp_path: Path) -> None:
    evil = "'; DROP TABLE crm_contacts; --"
    header = "name,given name,family name,street,city,tags,note,gender,source"
    report = take(
        crm,
        tmp_path / "a.csv",
        header + "\n" + ",".join([f'"{evil}"'] * 9) + "\n",
        ColumnMap(tags_separator=""),
    )
    assert report.added == 1, report.reasons
    with crm.begin() as tx:
        (found,) = tx.contacts.page()
        assert (found.name, found.given_name, found.gender, found.source) == (evil, evil, evil, evil)
        assert tx.contacts.tags.of(found.id) == (evil.lower(),)
        assert tx.contacts.notes.of(found.id)[0].text == evil


def test_homoglyphs_and_turned_text_are_kept_and_told(crm: CRM, tmp_path: Path) -> None:
    content = "name,email\nAnn,аnn@example.com\nBob\u202ecod.exe,bob@example.com\nClean,clean@example.com\n"
    report = take(crm, tmp_path / "a.csv", content)
    assert (report.added, report.warned) == (3, 2)
    assert "line 2: email" in report.warnings[0]
    assert "CYRILLIC and LATIN" in report.warnings[0]
    assert "direction" in report.warnings[1]


def test_rows_with_too_many_cells_are_rejected_and_too_few_are_filled(crm: CRM, tmp_path: Path) -> None:
    report = take(crm, tmp_path / "a.csv", "name,email,phone\nAnn,ann@example.com\nBob,b@example.com,,more\n")
    assert (report.added, report.reasons) == (1, ["line 3: the row has 4 cells, the header 3"])


def test_a_compressed_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"name\n" + b"Ann\n" * 1_000_000))
    with pytest.raises(ValueRefused, match="more than 1000000 bytes"):
        look(path, limits=Limits(unpacked=1_000_000))


def test_a_truncated_gzip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"name\nAnn\n" * 1000)[:-20])
    with pytest.raises(ValueRefused, match="cannot be read"):
        look(path)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"rubbish\nrow\n", b'"name\n'])
def test_a_file_without_a_header_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(ValueRefused):
        look(path)


def test_a_folder_or_nothing_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone.csv"):
        with pytest.raises(ValueRefused, match="no regular file"):
            look(path)


@pytest.mark.parametrize(
    "text", ["=1+1", "+49 30 1234", "-1", "@SUM(A1)", "\tx", "'=1", "''=1", "'", "''", "", "a", "'a"]
)
def test_formulas_are_guarded_and_come_back(text: str) -> None:
    shown = guarded(text)
    assert shown[:1] not in "=+-@\t\r" or not shown
    assert unguarded(shown) == text


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text", ["TEL;" * 900 + ":1", "A" * 3900 + "\0", "TEL" + ";X=" * 1000 + ":1", 'TEL;X="' + "a" * 3900]
)
def test_a_hostile_property_is_read_or_refused_at_once(text: str) -> None:
    try:
        name = read_property(text).name
    except ValueError as error:
        name = type(error).__name__
    assert name in ("TEL", "ValueError")


def test_a_row_ends_with_a_lone_carriage_return() -> None:
    rows = read_rows(io.BytesIO(b"name\rAnn\rBob\r"), "utf-8", ",", Limits())
    assert list(rows) == [Row(1, ("name",)), Row(2, ("Ann",)), Row(3, ("Bob",))]


def test_import_never_clears_a_suppression(crm: CRM, tmp_path: Path) -> None:
    ann = ContactPoint.email("ann@example.com")
    with crm.begin() as tx:
        contact = tx.contacts.add("Ann", points=[ann])
        tx.consents.withdraw(contact.id, "news")
        tx.suppressions.add(ann, "unsubscribe")
    report = take(crm, tmp_path / "a.csv", "name,email,consent:news\nAnn,ann@example.com,yes\n")
    assert report.rejected == 0
    with crm.begin() as tx:
        assert tx.suppressions.find(ann)
        assert not tx.consents.may_send(contact.id, "news", "email", tx.now)


def test_the_file_itself_is_no_file_of_rejects(crm: CRM, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("name,email\nAnn,ann@example.com\n")
    for dry_run in (True, False):
        with pytest.raises(ValueRefused, match="overwrite the file itself"):
            import_contacts(crm, look(path), rejects=path, dry_run=dry_run)
    assert path.read_text().endswith("ann@example.com\n")


def test_a_row_with_the_id_of_a_contact_that_was_merged_is_taken(crm: CRM, tmp_path: Path) -> None:
    with crm.begin() as tx:
        ann, other = tx.contacts.add("Ann"), tx.contacts.add("Anna")
        tx.merges.merge(other.id, into=ann.id)
    rows = [f"{other.id},Ann,a{n}@example.com,t{n}" for n in (1, 2)]
    report = take(crm, tmp_path / "a.csv", "\n".join(["id,name,email,tags", *rows]))
    assert (report.updated, report.unchanged) == (2, 0)
    with crm.begin() as tx:
        assert [point.value for point in tx.contacts.get(ann.id).points] == [
            "a1@example.com",
            "a2@example.com",
        ]
        assert tx.contacts.tags.of(ann.id) == ("t1", "t2")


def test_a_dry_run_spoils_no_file_of_rejects(crm: CRM, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    report = take(crm, path, "name,email\nAnn,ann@example.com\nBob,nowhere\n")
    before = Path(report.rejects).read_text()
    dry = import_contacts(crm, look(path), on_duplicate="reject", dry_run=True)
    assert (dry.rejected, Path(report.rejects).read_text()) == (2, before)
    assert Path(dry.rejects).name == "a.csv.dry-run.rejects.csv"


def test_a_run_does_not_go_on_without_its_file_of_rejects(crm: CRM, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("name,email\nBob,nowhere\nAnn,ann@example.com\nCarl,nowhere\n")

    def killed(report: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_contacts(crm, look(path), batch=1, told=killed)
    kept = tmp_path / "a.csv.rejects.csv"
    kept.rename(tmp_path / "elsewhere.csv")
    with pytest.raises(ValueRefused, match="no longer in"):
        import_contacts(crm, look(path))
    (tmp_path / "elsewhere.csv").rename(kept)
    report = import_contacts(crm, look(path))
    assert (report.resumed_from, report.rejected, len(rejects(report))) == (1, 2, 2)
