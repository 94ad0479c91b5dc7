"""The contact stores beside the core's own tables, against the one suite: in memory, and over a table of the host's."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, TypeVar

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Date,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Uuid,
    inspect,
    text,
)

from crmkit import CRM, ContactStore, MappedContacts
from crmkit.testing import MappedSuite, MemoryContacts, StorageSuite
from crmkit.testing.laws import laws_in
from databases import Server

LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
_NUMBERS = itertools.count(1)


#: Laws in which a contact store has a part, and those of them that belong to a host's rows. The others are the
#: database's alone; the core's own store is held to them on each.
CONTACTS = (1, 2, 3, 4, 7, 15, 17, *range(19, 33))
HOST = range(22, 31)


@pytest.fixture(scope="class")
def postgresql(postgresql_server: Server) -> Iterator[str]:
    """One database for the tests of a class, each of which empties it: to make the tables takes a second."""
    with postgresql_server.database() as url:
        yield url


@pytest.fixture(scope="class")
def mariadb(mariadb_server: Server) -> Iterator[str]:
    """The same on MariaDB, where it takes several."""
    with mariadb_server.database() as url:
        yield url


def emptied(crm: CRM) -> CRM:
    """Delete what an earlier test of the class left."""
    with crm.engine.begin() as connection:
        for name in inspect(connection).get_table_names():
            connection.execute(text(f"DELETE FROM {name}"))
    return crm


S = TypeVar("S", bound=type[StorageSuite])


def only(*numbers: int) -> Callable[[S], S]:
    """Return a decorator that leaves the other laws of a suite to other classes."""

    def mark(suite: S) -> S:
        for name, function in laws_in(suite).items():
            if function.crmkit_law.number not in numbers:
                setattr(suite, name, None)
        return suite

    return mark


class TestMemoryContacts(StorageSuite):
    """In a database in memory."""

    def make_crm(self, **options: Any) -> CRM:
        return CRM("sqlite://", contacts=MemoryContacts(), **options)


@only(*CONTACTS)
class TestMemoryContactsPostgreSQL(StorageSuite):
    several_connections = several_writers = True
    isolation_levels = LEVELS

    @pytest.fixture(autouse=True)
    def empty(self, postgresql: str) -> None:
        self.url = postgresql

    def make_crm(self, **options: Any) -> CRM:
        return emptied(CRM(self.url, contacts=MemoryContacts(), **options))


@only(*CONTACTS)
class TestMemoryContactsMariaDB(StorageSuite):
    several_connections = several_writers = True
    isolation_levels = LEVELS

    @pytest.fixture(autouse=True)
    def empty(self, mariadb: str) -> None:
        self.url = mariadb

    def make_crm(self, **options: Any) -> CRM:
        return emptied(CRM(self.url, contacts=MemoryContacts(), **options))


class Host(MappedSuite):
    """A host's table with column names of its own, an integer key and rows that are deleted softly."""

    __test__ = False

    several_connections = True
    url = ""
    read_only = False
    hidden: ClassVar[Mapping[str, Any]] = {"is_deleted": True}

    def make_crm(self, **options: Any) -> CRM:
        crm = emptied(
            CRM(self.url or f"sqlite:///{self.folder / 'crm.db'}", contacts=self.store(), **options)
        )
        self.customers.create(crm.engine, checkfirst=True)
        return crm

    @property
    def customers(self) -> Table:
        return Table(
            "customers",
            MetaData(),
            *self.keys(),
            Column("full_name", String(300), nullable=False),
            Column("mail", String(255), unique=True),
            Column("mail_at_work", String(255)),
            Column("tel", String(40)),
            Column("birthday", Date()),
            Column("is_company", Boolean(), nullable=False, server_default=text("false")),
            Column("is_deleted", Boolean(), nullable=False, server_default=text("false")),
            Column("lang", String(10)),
            mysql_charset="utf8mb4",
        )

    def keys(self) -> tuple[Column[Any], ...]:
        return (Column("no", Integer(), primary_key=True),)

    def store(self) -> ContactStore:
        return MappedContacts(**self.arguments())

    def arguments(self) -> dict[str, Any]:
        return {
            "table": self.customers,
            "columns": {
                "name": "full_name",
                "email": {"": "mail", "work": "mail_at_work"},
                "phone": "tel",
                "birth_date": "birthday",
                "business": "is_company",
                "locale": "lang",
            },
            "where": {"is_deleted": False},
            "read_only": self.read_only,
        }


class TestMappedSQLite(Host):
    """Read-write, an integer key."""

    writes_host = True


@only(*CONTACTS)
class TestMappedReadOnlyText(Host):
    """Read-only, a key of text that has a slash in it, reflected by its name."""

    read_only = True

    def keys(self) -> tuple[Column[Any], ...]:
        return (Column("code", String(40), primary_key=True),)

    def host_key(self) -> Mapping[str, Any]:
        return {"code": f"Ä/{next(_NUMBERS)}~o'Neil"}

    def arguments(self) -> dict[str, Any]:
        return {**super().arguments(), "table": "customers"}


@only(*HOST)
class TestMappedComposite(Host):
    """Read-only, a key of two columns, a condition that is a function."""

    read_only = True

    def keys(self) -> tuple[Column[Any], ...]:
        return (
            Column("shop", String(10), primary_key=True),
            Column("no", Integer(), primary_key=True, autoincrement=False),
        )

    def host_key(self) -> Mapping[str, Any]:
        return {"shop": "a~/b", "no": next(_NUMBERS)}

    def arguments(self) -> dict[str, Any]:
        return {**super().arguments(), "where": lambda table: ~table.c.is_deleted}


class OnPostgreSQL(Host):
    __test__ = False

    several_writers = True
    isolation_levels = LEVELS

    @pytest.fixture(autouse=True)
    def empty(self, postgresql: str) -> None:
        self.url = postgresql


@only(*CONTACTS)
class TestMappedPostgreSQL(OnPostgreSQL):
    """Read-write, a UUID key."""

    writes_host = True

    def keys(self) -> tuple[Column[Any], ...]:
        return (Column("uid", Uuid(), primary_key=True),)

    def host_key(self) -> Mapping[str, Any]:
        return {"uid": uuid.uuid4()}


@only(*HOST)
class TestMappedReadOnlyPostgreSQL(OnPostgreSQL):
    """Read-only, an integer key, reflected."""

    read_only = True

    def arguments(self) -> dict[str, Any]:
        return {**super().arguments(), "table": "customers"}


class OnMariaDB(Host):
    __test__ = False

    several_writers = True
    isolation_levels = LEVELS

    @pytest.fixture(autouse=True)
    def empty(self, mariadb: str) -> None:
        self.url = mariadb


@only(*CONTACTS)
class TestMappedMariaDB(OnMariaDB):
    """Read-write, an integer key, reflected."""

    writes_host = True

    def arguments(self) -> dict[str, Any]:
        return {**super().arguments(), "table": "customers"}


@only(*HOST)
class TestMappedReadOnlyMariaDB(OnMariaDB):
    """Read-only, a key of bytes."""

    read_only = True

    def keys(self) -> tuple[Column[Any], ...]:
        return (
            Column("uid", LargeBinary(16).with_variant(_binary16(), "mariadb", "mysql"), primary_key=True),
        )

    def host_key(self) -> Mapping[str, Any]:
        return {"uid": uuid.uuid4().bytes}


def _binary16() -> Any:
    from sqlalchemy.dialects.mysql import BINARY

    return BINARY(16)
