"""Databases to measure in: a SQLite file and a PostgreSQL database for each side, and what CPU a server used."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.pool import ConnectionPoolEntry

from databases import POSTGRESQL_URL, Server, Unavailable, answering, postgresql_server

LOCAL_POSTGRESQL = "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"


@dataclass
class Place:
    """One side's own database.

    Args:
        database: sqlite or postgresql.
        url: where it is.
        engine: of the host, the same settings for both sides.
    """

    database: str
    url: str
    engine: Engine

    @cached_property
    def _pids(self) -> list[int]:
        if self.database == "sqlite" or self.engine.url.host not in (None, "", "127.0.0.1", "localhost"):
            return []
        with self.engine.connect() as connection:
            query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            return list(connection.exec_driver_sql(query).scalars())

    def cpu(self) -> int | None:
        """CPU nanoseconds that the server's processes for this database have used; None if it is elsewhere.

        One thread that works with one connection has one process there, so it is looked for once.
        """
        if self.database == "sqlite":
            return 0
        return sum(cpu_of(pid) for pid in self._pids) if self._pids else None


def cpu_of(pid: int) -> int:
    """Return the CPU nanoseconds of a process of this machine."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        pass
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


#: Gives a new empty database at each call.
Maker = Callable[[], Place]


@contextmanager
def sqlite_places() -> Iterator[Maker]:
    """Give databases in files of a temporary folder: WAL, synchronous=NORMAL."""
    with TemporaryDirectory(prefix="crmkit-bench-") as folder, ExitStack() as stack:
        numbers = count()

        def make() -> Place:
            path = Path(folder) / f"{next(numbers)}.db"
            url = f"sqlite:///{path}"
            engine = create_engine(url, connect_args={"timeout": 30})
            event.listen(engine, "connect", _write_ahead)
            stack.callback(engine.dispose)
            return Place("sqlite", url, engine)

        yield make


def _write_ahead(raw: object, record: ConnectionPoolEntry) -> None:
    cursor = raw.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


@contextmanager
def postgresql_places() -> Iterator[Maker]:
    """Give databases of the environment's server, else of this machine's, else of one that is started."""
    with ExitStack() as stack:
        server = _local() if not os.environ.get(POSTGRESQL_URL) else None
        server = server or stack.enter_context(postgresql_server())

        def make() -> Place:
            url = stack.enter_context(server.database())
            engine = create_engine(url)
            stack.callback(engine.dispose)
            return Place("postgresql", url, engine)

        yield make


def _local() -> Server | None:
    try:
        return answering(Server(make_url(LOCAL_POSTGRESQL)), f"set {POSTGRESQL_URL}")
    except Unavailable:
        return None


PLACES = {"sqlite": sqlite_places, "postgresql": postgresql_places}
