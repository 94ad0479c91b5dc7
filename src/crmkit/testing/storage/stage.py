"""What the author of a storage gives the suite, and what the laws are made of."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from sqlalchemy import Column, MetaData, func, select

from crmkit.contacts import ContactPoint
from crmkit.crm import CRM
from crmkit.errors import CrmkitError
from crmkit.hookspecs import hookimpl
from crmkit.money import Money
from crmkit.orders import Order, OrderLine
from crmkit.plugins import said
from crmkit.sql import Id, Instant, Json, Minor, Text, column, table
from crmkit.testing.recording import RecordingChannel
from crmkit.testing.suite import Suite
from crmkit.transaction import Transaction

T = TypeVar("T")

#: How often a transaction is run again before a law takes it for stuck.
ATTEMPTS = 30


class Stage(Suite):
    """What an author writes, and how the laws use it.

    Args (class attributes):
        writable: the contact store adds and changes contacts.
        shared_points: one contact point may belong to several contacts.
        several_connections: the database takes a second connection, as one in memory does not.
        several_writers: two transactions that write may be open at once, as on SQLite they may not.
        isolation_levels: the names of the isolation levels to try.
    """

    __test__ = False
    page = "docs/reference/storage-suite.md"

    writable: ClassVar[bool] = True
    shared_points: ClassVar[bool] = True
    several_connections: ClassVar[bool] = False
    several_writers: ClassVar[bool] = False
    isolation_levels: ClassVar[Sequence[str]] = ()

    _closing: ExitStack

    def make_crm(self, **options: Any) -> CRM:
        """Return a CRM on an empty database.

        Args:
            options: to be passed on to `CRM(...)`; `plugins` among them, to which yours may be added.
        """
        raise NotImplementedError(
            f"{type(self).__name__} needs make_crm(self, **options), which returns a CRM"
        )

    @cached_property
    def crm(self) -> CRM:
        """The CRM of this test, its tables created."""
        crm = self.make_crm(clock=self.clock, strict=True, plugins=[Probe(), RecordingChannel()])
        crm.create_tables()
        self._closing.callback(crm.engine.dispose)
        return crm

    @contextmanager
    def staged(self, folder: Path) -> Iterator[None]:
        """Give the test its CRM when it is first asked for, and close it afterwards."""
        with super().staged(folder), ExitStack() as self._closing:
            yield

    def order(self, key: str = "A1", *, price: int = 1000, email: str = "ann@example.com") -> Order:
        """Return an order of one line, placed now."""
        line = OrderLine("TEA", 2, Money(price, "GBP"), tax=Money(price // 6, "GBP"), name="Earl Grey")
        return Order(
            key, (line,), placed_at=self.clock(), points=(ContactPoint.email(email),), name="Ann Example"
        )

    def levels(self) -> Iterator[tuple[str, CRM]]:
        """Yield each isolation level with a CRM that works at it; the database's own comes first."""
        yield "the default isolation level", self.crm
        for level in self.isolation_levels:
            at = copy.copy(self.crm)
            at.engine = self.crm.engine.execution_options(isolation_level=level)
            yield level, at

    def together(self, *functions: Callable[[], T]) -> list[T | Exception]:
        """Call functions in a thread each, at the same time; return what each returned or raised."""
        found: dict[int, T | Exception] = {}
        start = threading.Barrier(len(functions))

        def run(place: int, function: Callable[[], T]) -> None:
            start.wait(10)
            try:
                found[place] = function()
            except Exception as error:
                found[place] = error

        threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(functions)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return [found.get(place, TimeoutError("it never ended")) for place in range(len(functions))]

    def rows(self) -> dict[str, int]:
        """Return how many rows each of the CRM's tables has."""
        with self.crm.engine.connect() as connection:
            return {
                name: connection.execute(select(func.count()).select_from(one)).scalar_one()
                for name, one in self.crm.tables.items()
            }

    def same(self, number: int, what: str, expected: object, found: object) -> None:
        """Raise that a law is broken unless both sides are equal."""
        if expected != found:
            raise self.broken(number, expected=f"{what}: {expected!r}", found=repr(found))

    def refused(
        self, number: int, what: str, error: type[CrmkitError], step: Callable[[Transaction], object]
    ) -> None:
        """Raise that a law is broken unless a step raises the error, and leaves nothing when others go on."""
        before = self.rows()
        try:
            with self.crm.begin() as tx:
                found = self._caught(error, step, tx)
        except Exception as other:
            found = f"it raised {said(other)}"
        if found:
            raise self.broken(number, expected=f"{what} raises {error.__name__}", found=found)
        self.same(number, f"{what} changes nothing, rows by table", before, self.rows())

    def _caught(
        self, error: type[CrmkitError], step: Callable[[Transaction], object], tx: Transaction
    ) -> str:
        try:
            return f"it returned {step(tx)!r}"
        except error:
            return ""

    def later(self) -> None:
        """Let an hour pass."""
        self.clock.advance(timedelta(hours=1))


class Probe:
    """A plugin with a table that has a column of every type."""

    @hookimpl
    def crmkit_tables(self, metadata: MetaData) -> None:
        """Add the table."""
        table(
            metadata,
            "probe_values",
            Column("id", Id(), primary_key=True),
            column("text", Text(100), null=True),
            column("long", Text(), null=True),
            column("at", Instant(), null=True),
            column("amount", Minor(), null=True),
            column("data", Json(), null=True),
        )
