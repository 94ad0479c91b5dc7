"""`crmkit suppressions list|add|lift`: which addresses are written to no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from crmkit.cli.command import add_command, add_limit, say
from crmkit.errors import ValueRefused

if TYPE_CHECKING:
    from argparse import Namespace

    from crmkit.consent import Suppression
    from crmkit.contacts import ContactPoint

_REASONS = ("complaint", "hard_bounce", "unsubscribe", "manual")


def add(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "suppressions", help="look after the addresses that are written to no more"
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = add_command(
        actions, "list", "list what is suppressed; addresses are known as digests only", show
    )
    listing.add_argument("address", metavar="ADDRESS", nargs="?", default="", help="only of this address")
    listing.add_argument("--reason", choices=_REASONS, help="only for this reason")
    add_limit(listing, 100)
    adding = add_command(actions, "add", "write to an address no more", suppress)
    adding.add_argument("address", metavar="ADDRESS")
    adding.add_argument("--reason", choices=_REASONS, default="manual", help="why (default: manual)")
    adding.add_argument("--actor", default="system", help="who acts, such as staff:ann (default: system)")
    lifting = add_command(actions, "lift", "let an address be written to again", lift)
    lifting.add_argument("address", metavar="ADDRESS")
    lifting.add_argument("--by", required=True, help="who answers for it: staff:NAME or contact:ID")
    lifting.add_argument("--because", required=True, metavar="TEXT", help="why; it is kept with the entry")
    lifting.add_argument("--reason", choices=_REASONS, help="only what was suppressed for this reason")
    lifting.add_argument("--force", action="store_true", help="lift a complaint as well")
    for one in (adding, lifting):
        one.add_argument("--purpose", default="", help="for one purpose (default: all)")
        one.add_argument("--channel", default="", help="over one channel (default: all)")


def show(args: Namespace) -> int:
    """Print what is suppressed; return 1 if an address was named and is not."""
    from crmkit.cli.target import open_crm

    with open_crm(args).begin() as tx:
        if args.address:
            found: Sequence[Suppression] = tx.suppressions.find(_point(args.address))
            found = [one for one in found if args.reason in (None, one.reason.value)][: args.limit]
        else:
            found = tx.suppressions.list(args.reason, limit=args.limit)
    _say(args, found, "Nothing is suppressed.")
    return int(bool(args.address) and not found)


def suppress(args: Namespace) -> int:
    """Suppress an address."""
    from crmkit.cli.target import open_crm

    with open_crm(args).begin(actor=args.actor) as tx:
        one = tx.suppressions.add(
            _point(args.address), args.reason, purpose=args.purpose, channel=args.channel, source="crmkit cli"
        )
    _say(args, [one], "")
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
    _say(args, lifted, "Nothing of that kind was suppressed.", verb="lifted")
    return 0


def _point(address: str) -> ContactPoint:
    from crmkit.contacts import ContactPoint

    if "@" not in address and not address.startswith("+"):
        raise ValueRefused(f"{address!r} is neither an email address nor a phone number (+...)")
    return ContactPoint.email(address) if "@" in address else ContactPoint.phone(address)


def _say(args: Namespace, found: Sequence[Suppression], empty: str, *, verb: str = "since") -> None:
    from crmkit.cli.persons import plain

    say(args, [plain(one) for one in found], list(_lines(found, verb)) or [empty])


def _lines(found: Sequence[Suppression], verb: str) -> Iterator[str]:
    for one in found:
        day = f"{one.since:%Y-%m-%d %H:%M}"
        when = f"{verb}, was since {day}" if verb != "since" else f"since {day}"
        source = f" ({one.source})" if one.source else ""
        yield f"{one.digest[:12]}  {one.scope}: {one.reason} {when}{source}, by {one.actor}"
