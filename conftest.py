"""What every test may ask for, the core's and the plugins': Hypothesis profiles, databases, the shared data."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from databases import Server

ROOT = Path(__file__).resolve().parent
SLOW_IS_FINE = (HealthCheck.too_slow, HealthCheck.data_too_large)

settings.register_profile("dev", deadline=None, max_examples=50)
settings.register_profile(
    "ci", deadline=None, max_examples=100, derandomize=True, database=None, suppress_health_check=SLOW_IS_FINE
)
settings.register_profile(
    "nightly", deadline=None, max_examples=2000, print_blob=True, suppress_health_check=SLOW_IS_FINE
)


def profile() -> str:
    """Return the name of the Hypothesis profile: the one asked for, or what fits the place."""
    return os.environ.get("CRMKIT_HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Load the profile; give a nightly run a seed that can be told."""
    settings.load_profile(profile())
    if profile() == "nightly" and config.getoption("hypothesis_seed") is None:
        config.option.hypothesis_seed = str(random.SystemRandom().randrange(2**32))


def pytest_report_header(config: pytest.Config) -> str:
    """Say which examples Hypothesis will try, and how to try the same again."""
    seed = config.getoption("hypothesis_seed")
    again = f", seed {seed}: repeat with ARGS=--hypothesis-seed={seed}" if seed is not None else ""
    return f"crmkit: Hypothesis profile {profile()}{again}"


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """The PostgreSQL server of this run; `server.database()` makes a database on it."""
    import databases  # which imports SQLAlchemy: not every folder needs it

    try:
        with databases.postgresql_server() as server:
            yield server
    except databases.Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def mariadb_server() -> Server:
    """The MariaDB server of this run; `server.database()` makes a database on it."""
    import databases

    try:
        return databases.mariadb_server()
    except databases.Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of an SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'crmkit.db'}"


@pytest.fixture
def postgresql_url(postgresql_server: Server) -> Iterator[str]:
    """The URL of an empty PostgreSQL database, dropped after the test."""
    with postgresql_server.database() as url:
        yield url


@pytest.fixture
def mariadb_url(mariadb_server: Server) -> Iterator[str]:
    """The URL of an empty MariaDB database, dropped after the test."""
    with mariadb_server.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database, on each database that crmkit supports in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets, which is kept beside the checkout because of its size."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data sets (../shared/data) are not here")
    return folder
