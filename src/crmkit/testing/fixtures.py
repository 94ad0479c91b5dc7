"""Fixtures for pytest: `from crmkit.testing.fixtures import clock, crm`, in a conftest.py or a test module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crmkit.crm import CRM
from crmkit.testing.clock import FakeClock
from crmkit.testing.memory import memory_crm

__all__ = ["clock", "crm"]


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still until the test moves it."""
    return FakeClock()


@pytest.fixture
def crm(clock: FakeClock) -> Iterator[CRM]:
    """A CRM in memory without plugins, on the test's `clock`; write your own with `memory_crm` for more."""
    built = memory_crm(clock=clock)
    yield built
    built.engine.dispose()
