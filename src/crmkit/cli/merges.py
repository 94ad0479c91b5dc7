"""`crmkit merge`, `crmkit unmerge`, `crmkit merges`: contacts that are one person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

from crmkit.cli.command import add_command, add_limit, say
from crmkit.errors import ValueRefused

if TYPE_CHECKING:
    from argparse import Namespace

    from crmkit.contacts import Merge
    from crmkit.transaction import Transaction

_CONTACT = "an id, an email address, a phone number (+...) or SYSTEM:ID"


def add(subparsers: Any) -> None:
    """Add the commands to the command line."""
    merging = add_command(
        subparsers, "merge", "let a contact go on as another one; nothing is rewritten", merge
    )
    merging.add_argument("loser", metavar="LOSER", help=f"the contact that goes on as the other: {_CONTACT}")
    merging.add_argument("into", metavar="INTO", help="the contact that it goes on as")
    undoing = add_command(subparsers, "unmerge", "undo a merge", unmerge)
    undoing.add_argument("merge", metavar="MERGE_ID", help="as `crmkit merges` lists it")
    for one in (merging, undoing):
        one.add_argument("--reason", default="", metavar="TEXT", help="why; it is kept")
        one.add_argument("--actor", default="system", help="who acts, such as staff:ann (default: system)")
    listing = add_command(subparsers, "merges", "list merges, the latest first", show)
    listing.add_argument("contact", metavar="CONTACT", nargs="?", default="", help=f"only its: {_CONTACT}")
    add_limit(listing, 100)


def merge(args: Namespace) -> int:
    """Merge a contact into another."""
    from crmkit.cli.target import open_crm

    with open_crm(args).begin(actor=args.actor) as tx:
        loser, into = _contact(tx, args.loser), _contact(tx, args.into)
        _say(args, [tx.merges.merge(loser, into, reason=args.reason)])
    return 0


def unmerge(args: Namespace) -> int:
    """Undo a merge."""
    from crmkit.cli.target import open_crm

    try:
        merge_id = UUID(args.merge)
    except ValueError:
        raise ValueRefused(f"{args.merge!r} is no id of a merge; `crmkit merges` lists them") from None
    with open_crm(args).begin(actor=args.actor) as tx:
        _say(args, [tx.merges.unmerge(merge_id, reason=args.reason)])
    return 0


def show(args: Namespace) -> int:
    """Print merges."""
    from crmkit.cli.target import open_crm

    with open_crm(args).begin() as tx:
        if args.contact:
            found = tx.merges.history(_contact(tx, args.contact), limit=args.limit)
        else:
            found = tx.merges.latest(limit=args.limit)
    _say(args, found)
    return 0


def _contact(tx: Transaction, text: str) -> UUID:
    """Return the id that is named, which need not be that of whom the contact goes on as."""
    from crmkit.cli.persons import find_contact

    with suppress(ValueError):
        id = UUID(text)
        tx.contacts.get(id)
        return id
    return find_contact(tx, text)


def _say(args: Namespace, merges: Sequence[Merge]) -> None:
    from crmkit.cli.persons import plain

    say(args, [plain(one) | {"holds": one.holds} for one in merges], _lines(merges))


def _lines(merges: Sequence[Merge]) -> Iterator[str]:
    if not merges:
        yield "Nobody was merged."
    for one in merges:
        until = "holds" if one.until is None else f"undone {one.until:%Y-%m-%d %H:%M}"
        who = f"{one.loser_id} into {one.into_id}"
        yield f"{one.id}  {one.merged_at:%Y-%m-%d %H:%M}  {who}  {until}  {one.actor}  {one.reason}".rstrip()
