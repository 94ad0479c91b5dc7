"""How a file is going to be read, decided from a first look and shown before anything is written."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from hashlib import sha256
from json import dumps
from pathlib import Path
from uuid import UUID

import attrs

from crmkit.errors import ValueRefused
from crmkit.exchange.build import Builder
from crmkit.exchange.encodings import look_at
from crmkit.exchange.headers import guess
from crmkit.exchange.limits import Limits
from crmkit.exchange.lines import opened
from crmkit.exchange.mapping import ColumnMap
from crmkit.exchange.rows import DELIMITERS, read_rows
from crmkit.exchange.sources import LINE, REASON, CardFile, ContactTable, LinesFile, Source, Table, detect
from crmkit.exchange.vcards import CardReader

FORMATS = ("csv", "vcard", "jsonl")


@attrs.frozen(kw_only=True)
class Plan:
    """How a file is going to be read.

    Args:
        path: the file.
        format: csv, vcard or jsonl.
        digest: of the file's bytes.
        encoding: as Python names it.
        sure: whether the encoding is certain.
        columns: the mapping, complete.
        delimiter: between cells, for CSV.
        header: the names of the columns, for CSV.
        guessed: whether the columns were guessed by their names.
        raw: whether cells are read as they are, apostrophes before formulas included.
        keep_bad: whether an address that cannot be used becomes a note; by default in address books.
        limits: how much is read at once.
    """

    path: Path
    format: str
    digest: str
    encoding: str
    sure: bool
    columns: ColumnMap
    delimiter: str = ""
    header: tuple[str, ...] = ()
    guessed: bool = False
    raw: bool = False
    keep_bad: bool = False
    limits: Limits = attrs.field(factory=Limits)

    @property
    def unused(self) -> tuple[str, ...]:
        """The columns that no field is for."""
        return tuple(
            name for name in self.header if name not in self.columns.columns and name not in (LINE, REASON)
        )

    def key(self, what: str, *options: object) -> str:
        """Return what the import is known by: the file, how it is read, and what is done with it."""
        said = [what, self.digest, self.format, self.encoding, self.delimiter, self.raw, self.keep_bad]
        said += [self.columns.plain(), *options]
        return sha256(dumps(said, sort_keys=True, default=str).encode()).hexdigest()

    def table(self) -> Table:
        """Return the rows of a CSV file."""
        return Table(
            path=self.path,
            encoding=self.encoding,
            delimiter=self.delimiter,
            header=self.header,
            fields=tuple(self.columns.columns.get(name, "") for name in self.header),
            limits=self.limits,
            raw=self.raw,
            exact=self.columns.exact,
        )

    def source(self, new_id: Callable[[], UUID]) -> Source:
        """Return the file as a source of contacts.

        Args:
            new_id: gives ids for contacts that are new.
        """
        builder = Builder(self.columns, new_id, keep_bad=self.keep_bad)
        if self.format == "vcard":
            return CardFile(self.path, self.encoding, CardReader(builder), self.limits)
        if self.format == "jsonl":
            return LinesFile(self.path, self.encoding, builder, self.limits)
        return ContactTable(self.table(), builder, self.columns.constants)


def look(
    path: Path | str,
    columns: ColumnMap | None = None,
    *,
    format: str = "",
    raw: bool = False,
    keep_bad: bool | None = None,
    limits: Limits | None = None,
    orders: bool = False,
) -> Plan:
    """Return how a file is going to be read.

    Args:
        path: the file; unpacked if it is gzip.
        columns: the mapping; by default the columns are guessed by their names.
        format: csv, vcard or jsonl; found out if empty.
        raw: whether cells are read as they are, apostrophes before formulas included.
        keep_bad: whether an address that cannot be used becomes a note and does not cost the row;
            by default so in vCards.
        limits: how much is read at once.
        orders: whether the file holds orders, whose columns have other names.

    Raises:
        ValueRefused: if the file cannot be read, or the mapping names columns that it has not.
    """
    path, given, limits = Path(path), columns or ColumnMap(), limits or Limits()
    seen = look_at(path, limits)
    if format and format not in FORMATS:
        raise ValueRefused(f"format {format!r} must be one of {', '.join(FORMATS)}")
    kind = format or detect(path, seen)
    encoding = seen.encoding if seen.marked or not given.encoding else _encoding(given.encoding)
    plan = Plan(
        path=path,
        format=kind,
        digest=seen.digest,
        encoding=encoding,
        sure=seen.sure or bool(given.encoding),
        columns=given,
        raw=raw,
        keep_bad=kind == "vcard" if keep_bad is None else keep_bad,
        limits=limits,
    )
    if kind == "jsonl":
        return attrs.evolve(plan, columns=attrs.evolve(given, exact=True))
    return plan if kind == "vcard" else _with_header(plan, orders)


def _encoding(name: str) -> str:
    try:
        "".encode(name)
    except LookupError:
        raise ValueRefused(
            f"encoding {name!r} is unknown; name it as Python does, such as 'cp1252'"
        ) from None
    return name


def _with_header(plan: Plan, orders: bool) -> Plan:
    delimiter = plan.columns.delimiter or _delimiter(plan)
    with opened(plan.path) as source:
        first = next(read_rows(source, plan.encoding, delimiter, plan.limits), None)
    if first is None:
        raise ValueRefused(f"file {str(plan.path)!r} is empty; a CSV file begins with a line of column names")
    if first.fault:
        raise ValueRefused(
            f"line {first.line} of {str(plan.path)!r}, the header, cannot be read: {first.fault}"
        )
    header = tuple(name.strip().removeprefix("'") for name in first.cells)
    if plan.columns.columns:
        if missing := plan.columns.missing(header):
            raise ValueRefused(f"the mapping names columns {missing}, the file has {list(header)[:50]}")
        return attrs.evolve(plan, delimiter=delimiter, header=header)
    found = guess(header, orders=orders)
    columns = attrs.evolve(plan.columns, columns=found, exact="points" in found.values())
    if not found:
        raise ValueRefused(
            f"no column of {list(header)[:50]} is known by its name; write a mapping file with [columns]"
        )
    return attrs.evolve(plan, delimiter=delimiter, header=header, columns=columns, guessed=True)


def _delimiter(plan: Plan) -> str:
    """Return the delimiter under which the header has most cells, and the rows below as many."""
    with opened(plan.path) as source:
        sample = source.read(1 << 16).decode(plan.encoding, "replace").lstrip("\ufeff")
    best = max(DELIMITERS, key=lambda delimiter: _agreement(sample, delimiter))
    return best if _agreement(sample, best)[0] else ","


def _agreement(sample: str, delimiter: str) -> tuple[int, int]:
    try:
        rows: Sequence[Sequence[str]] = [
            row
            for _, row in zip(range(20), csv.reader(sample.splitlines(), delimiter=delimiter), strict=False)
            if row
        ]
    except csv.Error:
        return (0, 0)
    if not rows or len(rows[0]) < 2:
        return (0, 0)
    same = sum(len(row) == len(rows[0]) for row in rows[:-1] or rows)
    return (same, len(rows[0]))
