"""`crmkit privacy`: answer an access request, place and end legal holds, see what erasures left open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from crmkit.cli.command import add_command, say
from crmkit.errors import NotFound, ValueRefused

if TYPE_CHECKING:
    from argparse import Namespace
    from datetime import datetime

    from crmkit.privacy.values import Erasure, LegalHold


def add(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser("privacy", help="export what is recorded of a contact, and keep it by law")
    parts = parser.add_subparsers(title="what to do", metavar="WHAT", required=True)
    export = add_command(parts, "export", "write everything that is recorded of a contact", _export)
    export.add_argument("contact", metavar="CONTACT", help="its id, or one of its addresses")
    export.add_argument("--format", choices=("json", "html"), default="json", help="default: json")
    export.add_argument("-o", "--output", metavar="FILE", help="where to; by default it is printed")
    hold = add_command(parts, "hold", "keep a contact's data from erasure and retention", _hold)
    hold.add_argument("contact", metavar="CONTACT", help="its id, or one of its addresses")
    hold.add_argument("--reason", required=True, help="what demands it")
    hold.add_argument("--until", metavar="DATE", default="", help="the day it ends, such as 2030-12-31")
    hold.add_argument("--table", action="append", default=[], help="keep this table alone; may be repeated")
    release = add_command(parts, "release", "end a legal hold", _release)
    release.add_argument("hold", metavar="HOLD", help="its id")
    add_command(parts, "pending", "list erasures of which something is left", _pending)
    confirm = add_command(parts, "confirm", "say that the host has cleared its own table", _confirm)
    confirm.add_argument("contact", metavar="CONTACT", help="its id")


def _export(args: Namespace) -> int:
    from crmkit.cli.persons import find_contact
    from crmkit.cli.target import open_crm

    with open_crm(args).begin() as tx:
        found = tx.privacy.export(find_contact(tx, args.contact))
    text = _text(found, args.format)
    if not args.output:
        print(text, end="")
        return 0
    try:
        with Path(args.output).open(
            "x", encoding="utf-8"
        ) as file:  # nobody's answer is written over another's
            file.write(text)
    except FileExistsError:
        raise ValueRefused(f"{args.output} is there already; name another file") from None
    except OSError as error:
        raise ValueRefused(f"{args.output} cannot be written: {error.strerror}") from None
    rows = sum(len(rows) for rows in found["tables"].values())
    words = f"{args.output}: {rows} rows of {len(found['tables'])} tables"
    say(args, {"file": args.output, "rows": rows}, [words])
    return 0


def _text(found: dict[str, Any], form: str) -> str:
    from json import dumps

    from crmkit.privacy.html import page

    return page(found) if form == "html" else dumps(found, indent=2, ensure_ascii=False) + "\n"


def _hold(args: Namespace) -> int:
    from crmkit.cli.persons import find_contact, plain
    from crmkit.cli.target import open_crm

    with open_crm(args).begin() as tx:
        id = find_contact(tx, args.contact)
        hold: LegalHold = tx.privacy.hold(id, reason=args.reason, until=_until(args.until), tables=args.table)
    say(args, plain(hold), [f"Legal hold {hold.id} is placed."])
    return 0


def _until(text: str) -> datetime:
    from datetime import UTC, datetime, timedelta

    from crmkit.clock import FOREVER

    if not text:
        return FOREVER
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=1)
    except ValueError:
        raise ValueRefused(f"--until {text!r} must be a date such as 2030-12-31") from None


def _release(args: Namespace) -> int:
    from crmkit.cli.target import open_crm

    with open_crm(args).begin() as tx:
        tx.privacy.release(_id(args.hold))
    say(args, {"released": args.hold}, [f"Legal hold {args.hold} has ended."])
    return 0


def _pending(args: Namespace) -> int:
    from crmkit.cli.persons import plain
    from crmkit.cli.target import open_crm

    found: list[Erasure] = []
    with open_crm(args).begin() as tx:
        found += tx.privacy.pending(limit=10_000)
    lines = [f"{one.contact_id}: {_left(one)}" for one in found] or [
        "Nothing is left of anybody who was erased."
    ]
    say(args, [plain(one) for one in found], lines)
    return int(bool(found))


def _left(one: Erasure) -> str:
    parts = [f"held: {', '.join(one.held)}"] if one.held else []
    parts += [f"left by {owner}: {what}" for owner, what in one.left.items()]
    parts += [f"the host clears: {', '.join(one.host)}"] if one.host else []
    return "; ".join(parts)


def _confirm(args: Namespace) -> int:
    from crmkit.cli.persons import plain
    from crmkit.cli.target import open_crm

    with open_crm(args).begin() as tx:
        erasure = tx.privacy.confirm_host_erased(_id(args.contact))
    say(args, plain(erasure), [f"The host's word for contact {args.contact} is kept."])
    return 0


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(f"{text!r} is no id") from None
