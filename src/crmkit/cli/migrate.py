"""`crmkit migrate`: bring the tables to where this crmkit and the enabled plugins want them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from crmkit.cli.target import add_target, open_crm
from crmkit.errors import ConfigError

if TYPE_CHECKING:
    from argparse import Namespace

    from crmkit.sql.migrations.run import Migrations, Revision


def add(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser("migrate", help="create the tables, or bring them up to date")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--sql", action="store_true", help="print the SQL and run nothing")
    what.add_argument(
        "--status", action="store_true", help="list the revisions; exit with 1 if one is pending"
    )
    parser.add_argument(
        "--adopt", action="store_true", help="take over, for good, tables that crm.create_tables() has made"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_target(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Migrate, or say what a migration would do."""
    migrations = open_migrations(args)
    if args.sql:
        print(migrations.sql(), end="")
        return 0
    if args.status:
        revisions = migrations.revisions()
        _print(revisions, args.json, "There are no revisions.")
        return int(any(not one.applied for one in revisions))
    _print(migrations.upgrade(adopt=args.adopt), args.json, "The tables are up to date.")
    return 0


def open_migrations(args: Namespace) -> Migrations:
    """Return the migrations of the CRM that the options name.

    Raises:
        ConfigError: if Alembic is not installed, or no CRM is named.
    """
    try:
        from crmkit.sql.migrations.run import Migrations
    except ModuleNotFoundError as error:
        if error.name != "alembic":
            raise
        raise ConfigError("migrations need Alembic: pip install 'crmkit[migrations]'") from None
    return Migrations(open_crm(args))


def _print(revisions: Sequence[Revision], as_json: bool, nothing: str) -> None:
    if as_json:
        from json import dumps

        import attrs

        print(dumps([attrs.asdict(one) for one in revisions], indent=2, ensure_ascii=False))
        return
    for one in revisions:
        print(f"{'applied' if one.applied else 'pending'}  {one.id:<24}{one.doc}")
    if not revisions:
        print(nothing)
