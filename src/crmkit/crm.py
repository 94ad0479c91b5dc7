"""The CRM: built once, frozen from then on; several may live in one process."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import attrs

from crmkit.clock import Clock, IdSource, system_clock
from crmkit.delivery import Report, release, replay, run_due
from crmkit.errors import ConfigError, RetryTransaction, SchemaError
from crmkit.hooks import Hooks
from crmkit.plugins import PluginRecord, load
from crmkit.registry import Registry, build_registry
from crmkit.settings import CoreSettings, Secret, build_settings
from crmkit.signals import Signals
from crmkit.sql import borrow, owned
from crmkit.sql import schema as installation
from crmkit.sql.contacts import OwnContacts
from crmkit.sql.failures import FailureRow, read_failures
from crmkit.sql.layout import core_tables
from crmkit.sql.tables import new_metadata, set_prefix, tables_of
from crmkit.stores import ContactStore
from crmkit.templates import Template
from crmkit.transaction import Transaction

if TYPE_CHECKING:
    from sqlalchemy import Engine, MetaData, Table

T = TypeVar("T")


class Deliver(StrEnum):
    """What `run_due` does with deliveries that are due."""

    SEND = "send"  #: sends them, if the database stands where it was stamped
    HOLD = "hold"  #: holds them: for copies of production
    LOG = "log"  #: holds them, and logs what would have been sent


class CRM:
    """A customer database inside the host's own.

    Args:
        target: a database URL or the host's SQLAlchemy Engine.
        plugins: names of installed plugins, or plugin objects, in the order in which they are asked.
        settings: by plugin name; the core's own under "core".
        clock: gives the present instant.
        strict: whether failures that are otherwise isolated and recorded are raised.
        deliver: "send", "hold" or "log".
        templates: the host's own message templates; they win over a plugin's of the same name and locale.
        prefix: what the tables' names begin with.
        schema: the database schema that holds the tables, or None for the connection's own.
        metadata: the host's MetaData, if its Alembic is to keep the tables.

    Raises:
        ConfigError: if a plugin or a setting is wrong; the message says which, and what would be right.
    """

    def __init__(
        self,
        target: str | Engine,
        *,
        plugins: Sequence[str | object] = (),
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        clock: Clock = system_clock,
        strict: bool = False,
        deliver: Deliver | str = Deliver.SEND,
        templates: Iterable[Template] = (),
        prefix: str = "crm_",
        schema: str | None = None,
        metadata: MetaData | None = None,
    ) -> None:
        if schema is not None and metadata is not None:
            raise ConfigError(
                "give schema= or metadata=, not both: tables in the host's metadata have its schema"
            )
        if settings is not None and not isinstance(settings, Mapping):
            raise ConfigError(f"settings must be a mapping by plugin name, not {type(settings).__name__}")
        given = dict(settings or {})
        self.settings = build_settings(CoreSettings, given.pop("core", {}), "settings['core']")
        self.clock = clock
        self.strict = strict
        self.deliver = Deliver(deliver)
        self.new_id: Callable[[], UUID] = IdSource(clock)
        loaded = load(plugins, given)
        self.plugins: tuple[PluginRecord, ...] = tuple(one.record for one in loaded)
        self.hooks = Hooks.build(loaded, strict=strict)
        self.registry: Registry = build_registry(self.hooks, templates=templates)
        self.store: ContactStore = self.registry.store.value if self.registry.store else OwnContacts()
        self.signals = Signals()
        self.engine = owned.engine_for(target)
        self._owner = installation.BY_CRM if metadata is None else installation.BY_HOST
        self.metadata = metadata if metadata is not None else new_metadata(schema)
        self.tables: Mapping[str, Table] = MappingProxyType(self._define_tables(prefix))
        self._secrets = tuple(_secrets(self.settings)) + tuple(
            secret for one in loaded for secret in _secrets(getattr(one.plugin, "settings", None))
        )
        self.hooks.startup(self)

    @contextmanager
    def begin(self, *, actor: str = "system") -> Iterator[Transaction]:
        """Give a transaction on a connection of the CRM's own; commit at the end, roll back on an exception.

        Args:
            actor: who acts: "system", "staff:NAME", "contact:ID" or "plugin:NAME".

        Raises:
            RetryTransaction: if the database gave precedence to another transaction; `transact` repeats.
        """
        connection = owned.begin(self.engine)
        try:
            with Transaction(self, connection, actor) as tx:
                sql = tx.sql
                yield tx
                sql.check()  # PostgreSQL would roll a failed transaction back and call that a commit
            owned.commit(connection)
        finally:
            connection.close()

    def transact(
        self, function: Callable[[Transaction], T], *, attempts: int = 5, actor: str = "system"
    ) -> T:
        """Call a function with a transaction of its own, again if the database asks for it; return its result.

        Args:
            function: called with the transaction; everything it does is undone before it is called again.
            attempts: how often at most.
            actor: as for `begin`.

        Raises:
            RetryTransaction: if the last attempt failed as well.
        """
        for attempt in range(1, attempts + 1):
            try:
                with self.begin(actor=actor) as tx:
                    return function(tx)
            except RetryTransaction:
                if attempt == attempts:
                    raise
                time.sleep(random.uniform(0, 0.01 * 2**attempt))
        raise AssertionError("attempts must be at least 1")

    def join(self, target: Any, *, actor: str = "system") -> Transaction:
        """Return a transaction that works inside the one the host has open, and never ends it.

        What is recorded through it is committed or rolled back with the host's own rows.

        Args:
            target: the host's SQLAlchemy Session or Connection, or its driver's connection.
            actor: as for `begin`.

        Raises:
            TransactionRequired: if the host has not begun a transaction; the message says how.
        """
        return Transaction(self, borrow.borrow(target), actor)

    def run_due(self, *, relay: str = "default", limit: int = 1000, lease: timedelta | None = None) -> Report:
        """Do what is due: number events, relay signals, run jobs, send deliveries.

        Call it from a worker, a cron job, a thread or a task queue, as often and in as many as you like.

        Args:
            relay: the name under which this process follows the log; each name hears of every event.
            limit: at most how many deliveries are sent.
            lease: how long a claim holds if this process dies; by default the settings'.
        """
        return run_due(self, relay=relay, limit=limit, lease=lease or self.settings.lease)

    def create_tables(self) -> None:
        """Create the tables that are missing; calling it again changes nothing.

        Raises:
            SchemaError: if the tables are kept by another owner, such as the host's Alembic.
        """
        if self._owner != installation.BY_CRM:
            raise SchemaError(
                "this CRM's tables are in the host's metadata, so the host's own migrations create them; "
                "call crm.adopt() once afterwards"
            )
        with self.engine.begin() as connection:
            installation.create_tables(connection, self.metadata, self.tables, self.place)

    @property
    def place(self) -> str:
        """What this deployment is known by: the setting `installation`, or where the database stands."""
        return self.settings.installation or owned.place(self.engine)

    def adopt(self) -> None:
        """Stamp the database as belonging here, so that messages are sent from here from now on.

        To be called after the host's own migrations created the tables, or after production has moved.
        """
        with self.begin() as tx:
            installation.adopt(tx.sql, self._owner, self.place)

    def failures(self, *, limit: int = 100) -> list[FailureRow]:
        """Return what plugins' code failed at, the latest first."""
        with self.begin() as tx:
            return read_failures(tx.sql, limit)

    def replay(self, *ids: UUID) -> int:
        """Queue dead, rejected, expired or unknown deliveries again; return how many.

        Args:
            ids: which; all dead ones when none is named.
        """
        return replay(self, ids)

    def release(self, *ids: UUID) -> int:
        """Queue held deliveries, finding their addresses anew; return how many.

        Args:
            ids: which; all held ones when none is named.
        """
        return release(self, ids)

    def redact(self, text: str) -> str:
        """Return the text with every secret of the settings replaced by stars."""
        for secret in sorted((secret.reveal() for secret in self._secrets), key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def _define_tables(self, prefix: str) -> dict[str, Table]:
        set_prefix(self.metadata, prefix)
        core_tables(self.metadata)
        self.hooks.tables(self.metadata)
        return tables_of(self.metadata)

    def __repr__(self) -> str:
        names = ", ".join(record.name for record in self.plugins) or "no plugins"
        return f"<CRM at {owned.place(self.engine)}, {names}>"


def _secrets(settings: Any) -> Iterator[Secret]:
    if isinstance(settings, Secret):
        if len(settings.reveal()) >= 4:
            yield settings
    elif attrs.has(type(settings)):
        for field in attrs.fields(type(settings)):
            yield from _secrets(getattr(settings, field.name, None))
