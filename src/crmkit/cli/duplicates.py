"""`crmkit duplicates`: contacts that may be one - found, looked at, merged or judged distinct."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from crmkit.cli.command import add_command, add_limit, say
from crmkit.cli.progress import counting
from crmkit.cli.target import open_crm
from crmkit.errors import ValueRefused

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from uuid import UUID

    from crmkit.contacts import Contact, ContactPoint
    from crmkit.crm import CRM
    from crmkit.duplicates.match import FieldScore, Match
    from crmkit.duplicates.review import DuplicatePair, DuplicateReport


def add(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser("duplicates", help="find contacts that may be one, and judge them")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    find = _command(commands, "find", _find, "search all contacts and put the pairs into the queue")
    find.add_argument(
        "--merge", action="store_true", help="merge those that are surely one (duplicates_merge)"
    )
    listing = _command(commands, "list", _list, "list the pairs that nobody has judged, the likeliest first")
    add_limit(listing, 50)
    _pair(_command(commands, "show", _show, "show what speaks for and against a pair"))
    accept = _command(commands, "accept", _accept, "merge a pair")
    _pair(accept)
    accept.add_argument("--into", metavar="ID", help="which of them goes on; by default the lower id")
    accept.add_argument("--reason", default="", help="your words")
    _pair(_command(commands, "reject", _reject, "judge a pair distinct: it never returns"))
    _checked(_command(commands, "check", _check, "look for contacts like one that is there, or may be added"))
    _command(commands, "index", _index, "make the keys by which check finds contacts what they should be")


def _command(commands: Any, name: str, work: Callable[[CRM, Namespace], int], words: str) -> ArgumentParser:
    parser = add_command(commands, name, words, run)
    parser.add_argument("--by", metavar="ACTOR", default="system", help='who does it, such as "staff:ann"')
    parser.set_defaults(work=work)
    return parser


def _pair(parser: ArgumentParser) -> None:
    parser.add_argument("one", metavar="ID", help="a contact")
    parser.add_argument("other", metavar="ID", help="the other one")


def _checked(parser: ArgumentParser) -> None:
    parser.add_argument("id", nargs="?", metavar="ID", help="a contact that is there")
    parser.add_argument("--name", default="", help="the whole name")
    parser.add_argument("--birth-date", default="", metavar="DATE", help="such as 1980-02-29")
    parser.add_argument("--email", action="append", default=[], help="may be repeated")
    parser.add_argument("--phone", action="append", default=[], help="with +<country code>; may be repeated")
    parser.add_argument("--postcode", default="")
    parser.add_argument("--least", type=float, metavar="P", help="the least probability (duplicates_review)")


def run(args: Namespace) -> int:
    """Run one of the commands; return the exit status."""
    return int(args.work(open_crm(args), args))


def _find(crm: CRM, args: Namespace) -> int:
    with counting("duplicates") as advance:
        report = crm.find_duplicates(
            merge=args.merge, progress=lambda what, done, every: advance(done, what), actor=args.by
        )
    say(args, attrs.asdict(report), _report(report))
    return 0


def _report(report: DuplicateReport) -> Iterator[str]:
    yield f"{report.contacts:,} contacts, {report.compared:,} pairs compared in {report.seconds:.1f} s"
    yield f"{report.pairs:,} pairs are likely one contact"
    yield f"{report.sure:,} of them surely, in {len(report.clusters):,} groups"
    yield f"{report.merged:,} contacts merged"
    yield from (f"not all compared: {cut}" for cut in report.cuts)


def _list(crm: CRM, args: Namespace) -> int:
    with crm.begin() as tx:
        pairs = tx.duplicates.queue(limit=args.limit)
        names = {id: contact.name for id, contact in tx.contacts.get_many(_ids(pairs)).items()}
    rows = [
        (f"{p.probability:.3f}", names[p.first_id], names[p.second_id], p.first_id, p.second_id)
        for p in pairs
    ]
    nothing = ["No pair waits for a judgement. `crmkit duplicates find` looks for some."]
    lines = _table([("chance", "one", "other", "id", "id"), *rows]) if rows else nothing
    say(args, [_plain_pair(pair) for pair in pairs], lines)
    return 0


def _ids(pairs: Sequence[DuplicatePair]) -> list[UUID]:
    return [id for pair in pairs for id in (pair.first_id, pair.second_id)]


def _show(crm: CRM, args: Namespace) -> int:
    with crm.begin() as tx:
        pair = tx.duplicates.get(_id(args.one), _id(args.other))
    head = f"{pair.first_id} and {pair.second_id}: {pair.state}, probability {pair.probability:.4f}"
    say(args, _plain_pair(pair), [head, *_explained(pair.explanation, pair.weight)])
    return 0


def _explained(scores: Sequence[FieldScore], weight: float) -> Iterator[str]:
    """Yield the explanation as a table: what each field says, what the prior says, and the sum."""
    rows = [(s.field, s.level, f"{s.weight:+.1f}", *s.values) for s in scores]
    prior = weight - sum(score.weight for score in scores)
    rows += [("prior", "", f"{prior:+.1f}", "", ""), ("together", "", f"{weight:+.1f}", "", "")]
    yield from _table([("field", "level", "bits", "one", "other"), *rows])


def _accept(crm: CRM, args: Namespace) -> int:
    into = _id(args.into) if args.into else None
    one, other = _id(args.one), _id(args.other)
    merge = crm.transact(
        lambda tx: tx.duplicates.accept(one, other, into=into, reason=args.reason), actor=args.by
    )
    said = {"merge_id": merge.id, "loser_id": merge.loser_id, "into_id": merge.into_id}
    say(args, said, [f"{merge.loser_id} goes on as {merge.into_id} (merge {merge.id})"])
    return 0


def _reject(crm: CRM, args: Namespace) -> int:
    one, other = _id(args.one), _id(args.other)
    crm.transact(lambda tx: tx.duplicates.reject(one, other), actor=args.by)
    say(args, {"distinct": [one, other]}, [f"{one} and {other} are two"])
    return 0


def _check(crm: CRM, args: Namespace) -> int:
    if not (args.id or args.name or args.email or args.phone or args.postcode or args.birth_date):
        raise ValueRefused("give an id, or what is known: --name, --birth-date, --email, --phone, --postcode")
    if args.least is not None and not 0 <= args.least <= 1:
        raise ValueRefused(f"--least {args.least} is a probability; it must be from 0 to 1")
    with crm.begin() as tx:
        contact = tx.contacts.get(_id(args.id)) if args.id else _described(args)
        matches = tx.duplicates.check(contact, least=args.least)
        names = {
            id: found.name for id, found in tx.contacts.get_many([m.contact_id for m in matches]).items()
        }
    plain = [
        {"contact_id": m.contact_id, "probability": m.probability, "weight": m.weight}
        | {"explanation": _scores(m.explanation)}
        for m in matches
    ]
    lines = [line for match in matches for line in _matched(match, names.get(match.contact_id, ""))]
    say(args, plain, lines or ["No contact looks like this one."])
    return 0


def _matched(match: Match, name: str) -> Iterator[str]:
    yield f"{match.contact_id} {name}: probability {match.probability:.4f}"
    yield from (f"  {line}" for line in _explained(match.explanation, match.weight))


def _described(args: Namespace) -> Contact:
    from uuid import UUID

    from crmkit.contacts import Contact, ContactPoint, PostalAddress

    points: list[ContactPoint] = [ContactPoint.email(email) for email in args.email]
    points += [ContactPoint.phone(phone) for phone in args.phone]
    if args.postcode:
        points.append(ContactPoint.postal(PostalAddress(postcode=args.postcode)))
    return Contact(id=UUID(int=0), name=args.name, birth_date=args.birth_date, points=points)


def _index(crm: CRM, args: Namespace) -> int:
    with counting("contacts") as advance:
        changed = crm.index_duplicates(progress=lambda what, done, every: advance(done, what))
    say(args, {"changed": changed}, [f"{changed:,} keys were wrong and are right now"])
    return 0


def _id(text: str) -> UUID:
    from uuid import UUID

    try:
        return UUID(text)
    except ValueError:
        raise ValueRefused(f"{text!r} is no id of a contact, such as {UUID(int=1)}") from None


def _plain_pair(pair: DuplicatePair) -> dict[str, Any]:
    plain = attrs.asdict(pair) | {"probability": pair.probability}
    return plain | {"explanation": _scores(pair.explanation)}


def _scores(scores: Sequence[FieldScore]) -> list[dict[str, Any]]:
    return [score.plain() | {"values": list(score.values)} for score in scores]


def _table(rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    """Yield rows as lines of equal columns; what a terminal would obey is left out, so that they stay equal."""
    cells = [["".join(char for char in str(cell) if char.isprintable()) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
