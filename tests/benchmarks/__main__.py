"""Measures crmkit against the same work done by hand, and beside its peers: `make bench`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from places import PLACES  # noqa: E402
from report import Options, Row, show  # noqa: E402

from databases import Unavailable  # noqa: E402

TABLES = (
    "record",
    "enqueue",
    "dispatch",
    "smtp",
    "hooks",
    "lookup",
    "takeover",
    "segments",
    "duplicates",
    "imports",
)


def main(words: list[str]) -> int:
    """Measure and print the tables that were asked for."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    parser.add_argument("--only", action="append", choices=TABLES, help="measure only this table")
    parser.add_argument("--database", action="append", choices=sorted(PLACES), help="only on this database")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each comparison, at least 3")
    parser.add_argument(
        "--quick", action="store_true", help="do a thirtieth of the work, to see that it runs"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument(
        "--contacts", type=int, default=1_000_000, help="how many contacts the segments are asked of"
    )
    parser.add_argument(
        "--duplicates", type=int, default=100_000, help="among how many contacts duplicates are sought"
    )
    chosen = parser.parse_args(words)
    options = Options(
        rounds=3 if chosen.quick else max(chosen.rounds, 3),
        quick=chosen.quick,
        contacts=chosen.contacts,
        duplicates=chosen.duplicates,
    )
    rows: list[Row] = []
    for name in chosen.only or TABLES:
        table = import_module(name)
        measured = list(_measured(table, chosen.database or list(PLACES), options))
        show(table.TITLE, measured)
        rows += measured
    if chosen.json:
        chosen.json.write_text(json.dumps([row.plain() for row in rows], indent=1) + "\n")
    missed = [row for row in rows if row.reached is False]
    reached = sum(row.reached is True for row in rows)
    verdict = f"{reached} targets reached, {len(missed)} missed"
    print(f"\n{'A quick run is too short to judge by.' if options.quick else verdict}")
    return 0


def _measured(table: object, databases: list[str], options: Options) -> Iterator[Row]:
    if not hasattr(table, "measure"):
        yield from table.measure_alone(options)  # type: ignore[attr-defined]
        return
    for name in databases:
        try:
            with PLACES[name]() as make:
                yield from table.measure(make, options)
        except Unavailable as error:
            print(f"\n{name} is left out: {error}")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
