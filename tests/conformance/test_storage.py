"""crmkit's own storage against the storage suite, on every database that it supports."""

from __future__ import annotations

from typing import Any

import pytest

from crmkit import CRM
from crmkit.testing import StorageSuite

LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")


class TestMemory(StorageSuite):
    def make_crm(self, **options: Any) -> CRM:
        return CRM("sqlite://", **options)


class TestSQLite(StorageSuite):
    several_connections = True

    def make_crm(self, **options: Any) -> CRM:
        return CRM(f"sqlite:///{self.folder / 'crm.db'}", **options)


class TestPostgreSQL(StorageSuite):
    several_connections = several_writers = True
    isolation_levels = LEVELS

    @pytest.fixture(autouse=True)
    def empty(self, postgresql_url: str) -> None:
        self.url = postgresql_url

    def make_crm(self, **options: Any) -> CRM:
        return CRM(self.url, **options)


class TestMariaDB(StorageSuite):
    several_connections = several_writers = True
    isolation_levels = LEVELS

    @pytest.fixture(autouse=True)
    def empty(self, mariadb_url: str) -> None:
        self.url = mariadb_url

    def make_crm(self, **options: Any) -> CRM:
        return CRM(self.url, **options)
