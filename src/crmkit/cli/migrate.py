"""`crmkit migrate`: bring the tables to where this crmkit and the enabled plugins want them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from crmkit.cli.command import add_command, say
from crmkit.cli.target import open_crm
from crmkit.errors import ConfigError

if TYPE_CHECKING:
    from argparse import Namespace

    from crmkit.sql.migrations.run import Migrations, Revision


def add(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = add_command(subparsers, "migrate", "create the tables, or bring them up to date", run)
    parser.set_defaults(makes_tables=True)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--sql", action="store_true", help="print the SQL and run nothing")
    what.add_argument(
        "--status", action="store_true", help="list the revisions; exit with 1 if one is pending"
    )
    parser.add_argument(
        "--adopt", action="store_true", help="take over, for good, tables that crm.create_tables() has made"
    )


def run(args: Namespace) -> int:
    """Migrate, or say what a migration would do."""
    migrations = open_migrations(args)
    if args.sql:
        print(migrations.sql(), end="")
        return 0
    if args.status:
        revisions = migrations.revisions()
        _say(args, revisions, "There are no revisions.")
        return int(any(not one.applied for one in revisions))
    _say(args, migrations.upgrade(adopt=args.adopt), "The tables are up to date.")
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


def _say(args: Namespace, revisions: Sequence[Revision], nothing: str) -> None:
    import attrs

    lines = [f"{'applied' if one.applied else 'pending'}  {one.id:<24}{one.doc}" for one in revisions]
    say(args, [attrs.asdict(one) for one in revisions], lines or [nothing])
