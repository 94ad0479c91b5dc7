"""`crmkit revision`: write the revisions of a plugin whose tables have changed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmkit.cli.command import add_command, say
from crmkit.cli.migrate import open_migrations
from crmkit.errors import ConfigError
from crmkit.settings import did_you_mean

if TYPE_CHECKING:
    from argparse import Namespace


def add(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = add_command(subparsers, "revision", "for authors: write the revisions of changed tables", run)
    parser.add_argument("branch", metavar="PLUGIN", help="the plugin whose tables have changed")


def run(args: Namespace) -> int:
    """Write one revision for each new table, column and index, and print their paths."""
    crm = open_migrations(args).crm
    known = ["crmkit", *(record.name for record in crm.plugins)]
    if args.branch not in known:
        raise ConfigError(f"no plugin {args.branch!r} is enabled{did_you_mean(args.branch, known)}")
    from crmkit.sql.migrations.write import write_revisions

    module = crm.modules.get(args.branch, "crmkit")
    home = getattr(sys.modules[module.split(".")[0]], "__file__", None)
    if home is None or Path(home).name != "__init__.py":
        raise ConfigError(f"plugin {args.branch!r} is no package, so that nothing can be shipped with it")
    paths = write_revisions(crm, args.branch, Path(home).parent / "migrations")
    said = [str(path) for path in paths]
    say(args, said, said or ["The revisions make all tables already."])
    return 0
