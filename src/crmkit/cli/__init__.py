"""The `crmkit` command line: one module for each command, with `add(subparsers)` and `run(args)`."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from crmkit.errors import CrmkitError

if TYPE_CHECKING:
    from argparse import ArgumentParser

#: The modules beside this one that are commands, in the order of `crmkit --help`.
COMMANDS = (
    "plugins",
    "contacts",
    "segments",
    "rules",
    "duplicates",
    "merges",
    "migrate",
    "revision",
    "privacy",
    "erase",
    "retention",
    "audit",
    "consents",
    "suppressions",
    "imports",
    "exports",
    "selftest",
)

#: How SQLite, PostgreSQL and MariaDB say that a table is missing.
_MISSING = re.compile("no such table|relation .* does not exist|Table .* doesn't exist")

#: The exit status for a mistake of the user's.
MISTAKE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0 if all is well, 2 for a mistake of the user's.

    Args:
        argv: the words after `crmkit`; by default those of this process.
    """
    parser = _parser()
    try:
        args = parser.parse_args(argv)
    except SystemExit as stop:  # argparse has printed the help, or what is wrong
        return int(stop.code or 0)
    try:
        status = int(args.run(args))
        sys.stdout.flush()
        return status
    except CrmkitError as error:
        print(f"crmkit: error: {error}", file=sys.stderr)
        return MISTAKE
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has enough
        _drop_output()
        return 0
    except OSError as error:  # a disk that is full, a file that nobody may read
        _drop_output()
        where = f": {error.filename}" if error.filename else ""
        print(f"crmkit: error: {error.strerror or error}{where}", file=sys.stderr)
        return MISTAKE
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if not type(error).__module__.startswith("sqlalchemy"):
            raise
        print(f"crmkit: error: {_of_database(error)}", file=sys.stderr)
        return MISTAKE


def _parser() -> ArgumentParser:
    from argparse import ArgumentParser  # imported when first used
    from importlib import import_module

    parser = ArgumentParser(prog="crmkit", description="Look after the CRM inside your application.")
    parser.add_argument(
        "--version", action="store_const", dest="run", const=_version, help="print the version"
    )
    parser.set_defaults(run=lambda args: _unfinished(parser))
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name in COMMANDS:
        import_module(f"{__name__}.{name}").add(subparsers)
    return parser


def _of_database(error: Exception) -> str:
    """Return the database's own words for an error, without the statement."""
    said = str(getattr(error, "orig", None) or error).strip().split("\n")[0]
    hint = " (`crmkit migrate` makes the tables)" if _MISSING.search(said) else ""
    return f"the database says: {said}{hint}"


def _drop_output() -> None:
    """Forget what could not be written, or Python complains when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _unfinished(parser: ArgumentParser) -> int:
    parser.print_help(sys.stderr)
    return MISTAKE


def _version(args: object) -> int:
    from importlib.metadata import PackageNotFoundError, version

    try:
        print(f"crmkit {version('crmkit')}")
    except PackageNotFoundError:
        print("crmkit, not installed as a distribution")
    return 0
