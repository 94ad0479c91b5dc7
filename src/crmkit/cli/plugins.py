"""`crmkit plugins`: what is installed, and with `--check` whether it works."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import Namespace

    from crmkit.plugins import PluginRecord

_HEADINGS = ("name", "distribution", "version", "status", "hooks", "error")


def add(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser("plugins", help="list the installed plugins")
    parser.add_argument(
        "--check", action="store_true", help="import them, to tell their hooks and load errors"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Print the installed plugins; return 1 if one of them cannot be enabled."""
    from crmkit.plugins import listing  # imported when first used

    with redirect_stdout(sys.stderr):  # what plugins print when they are imported is no part of the answer
        records = listing(check=args.check)
    print(_json(records, args.check) if args.json else "\n".join(_table(records)))
    return int(any(record.status == "failed" for record in records))


def _json(records: Sequence[PluginRecord], checked: bool) -> str:
    from json import dumps

    import attrs

    # null says that nobody looked, an empty list that there is none
    rows = [attrs.asdict(record) | ({} if checked else {"hooks": None}) for record in records]
    return dumps(rows, indent=2, ensure_ascii=False)


def _table(records: Sequence[PluginRecord]) -> Iterator[str]:
    if not records:
        yield "No plugins are installed. A distribution offers them as entry points of the group 'crmkit'."
        return
    rows = [_HEADINGS, *(_cells(record) for record in records)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _cells(record: PluginRecord) -> tuple[str, ...]:
    hooks = " ".join(hook.removeprefix("crmkit_") for hook in record.hooks)
    error = " ".join(record.error.split())
    return (record.name, record.distribution, record.version, record.status, hooks, error)
