"""Connections of our own: the engine for a URL, and how a write transaction begins on it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import QueuePool

from crmkit.errors import ConfigError
from crmkit.sql.borrow import ensure_transaction
from crmkit.sql.connection import judge
from crmkit.sql.types import family

_SUPPORTED = {"sqlite", "postgresql", "mysql", "mariadb"}


def engine_for(target: str | Engine) -> Engine:
    """Return the host's engine as it is, or one of our own for a URL.

    Raises:
        ConfigError: if the URL does not parse, its driver is missing, or the database is not supported.
    """
    if isinstance(target, Engine):
        engine = target
    elif isinstance(target, str):
        engine = _own_engine(target)
    else:
        raise ConfigError(
            f"CRM(...) takes a database URL or a SQLAlchemy Engine, not {type(target).__name__}"
        )
    if engine.dialect.name not in _SUPPORTED:
        raise ConfigError(f"{engine.dialect.name} is not supported; use SQLite, PostgreSQL or MariaDB")
    return engine


def _own_engine(target: str) -> Engine:
    try:
        url = make_url(target)
        if url.get_backend_name() != "sqlite":
            return create_engine(url, hide_parameters=True)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigError(f"the database URL cannot be used: {error}") from None
    except ValueError:  # its words are the part that is wrong, perhaps of the password
        raise ConfigError(
            "the database URL cannot be used: its port is no number; write ':', '/' and '@' of a password as "
            "%3A, %2F and %40"
        ) from None
    options: dict[str, Any] = {
        "connect_args": {"timeout": 30, "check_same_thread": False},
        "hide_parameters": True,  # an error goes to logs, where names and addresses are out of place
    }
    if url.database and url.database != ":memory:" and "mode=memory" not in url.database:
        engine = create_engine(url, **options)
        event.listen(engine, "connect", _write_ahead)
        return engine
    # a database in memory is its one connection: a second one waits for it instead of seeing another database
    return create_engine(url, **options, poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=10)


def _write_ahead(raw: Any, record: Any) -> None:
    raw.execute("PRAGMA journal_mode=WAL")


def begin(engine: Engine) -> Connection:
    """Return a connection in a new transaction that may write.

    Raises:
        RetryTransaction: if another writer held SQLite's lock for longer than the time-out.
        TransactionRequired: if the host's engine is in autocommit mode.
    """
    connection = engine.connect()
    try:
        raw: Any = connection.connection.dbapi_connection
        if family(connection.dialect) != "sqlite":
            ensure_transaction(raw, family(connection.dialect))
        else:
            connection.begin()  # an engine whose host sends BEGIN in a listener does so here
            if not raw.in_transaction:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
    except DBAPIError as error:
        connection.close()
        raise (judge(error) or error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def commit(connection: Connection) -> None:
    """Commit the connection's transaction.

    Raises:
        RetryTransaction: if the database gave precedence to another transaction.
    """
    try:
        connection.commit()
    except DBAPIError as error:
        raise (judge(error) or error) from error


def place(engine: Engine) -> str:
    """Return where an engine's database stands, without credentials: what an installation is known by."""
    url = engine.url
    if family(engine.dialect) != "sqlite":
        return f"{family(engine.dialect)}://{url.host or 'local'}:{url.port or ''}/{url.database}"
    if not url.database or url.database == ":memory:":
        return "sqlite:memory"
    from pathlib import Path

    return f"sqlite:{Path(url.database).resolve()}"
