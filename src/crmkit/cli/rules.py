"""`crmkit rules`: check programmes of reward rules, and say what the rules decided about an order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crmkit.cli.target import add_target, open_crm

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from crmkit.crm import CRM
    from crmkit.events import LogEntry
    from crmkit.programmes import Programme


def add(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser: ArgumentParser = subparsers.add_parser(
        "rules", help="check reward rules, and explain what they did"
    )
    words = parser.add_subparsers(title="what to do", metavar="WORD", dest="word", required=True)
    check = words.add_parser("check", help="check a programme, and list its rules in words")
    check.add_argument("file", help="a TOML or JSON file")
    explain = words.add_parser("explain", help="say what each rule decided about an order")
    explain.add_argument("order", help="the order's number")
    for word in (check, explain):
        word.add_argument("--json", action="store_true", help="print JSON")
        add_target(word)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Do what is asked and print the answer."""
    return _check(args) if args.word == "check" else _explain(args)


def _check(args: Namespace) -> int:
    from crmkit.programmes import Programme
    from crmkit.programmes.wording import programme_data, programme_words

    programme = Programme.load(args.file)
    if args.app or args.url:
        _check_against(open_crm(args), programme)
    if args.json:
        _print_json(programme_data(programme))
    else:
        print("\n".join(programme_words(programme)))
    return 0


def _check_against(crm: CRM, programme: Programme) -> None:
    """Refuse a programme that this CRM could not run.

    Raises:
        ProgrammeError: naming the rule and what it lacks.
    """
    from crmkit.errors import ProgrammeError
    from crmkit.registry.faults import unread, unremembered

    others = {one.value.name: one for one in crm.registry.rules}
    for rule in programme.rules:
        wrong = unread(rule, crm.fields) or ("" if crm.registry.ledger else unremembered(rule))
        other = others.get(rule.name)
        if other is not None and getattr(other.value, "programme", "").partition("@")[0] != programme.name:
            wrong = wrong or f"rule {rule.name!r} has the name of a rule of {other.owner!r}"
        if wrong:
            raise ProgrammeError(f"{programme.reference}: {wrong}")


def _explain(args: Namespace) -> int:
    from crmkit.events import OrderAmended, OrderPaid, RewardsDecided
    from crmkit.programmes.wording import decided_words

    crm = open_crm(args)
    with crm.begin() as tx:
        entries = tx.orders.history(args.order)
    decided = [one for one in entries if isinstance(one.event, OrderPaid | OrderAmended | RewardsDecided)]
    if args.json:
        _print_json([_data(entry) for entry in decided])
        return 0
    rules = [owned.value for owned in crm.registry.rules]
    for entry in decided:
        event: Any = entry.event
        print(f"{entry.key} ({entry.type}, {entry.occurred_at:%Y-%m-%d %H:%M} UTC)")
        lines = list(decided_words(event.awards, event.refusals, rules))
        print("\n".join(f"  {line}" for line in lines or ["no rule said anything"]))
    if not decided:
        print(f"Order {args.order} is not paid; no rule has decided about it.")
    return 0


def _data(entry: LogEntry) -> dict[str, Any]:
    from crmkit import codec

    data = codec.dump(entry.event)[0]
    decided = {name: data.get(name, []) for name in ("awards", "refusals")}
    return {"key": entry.key, "type": entry.type, "at": entry.occurred_at.isoformat(), **decided}


def _print_json(data: Any) -> None:
    from json import dumps

    print(dumps(data, indent=2, ensure_ascii=False))
