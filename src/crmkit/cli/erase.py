"""`crmkit erase CONTACT`: forget a customer, with `--scrub` in the database's files as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import Namespace

    from crmkit.crm import CRM
    from crmkit.privacy.values import Erasure


def add(subparsers: Any) -> None:
    """Add the command to the command line."""
    from crmkit.cli.target import add_target  # imported when first used

    parser = subparsers.add_parser("erase", help="erase what is personal of a contact")
    parser.add_argument("contact", metavar="CONTACT", help="its id, or one of its addresses")
    parser.add_argument("--reason", default="", help="why; it is kept, so it should not say who")
    parser.add_argument("--actor", default="system", help="who acts, such as staff:ann (default: system)")
    parser.add_argument(
        "--scrub",
        action="store_true",
        help="then let the database give up the space in which the values stood",
    )
    parser.add_argument(
        "--full", action="store_true", help="with --scrub on PostgreSQL: rewrite the tables, locking them"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_target(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Erase a contact; return 1 if something is left that crmkit cannot erase."""
    from crmkit.cli.persons import find_contact
    from crmkit.cli.target import open_crm

    crm = open_crm(args)
    with crm.begin() as tx:
        contact_id = find_contact(tx, args.contact)
    erasure = crm.erase(contact_id, reason=args.reason, actor=args.actor)
    scrubbed = _scrub(crm, full=args.full) if args.scrub else []
    print(_json(erasure, scrubbed) if args.json else "\n".join(_lines(erasure, scrubbed)))
    return int(not erasure.complete)


def _scrub(crm: CRM, *, full: bool) -> list[str]:
    from crmkit.sql.scrub import scrub

    return scrub(crm.engine, list(crm.tables.values()), full=full)


def _json(erasure: Erasure, scrubbed: list[str]) -> str:
    from json import dumps

    from crmkit.cli.persons import plain

    return dumps(plain(erasure) | {"complete": erasure.complete, "scrubbed": scrubbed}, indent=2)


def _lines(erasure: Erasure, scrubbed: list[str]) -> list[str]:
    lines = [f"Contact {erasure.contact_id} is erased."]
    lines += [f"Kept by a legal hold: {name}" for name in erasure.held]
    lines += [f"Left by plugin {owner}: {what}" for owner, what in erasure.left.items()]
    lines += [f"To be cleared in the host's table: {name}" for name in erasure.host]
    lines += [f"Scrubbed: {statement}" for statement in scrubbed]
    return lines
