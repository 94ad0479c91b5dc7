"""`crmkit export contacts`: contacts go to a file or to the standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from crmkit.cli.command import add_command
from crmkit.cli.progress import counting
from crmkit.cli.target import open_crm
from crmkit.errors import ValueRefused

if TYPE_CHECKING:
    from argparse import Namespace

_JSON = "tell how many were written as JSON, on the error output"
_FORMATS = {
    ".csv": "csv", ".txt": "csv", "": "csv", ".vcf": "vcard", ".vcard": "vcard", ".jsonl": "jsonl", ".ndjson": "jsonl",
}  # fmt: skip


def add(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser("export", help="write contacts to a file")
    kinds = parser.add_subparsers(title="what", metavar="WHAT", required=True)
    contacts = add_command(
        kinds, "contacts", "write contacts to CSV, vCard 4.0 or JSON Lines", run, json=_JSON
    )
    contacts.add_argument("file", nargs="?", metavar="FILE", help="where to; the standard output by default")
    contacts.add_argument(
        "--format",
        choices=("csv", "vcard", "jsonl"),
        default="",
        help="by default what FILE's name says, else csv",
    )
    contacts.add_argument("--segment", default="", metavar="NAME", help="only the contacts of a segment")
    contacts.add_argument(
        "--raw", action="store_true", help="write cells that a spreadsheet runs as they are"
    )


def run(args: Namespace) -> int:
    """Export contacts."""
    from crmkit.exchange import export_contacts  # imported when first used

    format = args.format or _format(args.file or "")
    crm = open_crm(args)
    with _opened(args.file) as out, counting("Exporting contacts") as advance:
        count = export_contacts(
            crm, out, format=format, raw=args.raw, segment=args.segment, told=lambda done: advance(done, "")
        )
    print(f'{{"exported": {count}}}' if args.json else f"{count} contacts exported.", file=sys.stderr)
    return 0


def _format(name: str) -> str:
    format = _FORMATS.get(Path(name).suffix.lower())
    if format is None:
        raise ValueRefused(
            f"the name {name!r} does not say which format is meant: give --format csv, vcard or jsonl"
        )
    return format


@contextmanager
def _opened(name: str | None) -> Iterator[IO[str]]:
    """Open the file so that it is there whole or not at all."""
    if not name or name == "-":
        reconfigure = getattr(sys.stdout, "reconfigure", None)
        if reconfigure:
            reconfigure(encoding="utf-8", newline="")
        yield sys.stdout
        return
    unfinished = Path(f"{name}.part")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as out:
            yield out
        os.replace(unfinished, name)
    except OSError as error:
        raise ValueRefused(f"file {name!r} cannot be written: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
