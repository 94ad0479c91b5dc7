"""`crmkit erase CONTACT`: forget a customer, with `--scrub` in the database's files as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crmkit.cli.command import add_command, say

if TYPE_CHECKING:
    from argparse import Namespace

    from crmkit.crm import CRM
    from crmkit.privacy.values import Erasure


def add(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = add_command(subparsers, "erase", "erase what is personal of a contact", run)
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


def run(args: Namespace) -> int:
    """Erase a contact; return 1 if something is left that crmkit cannot erase."""
    from crmkit.cli.persons import find_contact, plain
    from crmkit.cli.target import open_crm

    crm = open_crm(args)
    with crm.begin() as tx:
        contact_id = find_contact(tx, args.contact)
    erasure = crm.erase(contact_id, reason=args.reason, actor=args.actor)
    scrubbed = _scrub(crm, full=args.full) if args.scrub else []
    data = plain(erasure) | {"complete": erasure.complete, "scrubbed": scrubbed}
    say(args, data, _lines(erasure, scrubbed))
    return int(not erasure.complete)


def _scrub(crm: CRM, *, full: bool) -> list[str]:
    from crmkit.sql.scrub import scrub

    return scrub(crm.engine, list(crm.tables.values()), full=full)


def _lines(erasure: Erasure, scrubbed: list[str]) -> list[str]:
    lines = [f"Contact {erasure.contact_id} is erased."]
    lines += [f"Kept by a legal hold: {name}" for name in erasure.held]
    lines += [f"Left by plugin {owner}: {what}" for owner, what in erasure.left.items()]
    lines += [f"To be cleared in the host's table: {name}" for name in erasure.host]
    lines += [f"Scrubbed: {statement}" for statement in scrubbed]
    return lines
