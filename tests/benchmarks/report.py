"""The rows of the tables, and how they are printed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from measure import Side, late, middle, ratio

COLUMNS = ("database", "what", "baseline", "crmkit", "ratio", "target", "reached", "p99", "CPU")
_LEFT = 2


@dataclass(frozen=True)
class Options:
    """How long to measure.

    Args:
        rounds: how many rounds each comparison has.
        quick: whether a thirtieth of the work is enough, to see that it runs.
        contacts: how many contacts the segments are asked of.
        duplicates: among how many contacts duplicates are sought.
    """

    rounds: int = 5
    quick: bool = False
    contacts: int = 1_000_000
    duplicates: int = 100_000

    def turns(self, number: int) -> int:
        """Return how many turns a round has that should have `number`."""
        return max(2, number // 30) if self.quick else number


@dataclass(frozen=True)
class Row:
    """One comparison; times are nanoseconds for one unit.

    Args:
        table: which table it belongs to.
        database: sqlite, postgresql or empty.
        what: what was done.
        baseline: what it is compared with.
        base: median, 99th percentile and CPU of the baseline.
        ours: the same of crmkit.
        ratio: crmkit by baseline; of times if less is better, of rates if more is.
        late: the same ratio at the 99th percentile.
        cpu: crmkit's CPU by the baseline's, client and server; None if nobody can know.
        target: what the ratio should be, such as "<= 2.0".
        reached: whether it is; None without a target.
        rate: whether times are shown as rates.
        note: what must be said beside the numbers.
    """

    table: str
    database: str
    what: str
    baseline: str
    base: dict[str, float | None]
    ours: dict[str, float | None]
    ratio: float
    late: float
    cpu: float | None
    target: str = ""
    reached: bool | None = None
    rate: bool = False
    note: str = ""

    @classmethod
    def of(
        cls,
        table: str,
        database: str,
        what: str,
        base: Side,
        ours: Side,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
        rate: bool = False,
        note: str = "",
    ) -> Row:
        """Return the comparison of two sides that took turns.

        Args:
            table: which table it belongs to.
            database: where.
            what: what was done.
            base: the baseline.
            ours: crmkit.
            at_most: the target for the ratio of times.
            at_least: the target for the ratio of rates.
            rate: whether rates are shown and compared.
            note: what must be said beside the numbers.
        """
        times, tails = ratio(base, ours), late(ours.times) / max(late(base.times), 1)
        rate = rate or at_least is not None
        shown, shown_tails = (1 / times, 1 / tails) if rate else (times, tails)
        bound = at_least if at_least is not None else at_most
        reached = None if bound is None else (shown >= bound if at_least is not None else shown <= bound)
        return cls(
            table=table,
            database=database,
            what=what,
            baseline=base.name,
            base=_figures(base),
            ours=_figures(ours),
            ratio=shown,
            late=shown_tails,
            cpu=ours.cpu / base.cpu if ours.cpu is not None and base.cpu else None,
            target="" if bound is None else f"{'>=' if at_least is not None else '<='} {bound:g}",
            reached=reached,
            rate=rate,
            note=note,
        )

    def cells(self) -> tuple[str, ...]:
        """Return what stands in the columns."""
        return (
            self.database,
            self.what,
            f"{self.baseline} {self._shown(self.base)}",
            self._shown(self.ours),
            f"{self.ratio:.2f}",
            self.target,
            {True: "yes", False: "NO", None: ""}[self.reached],
            f"{self.late:.2f}",
            "?" if self.cpu is None else f"{self.cpu:.2f}",
        )

    def _shown(self, figures: dict[str, float | None]) -> str:
        time = figures["median"] or 1
        if self.rate:
            return f"{1e9 / time:,.0f}/s"
        return f"{time / 1e6:.3f} ms" if time >= 100_000 else f"{time / 1e3:.2f} us"

    def plain(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return asdict(self)


def _figures(side: Side) -> dict[str, float | None]:
    units = len(side.times) * side.units
    server = side.server_cpu
    return {
        "median": middle(side.times),
        "p99": late(side.times),
        "client_cpu": side.client_cpu / units,
        "server_cpu": None if server is None else server / units,
    }


def show(title: str, rows: Iterable[Row]) -> None:
    """Print the rows of one table."""
    rows = list(rows)
    print(f"\n{title}\n")
    for line in aligned([COLUMNS, *(row.cells() for row in rows)]):
        print(f"  {line}")
    for note in dict.fromkeys(row.note for row in rows if row.note):
        print(f"  * {note}")
    sys.stdout.flush()


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the rows as lines of equal columns, texts to the left and numbers to the right."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if place < _LEFT else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
