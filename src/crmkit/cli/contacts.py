"""`crmkit contacts show`: all that is known about a contact, and what happened with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from crmkit.cli.command import add_command, add_limit, say

if TYPE_CHECKING:
    from argparse import Namespace

    from crmkit.contacts import Contact
    from crmkit.crm import CRM
    from crmkit.events import LogEntry
    from crmkit.transaction.details import Profile

_FIELDS = (
    "honorific given_name family_name kind formality name_order birth_date gender business internal locale zone "
    "source classification stage owner"
).split()


def add(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser("contacts", help="look at contacts")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    show = add_command(actions, "show", "show a contact with its details and timeline", run)
    show.add_argument(
        "contact", metavar="ID|ADDRESS", help="an id, an email address, a phone number, SYSTEM:ID"
    )
    add_limit(show, 20, of="notes and events")


def run(args: Namespace) -> int:
    """Print a contact with its details and timeline."""
    from crmkit.cli.persons import find_contact
    from crmkit.cli.target import open_crm

    crm = open_crm(args)
    with crm.begin() as tx:
        found = tx.contacts.profile(find_contact(tx, args.contact), limit=args.limit)
    say(args, _data(crm, found), _lines(crm, found))
    return 0


def _data(crm: CRM, profile: Profile) -> Any:
    import attrs

    from crmkit.cli.persons import plain
    from crmkit.expressions.custom import written

    data = plain(attrs.evolve(profile, values={}, timeline=()))
    kept = {name: sorted(v) if isinstance(v, frozenset) else v for name, v in profile.values.items()}
    data["values"] = {
        name: value if isinstance(value, (bool, int, list)) else written(value)
        for name, value in kept.items()
    }
    data["greeting"] = crm.greeting(profile.contact)
    data["timeline"] = [_event(entry) for entry in profile.timeline]
    return data


def _event(entry: LogEntry) -> dict[str, Any]:
    from crmkit import codec

    fact, said = codec.dump(entry.event)
    return {
        "at": entry.occurred_at.isoformat(),
        "type": entry.type,
        "actor": entry.actor,
        "key": entry.key,
        "data": fact | said,
    }


def _lines(crm: CRM, profile: Profile) -> Iterator[str]:
    contact = profile.contact
    yield f"{contact.name or '(no name)'}  {contact.id}"
    yield f"  greeting: {crm.greeting(contact)}"
    yield from (f"  {name.replace('_', ' ')}: {value}" for name, value in _fields(contact))
    if given := contact.first_name:
        yield f"  first name permitted: {given.at:%Y-%m-%d} {given.how}, by {given.by}"
    if contact.merged:
        yield f"  merged: {', '.join(map(str, contact.merged))}"
    for title, lines in _parts(profile):
        if lines:
            yield f"{title}"
            yield from (f"  {line}" for line in lines)


def _fields(contact: Contact) -> Iterator[tuple[str, object]]:
    for name in _FIELDS:
        value = getattr(contact, name)
        if value and not (name == "kind" and value == "person"):
            yield name, "yes" if value is True else value


def _parts(profile: Profile) -> Iterator[tuple[str, list[str]]]:
    from crmkit.expressions.custom import written

    yield "points", [_point(point) for point in profile.contact.points]
    yield "tags", [", ".join(profile.tags)] if profile.tags else []
    yield "fields", [f"{name}: {written(value)}" for name, value in profile.values.items()]
    yield (
        "preferences",
        [f"{one.kind}: {one.liking} {one.value} ({one.confidence} %)" for one in profile.preferences],
    )
    yield "relations", [f"{one.kind}: {one.other_name or one.other_id}" for one in profile.relations]
    yield "facts", [f"{one.on or ''!s:10} {one.text} ({one.privacy})" for one in profile.facts]
    yield "notes", [f"{one.noted_at:%Y-%m-%d} {one.kind}, {one.author}: {one.text}" for one in profile.notes]
    yield "orders", [f"{one.order_key}: {one.role}" for one in profile.roles]
    yield "timeline", [_happened(entry) for entry in profile.timeline]


def _point(point: Any) -> str:
    marks = [point.label, "primary" if point.primary else ""]
    marks += [f"verified {point.verified_at:%Y-%m-%d}" if point.verified_at else ""]
    said = ", ".join(mark for mark in marks if mark)
    return f"{point}" + (f" ({said})" if said else "")


def _happened(entry: LogEntry) -> str:
    from crmkit import codec

    fact, said = codec.dump(entry.event)
    shown = {
        name: value for name, value in (fact | said).items() if isinstance(value, (str, int)) and value != ""
    }
    words = ", ".join(f"{name} {str(value)[:80]}" for name, value in shown.items())
    return f"{entry.occurred_at:%Y-%m-%d %H:%M}  {entry.type:20} {entry.actor}" + (
        f": {words}" if words else ""
    )
