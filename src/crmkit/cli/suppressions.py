"""`crmkit suppressions list|add|lift`: which addresses are written to no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from crmkit.consent import Suppression
    from crmkit.contacts import ContactPoint

_REASONS = ("complaint", "hard_bounce", "unsubscribe", "manual")


def add(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "suppressions", help="look after the addresses that are written to no more"
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = _action(actions, "list", "list what is suppressed; addresses are known as digests only", show)
    listing.add_argument("address", metavar="ADDRESS", nargs="?", default="", help="only of this address")
    listing.add_argument("--reason", choices=_REASONS, help="only for this reason")
    listing.add_argument("--limit", type=int, default=100, help="at most how many (default: 100)")
    adding = _action(actions, "add", "write to an address no more", suppress)
    adding.add_argument("address", metavar="ADDRESS")
    adding.add_argument("--reason", choices=_REASONS, default="manual", help="why (default: manual)")
    adding.add_argument("--actor", default="system", help="who acts, such as staff:ann (default: system)")
    lifting = _action(actions, "lift", "let an address be written to again", lift)
    lifting.add_argument("address", metavar="ADDRESS")
    lifting.add_argument("--by", required=True, help="who answers for it: staff:NAME or contact:ID")
    lifting.add_argument("--because", required=True, metavar="TEXT", help="why; it is kept with the entry")
    lifting.add_argument("--reason", choices=_REASONS, help="only what was suppressed for this reason")
    lifting.add_argument("--force", action="store_true", help="lift a complaint as well")
    for one in (adding, lifting):
        one.add_argument("--purpose", default="", help="for one purpose (default: all)")
        one.add_argument("--channel", default="", help="over one channel (default: all)")


def _action(actions: Any, name: str, about: str, run: Any) -> ArgumentParser:
    from crmkit.cli.target import add_target  # imported when first used

    parser: ArgumentParser = actions.add_parser(name, help=about)
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_target(parser)
    parser.set_defaults(run=run)
    return parser


def show(args: Namespace) -> int:
    """Print what is suppressed; return 1 if an address was named and is not."""
    from crmkit.cli.target import open_crm

    with open_crm(args).begin() as tx:
        if args.address:
            found: Sequence[Suppression] = tx.suppressions.find(_point(args.address))
            found = [one for one in found if args.reason in (None, one.reason.value)][: args.limit]
        else:
            found = tx.suppressions.list(args.reason, limit=args.limit)
    _print(found, args.json, "Nothing is suppressed.")
    return int(bool(args.address) and not found)


def suppress(args: Namespace) -> int:
    """Suppress an address."""
    from crmkit.cli.target import open_crm

    with open_crm(args).begin(actor=args.actor) as tx:
        one = tx.suppressions.add(
            _point(args.address), args.reason, purpose=args.purpose, channel=args.channel, source="crmkit cli"
        )
    _print([one], args.json, "")
    return 0


def lift(args: Namespace) -> int:
    """Lift what an address was suppressed for."""
    from crmkit.cli.target import open_crm

    with open_crm(args).begin(actor=args.by) as tx:
        lifted = tx.suppressions.lift(
            _point(args.address),
            by=args.by,
            reason=args.because,
            of=args.reason,
            purpose=args.purpose,
            channel=args.channel,
            force=args.force,
        )
    _print(lifted, args.json, "", verb="lifted")
    return 0


def _point(address: str) -> ContactPoint:
    from crmkit.contacts import ContactPoint

    return ContactPoint.email(address) if "@" in address else ContactPoint.phone(address)


def _print(found: Sequence[Suppression], as_json: bool, empty: str, *, verb: str = "since") -> None:
    from json import dumps

    from crmkit.cli.persons import plain

    if as_json:
        print(dumps([plain(one) for one in found], indent=2, ensure_ascii=False))
    else:
        print("\n".join(_lines(found, verb)) or empty)


def _lines(found: Sequence[Suppression], verb: str) -> Iterator[str]:
    for one in found:
        day = f"{one.since:%Y-%m-%d %H:%M}"
        when = f"{verb}, was since {day}" if verb != "since" else f"since {day}"
        source = f" ({one.source})" if one.source else ""
        yield f"{one.digest[:12]}  {one.scope}: {one.reason} {when}{source}, by {one.actor}"
