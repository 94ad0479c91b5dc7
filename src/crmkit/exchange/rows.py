"""The rows of a CSV file with the lines on which they stand; bad ones are told apart and nothing is skipped."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import IO

import attrs

from crmkit.exchange.limits import Limits
from crmkit.exchange.lines import Line, read_lines

DELIMITERS = (",", ";", "\t", "|")


@attrs.frozen
class Row:
    """One row of a file.

    Args:
        line: the number of the line on which it begins.
        cells: its cells; of a faulty row its text as one cell.
        fault: why it cannot be taken; empty if it can.
    """

    line: int
    cells: tuple[str, ...]
    fault: str = ""


def read_rows(source: IO[bytes], encoding: str, delimiter: str, limits: Limits) -> Iterator[Row]:
    """Yield every row, the header first; empty lines are left out.

    A quote that is opened and never closed costs the line on which it stands, and no other.

    Args:
        source: the bytes from their beginning.
        encoding: as Python names it.
        delimiter: what stands between cells.
        limits: how much one row may be.
    """
    feed = _Feed(read_lines(source, encoding, limits), limits)
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
    while True:
        feed.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except _Faulty as fault:
            yield Row(fault.line.number, (fault.line.text.rstrip("\r\n"),), fault.line.fault)
            reader = csv.reader(feed, delimiter=delimiter, strict=True)
            continue
        except csv.Error as error:
            first = feed.give_back()
            yield Row(first.number, (first.text.rstrip("\r\n"),), _told(str(error)))
            reader = csv.reader(feed, delimiter=delimiter, strict=True)
            continue
        if len(cells) > limits.columns:
            said = f"the row has {len(cells)} cells, at most {limits.columns} are read"
            yield Row(feed.taken[0].number, tuple(cells[: limits.columns]), said)
        elif cells:
            yield Row(feed.taken[0].number, tuple(cells))


def _told(error: str) -> str:
    if "unexpected end" in error or "not closed" in error:
        return "a quote is opened on this line and never closed"
    return f"the line is no row of CSV: {error}"


class _Faulty(Exception):
    def __init__(self, line: Line) -> None:
        self.line = line


class _Feed:
    """Gives lines to the reader, and takes back those that it should not have read into one row."""

    def __init__(self, lines: Iterator[Line], limits: Limits) -> None:
        self._lines = lines
        self._limits = limits
        self._waiting: list[Line] = []
        self._size = 0
        self.taken: list[Line] = []

    def begin(self) -> None:
        """Forget the row before."""
        self.taken, self._size = [], 0

    def give_back(self) -> Line:
        """Return the first line of the row, and let all others be read again."""
        first, *others = self.taken
        self._waiting += others[::-1]
        return first

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._waiting.pop() if self._waiting else next(self._lines)
        if line.fault:
            return self._stop_at(line)
        self.taken.append(line)
        self._size += len(line.text)
        if len(self.taken) > self._limits.lines or self._size > self._limits.record:
            raise csv.Error("a quote is not closed")
        return line.text

    def _stop_at(self, line: Line) -> str:
        if (
            self.taken
        ):  # within quotes: the row that was begun has its fault, and this line its own afterwards
            self._waiting.append(line)
            raise csv.Error("a quote is not closed")
        raise _Faulty(line)
