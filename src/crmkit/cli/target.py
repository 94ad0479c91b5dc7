"""Which CRM a command works on: the host's own object, or a database named by its URL."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from crmkit.errors import ConfigError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from crmkit.crm import CRM

APP, URL = "CRMKIT_APP", "CRMKIT_URL"


def add_target(parser: ArgumentParser) -> None:
    """Add the options that name a CRM to a command's parser."""
    group = parser.add_argument_group("which CRM")
    group.add_argument(
        "--app",
        metavar="MODULE:NAME",
        default=os.environ.get(APP, ""),
        help=f"the host's CRM, or a function that returns it, such as shop.crm:crm (or set {APP})",
    )
    group.add_argument(
        "--url",
        metavar="URL",
        default=os.environ.get(URL, ""),
        help=f"the database, where no --app is given, such as sqlite:///shop.db (or set {URL})",
    )
    group.add_argument(
        "--plugin",
        metavar="NAME",
        action="append",
        default=[],
        help="with --url: a plugin to enable; may be repeated",
    )
    parser.set_defaults(makes_tables=False)
    group.add_argument("--tenant", metavar="NAME", default="", help="the tenant whose CRM it is")


def open_crm(args: Namespace) -> CRM:
    """Return the CRM that the options name.

    Raises:
        ConfigError: if none is named, what is named is no CRM, or it has no place for the tenant.
    """
    crm = _opened(args)
    return crm.for_tenant(args.tenant) if args.tenant else crm


def _opened(args: Namespace) -> CRM:
    if args.app:
        return named_crm(args.app, "--app")
    if not args.url:
        raise ConfigError(f"which CRM? Give --app MODULE:NAME or --url URL, or set {APP} or {URL}")
    from crmkit.crm import CRM

    crm = CRM(args.url, plugins=args.plugin)
    url = crm.engine.url
    is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    if is_file and not args.makes_tables and not os.path.exists(str(url.database).removeprefix("file:")):
        raise ConfigError(
            f"there is no database {url.database!r}; `crmkit migrate` makes one with its tables"
        )
    return crm


def named_crm(name: str, option: str) -> CRM:
    """Return the CRM that a text names.

    Args:
        name: MODULE:NAME, of a CRM or a function that returns one; the module may be in the current folder.
        option: where the text was given, for errors.

    Raises:
        ConfigError: if it names none.
    """
    import sys
    from importlib import import_module

    from crmkit.crm import CRM

    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise ConfigError(f"{option} {name!r} must be MODULE:NAME, such as shop.crm:crm")
    sys.path.insert(0, os.getcwd())
    try:
        found: Any = import_module(module)
    except Exception as error:
        raise ConfigError(
            f"{option} {name!r}: {module} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    finally:
        sys.path.pop(0)
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise ConfigError(f"{option} {name!r}: {module} has no {attribute!r}")
        found = getattr(found, part)
    crm = found if isinstance(found, CRM) or not callable(found) else found()
    if not isinstance(crm, CRM):
        raise ConfigError(
            f"{option} {name!r} is {type(crm).__name__}; must be a CRM or a function that returns one"
        )
    return crm
