"""`crmkit audit`: compare the log with its seals, print the last seal, prove an event."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

from crmkit.cli.command import add_command, say
from crmkit.errors import ValueRefused

if TYPE_CHECKING:
    from argparse import Namespace


def add(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser("audit", help="show that nobody altered the log")
    parts = parser.add_subparsers(title="what to do", metavar="WHAT", required=True)
    verify = add_command(parts, "verify", "compare the log with its seals", _verify)
    verify.add_argument("--head", default="", metavar="SEAL", help="a seal that was kept elsewhere")
    add_command(parts, "seal", "seal what is not sealed yet", _seal)
    add_command(parts, "head", "print the last seal, to be kept elsewhere", _head)
    prove = add_command(parts, "prove", "print the proof that an event stands under a seal", _prove)
    prove.add_argument("event", metavar="EVENT", help="its id")


def _verify(args: Namespace) -> int:
    from crmkit.cli.persons import plain
    from crmkit.cli.target import open_crm
    from crmkit.privacy.audit import verify

    head = args.head.strip().lower()
    if head and not re.fullmatch("[0-9a-f]{64}", head):
        raise ValueRefused(f"--head {args.head!r} is no seal; `crmkit audit head` prints one, of 64 digits")
    found = verify(open_crm(args), head=head)
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
    say(args, plain(found) | {"intact": found.intact}, lines)
    return int(not found.intact)


def _seal(args: Namespace) -> int:
    from crmkit.cli.target import open_crm
    from crmkit.delivery.run import number
    from crmkit.privacy.seals import seal_events

    crm = open_crm(args)
    number(crm)
    sealed = seal_events(crm)
    say(args, {"sealed": sealed}, [f"{sealed} events sealed."])
    return 0


def _head(args: Namespace) -> int:
    from crmkit.cli.persons import plain
    from crmkit.cli.target import open_crm
    from crmkit.privacy.audit import head

    with open_crm(args).begin() as tx:
        found = head(tx)
    data = None if found is None else {name: item for name, item in plain(found).items() if name != "leaves"}
    say(args, data, [found.seal if found else "nothing is sealed yet"])
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
