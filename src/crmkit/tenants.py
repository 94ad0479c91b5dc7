"""Where the tables of each tenant stand: in a schema of its own, or in a database of its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import attrs

from crmkit.errors import ConfigError

#: What is replaced by the tenant's name.
NAME = "{tenant}"

_TENANT = re.compile(r"[a-z][a-z0-9_]{0,39}")
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")
#: Schemas that belong to a database itself, or hold what is nobody's.
_RESERVED = {"public", "information_schema", "mysql", "performance_schema", "sys", "main", "temp"}

#: A template with `{tenant}` in it, or a function from the name to a URL or an Engine.
How = str | Callable[[str], Any]


@attrs.frozen
class Place:
    """Where one tenant's tables stand.

    Args:
        schema: in this schema of the CRM's own database; None for the database of `target`.
        target: in this database, a URL or an Engine; None for the CRM's own.
    """

    schema: str | None = None
    target: Any = None


def tenant_name(value: object) -> str:
    """Return a tenant's name, or refuse it.

    Raises:
        ConfigError: unless it is 1 to 40 small ASCII letters, digits and underscores, a letter first.
    """
    if not isinstance(value, str) or not _TENANT.fullmatch(value):
        raise ConfigError(
            f"tenant {_shown(value)} must be 1 to 40 small ASCII letters, digits and underscores, a letter first"
        )
    return value


def check_tenants(how: Any) -> How | None:
    """Return what `CRM(tenants=...)` was given, or refuse it.

    Raises:
        ConfigError: if it is neither a function nor a template that names the tenant.
    """
    if how is None or callable(how):
        return how  # type: ignore[no-any-return]
    if not isinstance(how, str) or NAME not in how:
        raise ConfigError(
            f"tenants is {_shown(how)}; must be a template with {NAME} in it, of a schema or of a database URL, "
            "or a function from the tenant's name to a URL or an Engine"
        )
    return how


def place_of(how: How | None, name: str, *, sqlite: bool, taken: set[str | None]) -> Place:
    """Return where a tenant's tables stand.

    Args:
        how: as `check_tenants` returned it; None for a schema with the tenant's name.
        name: the tenant.
        sqlite: whether the CRM's own database is SQLite, which has no schemas.
        taken: names of schemas that hold the tables of somebody else.

    Raises:
        ConfigError: if the database has no place of that kind, or the place is not for tenants.
    """
    if callable(how):
        return Place(target=how(name))
    if how is not None and "://" in how:
        return Place(target=how.replace(NAME, name))
    if sqlite:
        raise ConfigError(
            f"SQLite has no schemas, so each tenant has a file: give CRM(url, tenants='sqlite:///.../{NAME}.db')"
        )
    schema = (how or NAME).replace(NAME, name)
    if not _SCHEMA.fullmatch(schema):
        raise ConfigError(
            f"schema {schema!r} of tenant {name!r} must be 1 to 63 small ASCII letters, digits and underscores"
        )
    if schema in _RESERVED | taken or schema.startswith("pg_"):
        raise ConfigError(
            f"schema {schema!r} is not a tenant's own; choose another name for the tenant, or a template such as "
            f"CRM(url, tenants='crm_{NAME}')"
        )
    return Place(schema=schema)


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, str) and len(value) <= 60 else f"of {type(value).__name__}"
