"""What a tenant's CRM has of its own: its store of contacts, its secret, its database."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sqlalchemy import Connection, Engine

from crmkit.digests import digest
from crmkit.errors import ConfigError
from crmkit.settings import Secret
from crmkit.sql.owned import place
from crmkit.sql.types import family
from crmkit.stores import ContactStore


def store_of_tenant(store: ContactStore, name: str, schema: str | None) -> ContactStore:
    """Return the contact store of a tenant.

    Args:
        store: as it was given to all; its `for_tenant(name, schema)` answers that of one.
        name: the tenant.
        schema: in which its tables stand; None if it has a database.

    Raises:
        ConfigError: if the store does not know tenants: it could mix them up.
    """
    made: Any = getattr(store, "for_tenant", None)
    if made is None:
        raise ConfigError(
            f"the contact store {type(store).__name__} has no for_tenant(name, schema), so it cannot keep the "
            "contacts of tenants apart; return there a store that reads this tenant alone"
        )
    found: ContactStore = made(name, schema)
    return found


def secret_of_tenant(given: Secret, name: str) -> Secret:
    """Return the key of a tenant's digests: derived from the settings', so that no two tenants' can be compared."""
    return Secret(digest(given, "tenant", name).hex()) if given and name else given


def refuse_shared(
    name: str, engine: Engine, schema: str | None, others: Iterable[tuple[str, Engine, str | None]]
) -> None:
    """Refuse a place at which somebody else's tables stand.

    Args:
        name: the tenant.
        engine: of its database.
        schema: in which its tables stand.
        others: of each CRM that there is: whose it is, its engine and its schema.

    Raises:
        ConfigError: naming the other one.
    """
    for other, theirs, their_schema in others:
        in_memory = place(engine) == "sqlite:memory"
        same = (
            engine is theirs if in_memory else place(engine) == place(theirs) or _is_one_file(engine, theirs)
        )
        if same and schema == their_schema:
            whose = f"tenant {other!r}" if other else "the CRM that has no tenant"
            raise ConfigError(
                f"tenant {name!r} would share its tables with {whose}: both are at {place(engine)}"
            )


def _is_one_file(one: Engine, other: Engine) -> bool:
    """Return whether both are the same SQLite file, by a link or as a URI."""
    mine, theirs = _file(one), _file(other)
    return bool(mine and theirs and mine.exists() and theirs.exists() and mine.samefile(theirs))


def _file(engine: Engine) -> Path | None:
    name = engine.url.database
    if family(engine.dialect) != "sqlite" or not name:
        return None
    return Path(unquote(name.removeprefix("file:").partition("?")[0]) if name.startswith("file:") else name)


def refuse_other_database(connection: Connection, engine: Engine, name: str) -> None:
    """Refuse a host's connection to another database than the tenant's.

    Args:
        connection: what the host gave.
        engine: of the tenant's database.
        name: the tenant.

    Raises:
        ConfigError: if it is another; names both.
    """
    wanted, found = engine.url.database, _database(connection)
    if not wanted or not found or wanted == ":memory:":
        return
    same = (
        wanted == found
        if family(engine.dialect) != "sqlite"
        else Path(wanted).resolve() == Path(found).resolve()
    )
    if not same:
        raise ConfigError(f"tenant {name!r} is in the database {wanted!r}; the connection is to {found!r}")


def _database(connection: Connection) -> str:
    """Return the name of the database that a connection is to, or empty if that would have to be asked for."""
    raw: Any = connection.connection.dbapi_connection
    kind = family(connection.dialect)
    if kind == "sqlite":
        cursor = raw.cursor()
        cursor.row_factory = None
        return next((str(row[2]) for row in cursor.execute("PRAGMA database_list") if row[1] == "main"), "")
    if kind == "postgresql":
        return str(raw.info.dbname)
    found = getattr(raw, "db", None) or connection.engine.url.database or ""
    return found.decode() if isinstance(found, bytes) else str(found)
