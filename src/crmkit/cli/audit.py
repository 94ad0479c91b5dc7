"""`crmkit audit`: compare the log with its seals, print the last seal, prove an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def add(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser("audit", help="show that nobody altered the log")
    parts = parser.add_subparsers(title="what to do", metavar="WHAT", required=True)
    verify = _part(parts, "verify", "compare the log with its seals", _verify)
    verify.add_argument("--head", default="", metavar="SEAL", help="a seal that was kept elsewhere")
    _part(parts, "seal", "seal what is not sealed yet", _seal)
    _part(parts, "head", "print the last seal, to be kept elsewhere", _head)
    prove = _part(parts, "prove", "print the proof that an event stands under a seal", _prove)
    prove.add_argument("event", metavar="EVENT", help="its id")


def _part(parts: Any, name: str, summary: str, function: Any) -> ArgumentParser:
    from crmkit.cli.target import add_target  # imported when first used

    parser: ArgumentParser = parts.add_parser(name, help=summary)
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_target(parser)
    parser.set_defaults(run=function)
    return parser


def _verify(args: Namespace) -> int:
    from crmkit.cli.persons import plain
    from crmkit.cli.target import open_crm
    from crmkit.privacy.audit import verify

    found = verify(open_crm(args), head=args.head.strip())
    lines = [
        f"BROKEN: {found.broken}"
        if found.broken
        else f"The log is as it was sealed: {found.sealed} events in {found.batches} batches, head {found.head or '-'}."
    ]
    lines += [f"{found.unsealed} events wait to be sealed."] if found.unsealed else []
    if found.unexplained:
        lines.append(
            f"The personal values of {found.unexplained} events are gone, and no erasure explains it."
        )
    _say(args, plain(found) | {"intact": found.intact}, "\n".join(lines))
    return int(not found.intact)


def _seal(args: Namespace) -> int:
    from crmkit.cli.target import open_crm
    from crmkit.privacy.seals import seal_events

    sealed = seal_events(open_crm(args))
    _say(args, {"sealed": sealed}, f"{sealed} events sealed.")
    return 0


def _head(args: Namespace) -> int:
    from crmkit.cli.persons import plain
    from crmkit.cli.target import open_crm
    from crmkit.privacy.audit import head

    with open_crm(args).begin() as tx:
        found = head(tx)
    data = None if found is None else {name: item for name, item in plain(found).items() if name != "leaves"}
    _say(args, data, found.seal if found else "nothing is sealed yet")
    return int(found is None)


def _prove(args: Namespace) -> int:
    from json import dumps

    from crmkit.cli.target import open_crm
    from crmkit.errors import NotFound
    from crmkit.privacy.audit import prove

    try:
        id = UUID(args.event)
    except ValueError:
        raise NotFound(f"{args.event!r} is no id") from None
    with open_crm(args).begin() as tx:
        found = prove(tx, id)
    print(dumps(found.plain(), indent=2))
    return 0


def _say(args: Namespace, data: Any, text: str) -> None:
    from json import dumps

    print(dumps(data, indent=2) if args.json else text)
