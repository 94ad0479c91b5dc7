"""`crmkit import contacts` and `crmkit import orders`: customers and their past come from a file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmkit.cli.command import add_command, say
from crmkit.cli.progress import counting
from crmkit.cli.target import open_crm
from crmkit.errors import ValueRefused

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from crmkit.exchange import ColumnMap, ImportReport, Plan

#: The exit status when rows were rejected.
REJECTED = 1


def add(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser("import", help="take over contacts or orders from a file")
    kinds = parser.add_subparsers(title="what", metavar="WHAT", required=True)
    about = "take over contacts from CSV, vCard 2.1 to 4.0, or JSON Lines; also gzip"
    contacts = add_command(kinds, "contacts", about, run_contacts)
    _add_file(contacts)
    contacts.add_argument(
        "--format", choices=("csv", "vcard", "jsonl"), default="", help="found out by default"
    )
    contacts.add_argument(
        "--on-duplicate",
        choices=("fill", "update", "skip", "reject"),
        default="fill",
        help="what is done with rows whose contact is there already: fill its empty fields (the default), take "
        "the row's values, leave it, or reject the row",
    )
    contacts.add_argument(
        "--keep-bad", action="store_true", default=None, help="keep unusable addresses and dates as notes"
    )
    contacts.add_argument(
        "--reject-bad",
        dest="keep_bad",
        action="store_false",
        help="reject the row instead, as CSV does by default",
    )
    about = "take over orders from CSV, one row a line of an order; also gzip"
    orders = add_command(kinds, "orders", about, run_orders)
    _add_file(orders)
    orders.add_argument(
        "--effects",
        metavar="PLUGIN",
        action="append",
        default=[],
        help="a plugin whose rules and reactions run",
    )


def _add_file(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument(
        "--mapping", type=Path, metavar="FILE", help="which column is which field: TOML or JSON"
    )
    parser.add_argument(
        "--region", default="", help="the country of phone numbers without a code, such as GB"
    )
    parser.add_argument("--encoding", default="", help="found out by default")
    parser.add_argument("--delimiter", default="", help="found out by default")
    parser.add_argument(
        "--raw", action="store_true", help="read apostrophes before formulas as part of the cell"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="undo everything at the end, and tell what it came to"
    )
    parser.add_argument("--yes", action="store_true", help="take guessed columns without asking")
    parser.add_argument(
        "--again", action="store_true", help="begin anew with a file that was taken over before"
    )
    parser.add_argument(
        "--rejects", type=Path, metavar="FILE", help="where rejected rows go; beside FILE by default"
    )
    parser.add_argument("--batch", type=int, default=1000, help="rows that are committed together")
    parser.add_argument("--actor", default="system", help="who imports, such as staff:ann")


def run_contacts(args: Namespace) -> int:
    """Import contacts; return 1 if a row was rejected."""
    from crmkit.exchange import import_contacts, look  # imported when first used

    plan = look(args.file, _mapping(args), format=args.format, raw=args.raw, keep_bad=args.keep_bad)
    return _take(args, plan, "contacts", partial(import_contacts, on_duplicate=args.on_duplicate))


def run_orders(args: Namespace) -> int:
    """Import orders; return 1 if a row was rejected."""
    from crmkit.exchange import import_orders, look  # imported when first used

    plan = look(args.file, _mapping(args), format="csv", raw=args.raw, orders=True)
    return _take(args, plan, "orders", partial(import_orders, effects=args.effects))


def _take(args: Namespace, plan: Plan, what: str, take: Callable[..., ImportReport]) -> int:
    """Import the file as it is planned, if the user agrees; print what it came to."""
    crm, batch = open_crm(args), _batch(args)
    _confirm(plan, args)
    with counting(f"Importing {what}") as advance:
        report = take(
            crm,
            plan,
            dry_run=args.dry_run,
            again=args.again,
            batch=batch,
            rejects=args.rejects,
            actor=args.actor,
            told=lambda so_far: advance(so_far.read, f"{so_far.rejected} rejected"),
        )
    say(args, report.plain(), _lines(report))
    return REJECTED if report.rejected else 0


def _batch(args: Namespace) -> int:
    if not 1 <= args.batch <= 10_000:
        raise ValueRefused(f"--batch {args.batch} must be from 1 to 10000")
    return int(args.batch)


def _mapping(args: Namespace) -> ColumnMap:
    import attrs

    from crmkit.exchange import ColumnMap, read_mapping

    found = read_mapping(args.mapping) if args.mapping else ColumnMap()
    given = {name: getattr(args, name) for name in ("region", "encoding", "delimiter") if getattr(args, name)}
    return attrs.evolve(found, **given) if given else found


def _confirm(plan: Plan, args: Namespace) -> None:
    """Show how the file is going to be read, and ask where something of it was guessed."""
    for line in _description(plan):
        print(line, file=sys.stderr)
    if args.yes or args.dry_run or not (plan.guessed or not plan.sure):
        return
    if not sys.stdin.isatty():
        raise ValueRefused(
            "columns or encoding were guessed: give --yes if they are right, or a --mapping file"
        )
    print("Is that right? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise ValueRefused("nothing was imported; write a mapping file, see docs/reference/import-export.md")


def _description(plan: Plan) -> Iterator[str]:
    sure = "" if plan.sure else " (guessed)"
    between = f", cells parted by {plan.delimiter!r}" if plan.delimiter else ""
    yield f"{plan.path.name}: {plan.format}, {plan.encoding}{sure}{between}"
    for column, field in plan.columns.columns.items():
        yield f"  {column:30} -> {field or '(left out)'}"
    if plan.unused:
        yield f"  left out: {', '.join(plan.unused)}"


def _lines(report: ImportReport) -> Iterator[str]:
    if report.repeated:
        yield "This file was taken over before; this is what it came to then. --again begins anew."
    if report.resumed_from:
        yield f"Went on after {report.resumed_from} rows of an earlier run."
    yield (
        f"{report.read} rows: {report.added} added, {report.updated} updated, "
        f"{report.unchanged} unchanged, {report.rejected} rejected."
    )
    for said, counts in (("Left out on purpose", report.left_out), ("No field for", report.ignored)):
        if counts:
            yield f"{said}: {', '.join(f'{name} ({count})' for name, count in counts.most_common(30))}"
    yield from report.reasons[:20]
    yield from (f"warning: {text}" for text in report.warnings[:20])
    if report.warned > 20:
        yield f"... and {report.warned - 20} further warnings"
    if report.rejects:
        yield f"Rejected rows with their reasons are in {report.rejects}; mend them there and import that file."
    if report.dry_run:
        yield "Nothing was written: this was a dry run."
