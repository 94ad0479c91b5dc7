"""What commands have in common: the options of one that works on a CRM, and how it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from crmkit.cli.target import add_target

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

#: At most so many things are listed.
_MOST = 10_000


def add_command(
    parsers: Any,
    name: str,
    summary: str,
    run: Callable[[Namespace], int],
    *,
    json: str = "print JSON",
) -> ArgumentParser:
    """Add a command that works on a CRM and answers in words or in JSON; return its parser.

    Args:
        parsers: where it is added.
        name: its name.
        summary: what it does, for the help.
        run: does it, and returns the exit status.
        json: what `--json` does, for the help.
    """
    parser: ArgumentParser = parsers.add_parser(
        name, help=summary, description=f"{summary[:1].upper()}{summary[1:]}."
    )
    parser.add_argument("--json", action="store_true", help=json)
    add_target(parser)
    parser.set_defaults(run=run)
    return parser


def add_limit(parser: ArgumentParser, default: int, *, of: str = "") -> None:
    """Add `--limit` to a command that lists things.

    Args:
        parser: the command's.
        default: how many it lists at most unless told otherwise.
        of: what it limits, where the command does not say.
    """
    words = f"at most how many{' ' if of else ''}{of} (default: {default})"
    parser.add_argument("--limit", type=limit_of, default=default, metavar="N", help=words)


def limit_of(text: str) -> int:
    """Return how many things at most a word on the command line asks for.

    Raises:
        ArgumentTypeError: if it is no whole number from 1 on, or too large.
    """
    from argparse import ArgumentTypeError

    if not text.isdecimal() or not 1 <= int(text) <= _MOST:
        raise ArgumentTypeError(f"{text!r} must be a whole number from 1 to {_MOST}")
    return int(text)


def say(args: Namespace, data: Any, lines: Iterable[str]) -> None:
    """Print an answer.

    Args:
        args: tell whether it is asked for as JSON.
        data: the answer as plain data; ids and instants are written as text.
        lines: the answer in words.
    """
    if args.json:
        from json import dumps

        print(dumps(data, indent=2, ensure_ascii=False, default=str))
    else:
        print("\n".join(map(_readable, lines)))


def _readable(line: str) -> str:
    # a name may hold marks that turn the direction of a terminal's text, or that a terminal obeys
    return "".join(char if char.isprintable() else " " for char in line)
