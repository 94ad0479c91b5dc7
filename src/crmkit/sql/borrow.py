"""Working inside a transaction that the host owns: its Session, its Connection, or its driver's own."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from threading import local
from typing import Any

from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.pool import NullPool

from crmkit.errors import ConfigError, TransactionError, TransactionPoisoned, TransactionRequired
from crmkit.sql.types import family

#: DBAPI modules and the SQLAlchemy dialects that speak through them.
_DRIVERS = {
    "sqlite3": "sqlite+pysqlite",
    "psycopg": "postgresql+psycopg",
    "psycopg2": "postgresql+psycopg2",
    "pymysql": "mariadb+pymysql",
    "MySQLdb": "mariadb+mysqldb",
}
_JOINED = "crmkit.begun"
_IDLE, _IN_ERROR = 0, 3  # libpq's PQTRANS_IDLE and PQTRANS_INERROR


def borrow(target: Any) -> Connection:
    """Return a SQLAlchemy connection that works inside the transaction `target` has open.

    Nothing is set on what is borrowed. Where the driver would begin only at the first write, BEGIN is sent.

    Args:
        target: a SQLAlchemy Session or Connection, or a connection of sqlite3, psycopg, psycopg2,
            PyMySQL or mysqlclient.

    Raises:
        TransactionRequired: if the connection is in autocommit mode without a transaction.
        ConfigError: if `target` is none of these.
    """
    if isinstance(target, Connection):
        connection = target
    elif callable(getattr(target, "connection", None)) and hasattr(target, "begin_nested"):
        connection = _of_session(target)
    else:
        return _of_driver(target)
    if not connection.in_transaction():
        connection.begin()  # as its first statement would: a later begin_nested() is known to stand inside it
    raw = connection.connection.dbapi_connection
    ensure_transaction(raw, family(connection.dialect), nested=_unproved_savepoint(connection))
    _refuse_failed(raw, family(connection.dialect))
    if not connection.in_nested_transaction():
        connection.info[_JOINED] = connection.get_transaction()
    return connection


def _of_session(session: Any) -> Connection:
    connection = session.connection()
    if not isinstance(connection, Connection):
        if hasattr(connection, "close"):
            connection.close()  # an un-awaited coroutine of an AsyncSession
        raise ConfigError(
            f"{type(session).__name__} is asynchronous; inside it call "
            "await session.run_sync(lambda s: work(crm.join(s)))"
        )
    return connection


def _unproved_savepoint(connection: Connection) -> bool:
    """Whether a SAVEPOINT is open of which nobody can say that a BEGIN stands before it."""
    if not connection.in_nested_transaction():
        return False
    return connection.info.get(_JOINED) is not connection.get_transaction()


def _of_driver(raw: Any) -> Connection:
    module = type(raw).__module__.split(".")[0]
    if module not in _DRIVERS:
        found = f"{type(raw).__module__}.{type(raw).__qualname__}"
        raise ConfigError(
            f"crm.join() got a {found}; give a SQLAlchemy Session or Connection, "
            f"or a connection of one of: {', '.join(_DRIVERS)}"
        )
    engine = _engine(_DRIVERS[module])
    ensure_transaction(raw, family(engine.dialect))
    _refuse_failed(raw, family(engine.dialect))
    _lent.connection = _Guarded(raw, module)
    try:
        return engine.connect()
    finally:
        del _lent.connection


#: The connection that this thread is about to hand to one of the engines below.
_lent = local()


@cache
def _engine(name: str) -> Engine:
    """An engine over borrowed connections, without a first-connection ceremony that would set options on them."""
    url = make_url(f"{name}://")
    cls = url.get_dialect()
    dialect = cls(dbapi=cls.import_dbapi())  # type: ignore[call-arg]
    pool = NullPool(lambda: _lent.connection, dialect=dialect)
    return Engine(pool, dialect, url, hide_parameters=True)


class _Guarded:
    """A host's driver connection: refuses commit, ignores rollback and close, gives plain cursors."""

    def __init__(self, raw: Any, module: str) -> None:
        self._raw = raw
        self._module = module

    def cursor(self, *args: Any, **options: Any) -> Any:
        if self._module not in ("pymysql", "MySQLdb"):  # which would have to ask the server each time
            ensure_transaction(self._raw, "sqlite" if self._module == "sqlite3" else "postgresql")
        if self._module == "psycopg":
            plain = import_module("psycopg.rows").tuple_row
            return self._raw.cursor(*args, **{**options, "row_factory": plain})
        if self._module in ("pymysql", "MySQLdb"):
            return self._raw.cursor(import_module(f"{self._module}.cursors").Cursor)
        if self._module == "psycopg2":
            plain = import_module("psycopg2.extensions").cursor
            return self._raw.cursor(*args, **{**options, "cursor_factory": plain})
        made = self._raw.cursor(*args, **options)
        made.row_factory = None
        return made

    def commit(self) -> None:
        raise TransactionError("the transaction belongs to the host: it commits, crm.join() never does")

    def rollback(self) -> None:
        """Leave the host's transaction as it is."""

    def close(self) -> None:
        """Leave the host's connection open."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def ensure_transaction(raw: Any, database: str, *, nested: bool = False) -> None:
    """Refuse a driver's connection on which each statement would commit, and begin where it would only later.

    Args:
        raw: the driver's connection.
        database: sqlite, postgresql or mariadb.
        nested: whether a SAVEPOINT is open of which nobody knows whether a BEGIN stands before it.

    Raises:
        TransactionRequired: if the connection is in autocommit mode without a transaction.
    """
    if database == "sqlite":
        _ensure_sqlite(raw, nested)
    elif database == "postgresql":
        _ensure_postgresql(raw)
    else:
        _ensure_mariadb(raw)


def _ensure_sqlite(raw: Any, nested: bool) -> None:
    # SQLAlchemy and Django leave the driver's own BEGIN on; isolation_level None means that the host sends it
    driver_begins = raw.isolation_level is not None and getattr(raw, "autocommit", -1) is not False
    if raw.in_transaction:
        if nested and driver_begins:
            raise TransactionRequired(
                "a SAVEPOINT is open and perhaps no BEGIN stands before it: on sqlite3's default settings such "
                "a savepoint is the transaction, and releasing it commits. Call crm.join(...) once before "
                "begin_nested(), or let the engine send BEGIN itself (SQLAlchemy's pysqlite page says how)"
            )
        return
    if not driver_begins:
        raise TransactionRequired(
            "the SQLite connection is in autocommit mode and no transaction is open; "
            "execute BEGIN before crm.join(...), with Django open transaction.atomic()"
        )
    raw.cursor().execute("BEGIN")


def _ensure_postgresql(raw: Any) -> None:
    if raw.autocommit and int(raw.info.transaction_status) == _IDLE:
        raise TransactionRequired(
            "the PostgreSQL connection is in autocommit mode and no transaction is open; use "
            "`with connection.transaction():`, an engine without AUTOCOMMIT, or Django's transaction.atomic()"
        )


def _refuse_failed(raw: Any, database: str) -> None:
    if database == "postgresql" and int(raw.info.transaction_status) == _IN_ERROR:
        raise TransactionPoisoned(
            "an earlier error ended the PostgreSQL transaction; roll back before crm.join(...)"
        )


def _ensure_mariadb(raw: Any) -> None:
    if not raw.get_autocommit():
        return
    cursor = raw.cursor()
    try:
        cursor.execute("SELECT @@in_transaction AS open")
        row = cursor.fetchone()
    finally:
        cursor.close()
    if not int(row["open"] if isinstance(row, dict) else row[0]):
        raise TransactionRequired(
            "the MariaDB connection is in autocommit mode and no transaction is open; call connection.begin() "
            "before crm.join(...), or use an engine without AUTOCOMMIT"
        )
