"""The files contacts come from: CSV, vCard and JSON Lines, each read row by row."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import attrs

from crmkit.errors import ValueRefused
from crmkit.exchange.build import Builder
from crmkit.exchange.cards import Card, read_cards
from crmkit.exchange.encodings import Look
from crmkit.exchange.formulas import guarded, unguarded
from crmkit.exchange.incoming import Incoming, Rejected
from crmkit.exchange.limits import Limits
from crmkit.exchange.lines import Line, opened, read_lines
from crmkit.exchange.rows import Row, read_rows
from crmkit.exchange.vcards import CardReader

#: What the columns of a file of rejects are called that tell what was wrong.
LINE, REASON = "crmkit line", "crmkit reason"

Read = Incoming | Rejected


class Source(Protocol):
    """A file of contacts."""

    suffix: str

    @property
    def left_out(self) -> Counter[str]:
        """What was left out on purpose so far, by name."""
        ...

    @property
    def ignored(self) -> Counter[str]:
        """Properties that no field is for, by name."""
        ...

    def rows(self) -> Iterator[Any]:
        """Yield the rows, cards or lines as they stand there."""
        ...

    def read(self, row: Any) -> Read:
        """Return what one of them says, or why it cannot be taken."""
        ...

    def head(self) -> str:
        """Return what a file of rejects begins with."""
        ...

    def rejected(self, one: Rejected) -> str:
        """Return what stands there of a rejected row, so that it can be mended and imported again."""
        ...


def csv_line(cells: Sequence[str], delimiter: str) -> str:
    """Return a row of CSV."""
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerow(cells)
    return out.getvalue()


@attrs.define
class Table:
    """Rows of CSV under a header, by the fields that its columns are.

    Args:
        path: the file.
        encoding: as Python names it.
        delimiter: what stands between cells.
        header: the names of the columns.
        fields: by place: the field, or empty.
        limits: how much one row may be.
        raw: whether cells are read as they are, apostrophes before formulas included.
        exact: whether spaces around values belong to them.
    """

    path: Path
    encoding: str
    delimiter: str
    header: tuple[str, ...]
    fields: tuple[str, ...]
    limits: Limits
    raw: bool = False
    exact: bool = False
    suffix: str = ".rejects.csv"

    def rows(self) -> Iterator[Row]:
        """Yield the rows but for the header."""
        with opened(self.path) as source:
            rows = read_rows(source, self.encoding, self.delimiter, self.limits)
            next(rows, None)
            yield from rows

    def cells(self, row: Row) -> dict[str, list[str]]:
        """Return the values of a row by field.

        Raises:
            ValueRefused: if the row is faulty, or has more cells than the header.
        """
        if row.fault:
            raise ValueRefused(row.fault)
        if len(row.cells) > len(self.fields):
            raise ValueRefused(f"the row has {len(row.cells)} cells, the header {len(self.fields)}")
        found: dict[str, list[str]] = {}
        for field, cell in zip(self.fields, row.cells, strict=False):
            if field:
                text = cell if self.exact else cell.strip()
                if text:
                    found.setdefault(field, []).append(text if self.raw else unguarded(text))
        return found

    def head(self) -> str:
        """Return the header of a file of rejects."""
        kept = [name for name in self.header if name not in (LINE, REASON)]
        return "\ufeff" + csv_line([*map(guarded, kept), LINE, REASON], self.delimiter)

    def rejected(self, one: Rejected) -> str:
        """Return a rejected row with its line and the reason."""
        kept = [place for place, name in enumerate(self.header) if name not in (LINE, REASON)]
        cells = [one.raw[place] if place < len(one.raw) else "" for place in kept]
        cells += one.raw[len(self.header) :]
        if not self.raw:
            cells = [guarded(unguarded(cell)) for cell in cells]
        return csv_line([*cells, str(one.line), one.reason], self.delimiter)


@attrs.define
class ContactTable:
    """A CSV file of contacts.

    Args:
        table: its rows.
        builder: makes contacts of them.
        constants: values for rows that give none, by field.
    """

    table: Table
    builder: Builder
    constants: Mapping[str, str]
    suffix: str = ".rejects.csv"
    left_out: Counter[str] = attrs.field(factory=Counter)
    ignored: Counter[str] = attrs.field(factory=Counter)

    def rows(self) -> Iterator[Row]:
        """Yield the rows but for the header."""
        return self.table.rows()

    def read(self, row: Row) -> Read:
        """Return what a row says, or why it cannot be taken."""
        try:
            cells = self.table.cells(row)
            for field, value in self.constants.items():
                if field not in cells:
                    cells[field] = [value]
            return self.builder.build(cells, row.line, row.cells)
        except ValueRefused as error:
            return Rejected(row.line, str(error), row.cells)

    def head(self) -> str:
        """Return the header of a file of rejects."""
        return self.table.head()

    def rejected(self, one: Rejected) -> str:
        """Return a rejected row with its line and the reason."""
        return self.table.rejected(one)


@attrs.define
class CardFile:
    """A file of vCards.

    Args:
        path: the file.
        encoding: as Python names it.
        reader: makes contacts of cards.
        limits: how much one card may be.
    """

    path: Path
    encoding: str
    reader: CardReader
    limits: Limits
    suffix: str = ".rejects.vcf"

    @property
    def left_out(self) -> Counter[str]:
        """What was left out on purpose."""
        return self.reader.left_out

    @property
    def ignored(self) -> Counter[str]:
        """Properties that no field is for."""
        return self.reader.ignored

    def rows(self) -> Iterator[Card]:
        """Yield the cards."""
        with opened(self.path) as source:
            yield from read_cards(read_lines(source, self.encoding, self.limits), self.limits)

    def read(self, row: Card) -> Read:
        """Return what a card says, or why it cannot be taken."""
        return self.reader.read(row)

    def head(self) -> str:
        """Return nothing: a file of cards has no header."""
        return ""

    def rejected(self, one: Rejected) -> str:
        """Return a rejected card with its line and the reason."""
        reason = " ".join(one.reason.split()).replace("\\", "\\\\").replace(",", "\\,").replace(";", "\\;")
        said = f"X-CRMKIT-REJECTED:line {one.line}: {reason}"
        whole = one.raw[:1] == ("BEGIN:VCARD",)
        lines = (one.raw[0], said, *one.raw[1:]) if whole else (*one.raw, said)
        return "".join(f"{line}\r\n" for line in lines)


@attrs.define
class LinesFile:
    """A file of JSON Lines, one contact a line, as `crmkit export contacts` writes it.

    Args:
        path: the file.
        encoding: as Python names it.
        builder: makes contacts of lines.
        limits: how much one line may be.
    """

    path: Path
    encoding: str
    builder: Builder
    limits: Limits
    suffix: str = ".rejects.jsonl"
    left_out: Counter[str] = attrs.field(factory=Counter)
    ignored: Counter[str] = attrs.field(factory=Counter)

    def rows(self) -> Iterator[Line]:
        """Yield the lines that are not empty."""
        with opened(self.path) as source:
            lines = read_lines(source, self.encoding, self.limits)
            yield from (line for line in lines if line.text.strip() or line.fault)

    def read(self, row: Line) -> Read:
        """Return what a line says, or why it cannot be taken."""
        from crmkit.exchange.documents import cells_of  # both know the builder's cells

        raw = (row.text.rstrip("\r\n"),)
        try:
            if row.fault:
                raise ValueRefused(row.fault)
            cells, ignored = cells_of(_object(raw[0]))
            self.ignored.update(ignored)
            return self.builder.build(cells, row.number, raw)
        except ValueRefused as error:
            return Rejected(row.number, str(error), raw)

    def head(self) -> str:
        """Return nothing: a file of lines has no header."""
        return ""

    def rejected(self, one: Rejected) -> str:
        """Return a rejected line with its number and the reason."""
        try:
            given = _object(one.raw[0])
        except ValueRefused:
            given = {"crmkit raw": one.raw[0]}
        return json.dumps(given | {LINE: one.line, REASON: one.reason}, ensure_ascii=False) + "\n"


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueRefused(f"the line is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueRefused(f"the line must be a JSON object, not {type(found).__name__}")
    return found


def detect(path: Path, look: Look) -> str:
    """Return the format that a file seems to be in: csv, vcard or jsonl."""
    start = look.sample.decode(look.encoding, "replace").lstrip("\ufeff \r\n\t")
    if start[:11].upper() == "BEGIN:VCARD":
        return "vcard"
    name = path.name.lower().removesuffix(".gz")
    if name.endswith((".vcf", ".vcard")):
        return "vcard"
    if start.startswith("{") and name.endswith((".jsonl", ".ndjson", ".json")):
        return "jsonl"
    return "csv"
