"""`crmkit segments`: define segments, and ask them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from crmkit.cli.command import add_command, limit_of, say
from crmkit.cli.persons import find_contact
from crmkit.cli.target import open_crm

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from crmkit.crm import CRM
    from crmkit.expressions import Explanation
    from crmkit.transaction import Transaction
    from crmkit.transaction.segments import Segment

Answer = tuple[Any, Iterable[str]]  #: plain data for --json, and lines for people


def add(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser: ArgumentParser = subparsers.add_parser("segments", help="define segments and ask them")
    words = parser.add_subparsers(title="what to do", metavar="WORD", dest="word", required=True)
    for name, (_, summary, arguments) in _WORDS.items():
        word = add_command(words, name, summary, run)
        for flags, options in arguments:
            word.add_argument(*flags, **options)


def run(args: Namespace) -> int:
    """Do what is asked and print the answer."""
    crm = open_crm(args)
    answer, _, _ = _WORDS[args.word]
    data, lines = answer(crm, args)
    say(args, data, lines)
    return 0


def _list(crm: CRM, args: Namespace) -> Answer:
    with crm.begin() as tx:
        found = tx.segments.list()
    lines = [f"{one.name}{' (watched)' if one.watched else ''}: {one.expression}" for one in found]
    return [_plain(one) for one in found], lines or ["No segment is defined."]


def _define(crm: CRM, args: Namespace) -> Answer:
    def define(tx: Transaction) -> tuple[Segment, tuple[str, ...]]:
        made = tx.segments.define(args.name, args.expression, doc=args.doc, watched=args.watch)
        return made, tx.segments.question(args.name).expression.python_only

    segment, reasons = crm.transact(define)
    return {**_plain(segment), "python_only": list(reasons)}, [f"Defined {segment.name}.", *_noted(reasons)]


def _check(crm: CRM, args: Namespace) -> Answer:
    with crm.begin() as tx:
        found = tx.segments.check(args.expression)
    data = {
        "expression": str(found),
        "fields": [field.name for field in found.fields],
        "python_only": list(found.python_only),
    }
    return data, [f"Right: {found}", *_noted(found.python_only)]


def _count(crm: CRM, args: Namespace) -> Answer:
    with crm.begin() as tx:
        count = tx.segments.count(args.name)
    return {"name": args.name, "count": count}, [str(count)]


def _preview(crm: CRM, args: Namespace) -> Answer:
    with crm.begin() as tx:
        found = tx.segments.preview(args.name, limit=args.limit)
    lines = [
        f"{one.id}  {one.name}  {', '.join(str(point) for point in one.points)}".rstrip() for one in found
    ]
    return [{"id": str(one.id), "name": one.name} for one in found], lines or ["Nobody is in the segment."]


def _explain(crm: CRM, args: Namespace) -> Answer:
    with crm.begin() as tx:
        found = tx.segments.explain(args.name, find_contact(tx, args.contact))
        return _explained(found), str(found).splitlines()


def _explained(found: Explanation) -> dict[str, Any]:
    leaves = [
        {
            "clause": leaf.text,
            "answer": leaf.answer,
            "values": {operand.text: _value(operand.value) for operand in leaf.operands},
        }
        for leaf in found.deciding
    ]
    return {"answer": found.answer, "deciding": leaves, "notes": dict(found.notes)}


def _drop(crm: CRM, args: Namespace) -> Answer:
    crm.transact(lambda tx: tx.segments.drop(args.name))
    return {"dropped": args.name}, [f"Dropped {args.name}."]


def _refresh(crm: CRM, args: Namespace) -> Answer:
    import attrs

    with crm.begin() as tx:
        names = args.names or [one.name for one in tx.segments.list()]
    found = [crm.transact(_refreshing(name)) for name in names]
    lines = [f"{one.name}: {one.members} members, {one.entered} came, {one.left} left" for one in found]
    return [attrs.asdict(one) for one in found], lines or ["No segment is defined."]


def _refreshing(name: str) -> Callable[[Transaction], Any]:
    return lambda tx: tx.segments.refresh(name)


def _fields(crm: CRM, args: Namespace) -> Answer:
    found = [crm.fields[name] for name in crm.fields]
    lines = [f"{field.name} ({field.kind}): {field.doc}".rstrip(": ") for field in found]
    return [{"name": one.name, "type": str(one.kind), "doc": one.doc} for one in found], lines


def _noted(reasons: Sequence[str]) -> list[str]:
    return [f"Every contact is looked at in Python, which takes longer: {reason}" for reason in reasons]


def _plain(segment: Segment) -> dict[str, Any]:
    import attrs

    return {name: _value(value) for name, value in attrs.asdict(segment).items()}


def _value(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


_Argument = tuple[tuple[str, ...], Mapping[str, Any]]
_NAME: _Argument = (("name",), {"help": "the segment"})
_EXPRESSION: _Argument = (("expression",), {"help": "a condition, such as 'orders.count >= 3'"})
_WORDS: Mapping[str, tuple[Callable[[CRM, Namespace], Answer], str, Sequence[_Argument]]] = {
    "list": (_list, "list the segments", ()),
    "define": (
        _define,
        "define a segment, or change it",
        (
            _NAME,
            _EXPRESSION,
            (("--doc",), {"default": "", "help": "what it is for"}),
            (
                ("--watch",),
                {"action": "store_true", "help": "refresh it whenever crm.run_due() runs its jobs"},
            ),
        ),
    ),
    "check": (_check, "check an expression without keeping it", (_EXPRESSION,)),
    "count": (_count, "count the contacts in a segment", (_NAME,)),
    "preview": (
        _preview,
        "show some contacts of a segment",
        (_NAME, (("--limit",), {"type": limit_of, "default": 10, "help": "at most how many"})),
    ),
    "explain": (
        _explain,
        "say whether a contact is in a segment, and which clause decided",
        (_NAME, (("contact",), {"help": "the contact's id, or one of its addresses"})),
    ),
    "refresh": (
        _refresh,
        "take down who is in segments, and who came and went",
        ((("names",), {"nargs": "*", "metavar": "NAME", "help": "which segments; all by default"}),),
    ),
    "drop": (_drop, "drop a segment", (_NAME,)),
    "fields": (_fields, "list what expressions may ask for", ()),
}
