"""Database servers of the tests' own: started for one run, in memory where there is such a place, gone afterwards.

A server that need not survive a crash makes tables several times as fast as one that must; and whatever the tests do to
it, nobody else works on it. They are started from the programs of the machine. Where there are none, or where
CRMKIT_TEST_POSTGRESQL_URL or CRMKIT_TEST_MARIADB_URL names a server, that kind is left alone.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

POSTGRESQL_URL = "CRMKIT_TEST_POSTGRESQL_URL"
MARIADB_URL = "CRMKIT_TEST_MARIADB_URL"
SECONDS = 60


@contextmanager
def own_servers() -> Iterator[dict[str, str]]:
    """Start what can be started and is not named already; yield its URLs by the names of the variables."""
    with ExitStack() as stack:
        urls = {}
        for name, start in ((POSTGRESQL_URL, postgresql), (MARIADB_URL, mariadb)):
            if not os.environ.get(name):
                try:
                    url = stack.enter_context(start())
                except RuntimeError as error:
                    print(f"no server of the tests' own: {error}", file=sys.stderr)
                    continue
                if url:
                    urls[name] = url
        yield urls


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a PostgreSQL server; yield the URL of its superuser, or empty text if none is installed."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = shutil.which("initdb") or (str(programs[-1]) if programs else "")
    if not found:
        yield ""
        return
    with folder("postgres") as data:
        port, files = free_port(), data / "data"
        user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        quietly([*user, found, "-D", str(files), "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8"])
        options = ["-F", "-k", str(data), "-h", "127.0.0.1", "-p", str(port)]
        settings = ["-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "max_connections=200"]
        command = [*user, str(Path(found).parent / "postgres"), "-D", str(files), *options, *settings]
        with running(command, port):
            yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"


@contextmanager
def mariadb() -> Iterator[str]:
    """Run a MariaDB server; yield the URL of its superuser, or empty text if none is installed."""
    server, install = shutil.which("mariadbd"), shutil.which("mariadb-install-db")
    if not server or not install:
        yield ""
        return
    with folder("mysql") as data:
        port = free_port()
        where = ["--no-defaults", f"--datadir={data / 'data'}"]
        user = ["--user=mysql"] if os.geteuid() == 0 else []
        normal = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        quietly([install, *where, *user, *normal])
        socket_ = f"--socket={data / 'socket'}"
        fast = ["--innodb-flush-log-at-trx-commit=0", "--skip-innodb-doublewrite", "--skip-log-bin"]
        command = [server, *where, *user, socket_, f"--port={port}", "--bind-address=127.0.0.1", *fast]
        with running(command, port):
            yield f"mariadb+pymysql://root@127.0.0.1:{port}/mysql"


@contextmanager
def folder(user: str) -> Iterator[Path]:
    """Yield a folder in memory, if there is such a place, that belongs to whom the server runs as."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    path = Path(tempfile.mkdtemp(prefix="crmkit-", dir=memory))
    try:
        if os.geteuid() == 0:
            owner = pwd.getpwnam(user)
            os.chown(path, owner.pw_uid, owner.pw_gid)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def running(command: Sequence[str], port: int) -> Iterator[None]:
    """Run a server until the end of the block."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + SECONDS
            while not answers(port):
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"{command[0]} did not start: {' '.join(command)}")
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def answers(port: int) -> bool:
    """Tell whether somebody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def quietly(command: Sequence[str]) -> None:
    """Run a program; what it says shows only if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
