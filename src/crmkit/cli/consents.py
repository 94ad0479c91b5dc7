"""`crmkit consents show CONTACT`: what a contact allows, and every word that was said about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from crmkit.cli.command import add_command, say

if TYPE_CHECKING:
    from argparse import Namespace

    from crmkit.consent import Allowed, ConsentEntry, Refused
    from crmkit.transaction import Transaction

    Answers = list[tuple[str, str, Allowed | Refused]]


def add(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser("consents", help="tell what contacts allow")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    show = add_command(actions, "show", "tell what a contact allows, and what was said", run)
    show.add_argument("contact", metavar="CONTACT", help="its id, or one of its addresses")
    show.add_argument("--channel", action="append", default=[], help="over which channel; by default email")


def run(args: Namespace) -> int:
    """Print what a contact allows."""
    from crmkit.cli.persons import find_contact
    from crmkit.cli.target import open_crm

    with open_crm(args).begin() as tx:
        contact_id = find_contact(tx, args.contact)
        answers = _answers(tx, contact_id, args.channel)
        entries = tx.consents.history(contact_id)
    say(args, _data(contact_id, answers, entries), _lines(answers, entries))
    return 0


def _answers(tx: Transaction, contact_id: UUID, named: Sequence[str]) -> Answers:
    channels = named or tuple(tx.crm.registry.channels) or ("email",)
    purposes = tx.crm.settings.purposes
    return [
        (name, channel, tx.consents.may_send(contact_id, name, channel))
        for name in purposes
        for channel in channels
    ]


def _data(contact_id: UUID, answers: Answers, entries: Sequence[ConsentEntry]) -> dict[str, Any]:
    from crmkit.cli.persons import plain

    found = [
        {"purpose": purpose, "channel": channel, "allowed": bool(answer), "answer": plain(answer)}
        for purpose, channel, answer in answers
    ]
    return {
        "contact_id": str(contact_id),
        "may_send": found,
        "history": [plain(entry) for entry in entries],
    }


def _lines(answers: Answers, entries: Sequence[ConsentEntry]) -> Iterator[str]:
    from crmkit.consent import Refused

    for purpose, channel, answer in answers:
        why = f"no: {answer.why}" if isinstance(answer, Refused) else f"yes ({answer.basis})"
        yield f"{purpose} over {channel}: {why}"
    yield "" if entries else "Nothing was ever said."
    for entry in entries:
        what = f"{entry.purpose or 'everything'} over {entry.channel or 'every channel'}"
        details = ", ".join(
            part for part in (entry.source, entry.text_version and f"text {entry.text_version}") if part
        )
        yield f"{entry.at:%Y-%m-%d %H:%M} {entry.state}: {what} ({details or 'no source'}, by {entry.actor})"
