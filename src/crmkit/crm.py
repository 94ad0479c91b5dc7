"""The CRM: built once, frozen from then on; several may live in one process."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from functools import cached_property, partial
from os import PathLike
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import attrs

from crmkit.clock import Clock, IdSource, system_clock
from crmkit.contacts import Contact
from crmkit.delivery import Report, release, replay, run_due
from crmkit.digests import digest
from crmkit.errors import ConfigError, RetryTransaction, SchemaError
from crmkit.expressions import Field
from crmkit.greeting import greeting
from crmkit.hooks import Hooks
from crmkit.plugins import PluginRecord, load
from crmkit.registry import Registry, build_registry
from crmkit.registry.faults import unread
from crmkit.settings import CoreSettings, Secret, build_settings
from crmkit.signals import Signals
from crmkit.sql import borrow, owned
from crmkit.sql import schema as installation
from crmkit.sql.choose import choose_store
from crmkit.sql.failures import FailureRow, read_failures
from crmkit.sql.layout import core_tables
from crmkit.sql.privacy import check_declared
from crmkit.sql.retention import resolve_policies
from crmkit.sql.secret import InstallationSecret
from crmkit.sql.tables import OWNED_BY, new_metadata, set_prefix, tables_of
from crmkit.sql.tenants import (
    refuse_other_database,
    refuse_shared,
    secret_of_tenant,
    store_of_tenant,
)
from crmkit.stages import rules_of
from crmkit.stores import ContactStore
from crmkit.templates import Template
from crmkit.tenants import check_tenants, place_of, tenant_name
from crmkit.transaction import Transaction

if TYPE_CHECKING:
    from sqlalchemy import Engine, MetaData, Table

    from crmkit.duplicates.review import DuplicateReport
    from crmkit.privacy.values import Erasure
    from crmkit.programmes import Programme

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
        contacts: the store that keeps contacts, such as `MappedContacts(...)`; by default the CRM's own tables, or
            what settings["contacts"] say of a table of the host's.
        fields: the host's own fields of contacts, for expressions; those without a source are custom fields.
        programmes: reward rules as declarations: TOML or JSON files, or `Programme`s.
        prefix: what the tables' names begin with.
        schema: the database schema that holds the tables, or None for the connection's own.
        metadata: the host's MetaData, if its Alembic is to keep the tables.
        tenants: where `for_tenant` finds each tenant's tables: a template of a schema such as "{tenant}", which is
            the default, or of a URL such as "sqlite:///data/{tenant}.db", or a function from the name to a URL or
            an Engine.
        tenant: whose CRM this is; `for_tenant` sets it.

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
        contacts: ContactStore | None = None,
        fields: Iterable[Field] = (),
        programmes: Iterable[Programme | str | PathLike[str]] = (),
        prefix: str = "crm_",
        schema: str | None = None,
        metadata: MetaData | None = None,
        tenants: str | Callable[[str], str | Engine] | None = None,
        tenant: str = "",
    ) -> None:
        self._tenants = check_tenants(tenants)
        #: Whose CRM this is; empty if it is not a tenant's.
        self.tenant = tenant_name(tenant) if tenant else ""
        self._of_tenants: dict[str, CRM] = {}
        self._building = Lock()
        own: dict[str, Any] = {"templates": tuple(templates), "fields": tuple(fields)}
        own["programmes"] = _programmes(programmes)
        shared: dict[str, Any] = {"plugins": plugins, "settings": settings, "clock": clock, "strict": strict}
        shared |= {"deliver": deliver, "prefix": prefix, **own}
        self._again: Callable[..., CRM] = partial(CRM, contacts=contacts, **shared)
        _check(settings, schema, metadata)
        given = dict(settings or {})
        given_contacts = given.pop("contacts", None)
        self.settings = build_settings(CoreSettings, given.pop("core", {}), "settings['core']")
        self.stage_rules = rules_of(self.settings)
        self.clock, self.strict, self.deliver = clock, strict, Deliver(deliver)
        self.new_id: Callable[[], UUID] = IdSource(clock)
        loaded = load(plugins, given)
        self.plugins: tuple[PluginRecord, ...] = tuple(one.record for one in loaded)
        #: The module of each plugin's class, by the plugin's name.
        self.modules = MappingProxyType({one.name: type(one.plugin).__module__ for one in loaded})
        self.hooks = Hooks.build(loaded, strict=strict)
        self.registry: Registry = build_registry(self.hooks, **own)
        self.store: ContactStore = choose_store(contacts, given_contacts, self.registry)
        if self.tenant:
            self.store = store_of_tenant(self.store, self.tenant, schema)
        _check_fields(self)
        self.signals = Signals()
        self.engine = owned.engine_for(target)
        self._owner = installation.BY_CRM if metadata is None else installation.BY_HOST
        self.metadata = metadata if metadata is not None else new_metadata(schema)
        self.tables: Mapping[str, Table] = MappingProxyType(self._define_tables(prefix))
        #: The policies of retention that the settings enable.
        self.retention = resolve_policies(self.settings.retention, self.tables)
        # of this database: a CRM of another schema or file has one of its own
        key = secret_of_tenant(self.settings.secret, self.tenant)
        self.secret = InstallationSecret(key, self.tables["installation"])
        theirs = [getattr(one.plugin, "settings", None) for one in loaded]
        self._secrets = tuple(secret for one in (self.settings, *theirs) for secret in _secrets(one))
        self.hooks.startup(self)

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """What expressions may ask of contacts, by name: the core's fields, the plugins' and the host's."""
        from crmkit.expressions.core import FieldTable, core_fields  # imported when first used

        others = [owned.value for owned in self.registry.fields.values()]
        purposes = [name for name, one in self.settings.purposes.items() if one.is_optional]
        core = core_fields(purposes, self.store.capabilities.points_elsewhere)
        return FieldTable((*core, *others), self.settings.currency)

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
            ConfigError: if this is a tenant's CRM and the connection is to another database.
        """
        connection = borrow.borrow(target)
        if self.tenant:
            refuse_other_database(connection, self.engine, self.tenant)
        return Transaction(self, connection, actor)

    def for_tenant(self, name: str) -> CRM:
        """Return the CRM of a tenant: the same plugins, settings and clock over tables that are the tenant's alone.

        It is built when it is first asked for and kept. Receivers of signals are connected to each one; a plugin's
        `crmkit_startup` is the place.

        Args:
            name: 1 to 40 small ASCII letters, digits and underscores, a letter first.

        Raises:
            ConfigError: if the name is none, or there is no place for the tenant's tables.
        """
        name = tenant_name(name)
        if self.tenant:
            raise ConfigError(
                f"this is the CRM of tenant {self.tenant!r}; ask the CRM that it was made from for {name!r}"
            )
        with self._building:
            if name not in self._of_tenants:
                self._of_tenants[name] = self._for_tenant(name)
            return self._of_tenants[name]

    def _for_tenant(self, name: str) -> CRM:
        sqlite = self.engine.dialect.name == "sqlite"
        # on MariaDB a schema is a database, so that the connection's own is taken as well
        taken = {self.schema, self.engine.url.database}
        place = place_of(self._tenants, name, sqlite=sqlite, taken=taken)
        made: CRM = self._again(
            place.target or self.engine,
            tenant=name,
            schema=place.schema,
        )
        crms = (self, *self._of_tenants.values())
        refuse_shared(name, made.engine, place.schema, [(one.tenant, one.engine, one.schema) for one in crms])
        made._owner = self._owner
        made.new_id = self.new_id
        return made

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
        self.read_secret()

    @property
    def place(self) -> str:
        """What this deployment is known by: the setting `installation`, or where the database stands."""
        return self.settings.installation or owned.place(self.engine) + (
            f"#{self.schema}" if self.tenant and self.schema else ""
        )

    @property
    def schema(self) -> str | None:
        """The schema that holds the tables, or None for the connection's own."""
        return self.tables["installation"].schema

    def adopt(self) -> None:
        """Stamp the database as belonging here, so that messages are sent from here from now on.

        To be called after the host's own migrations created the tables, or after production has moved. A secret of
        the settings that differs from the former one is taken for the right one: refusals kept under that are lost.
        """
        with self.begin() as tx:
            installation.adopt(tx.sql, self._owner, self.place)
            installation.mark_secret(tx.sql, tx.secret_mark)

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

    def greeting(self, contact: Contact, channel: str = "email", locale: str = "") -> str:
        """Return how to greet a contact; never by the first name without the permission to use it.

        Args:
            contact: who is greeted.
            channel: "letter", "email", the name of an enabled channel, or of another one.
            locale: the language to greet in; by default the contact's own.
        """
        owned = self.registry.channels.get(channel)
        by = owned.value.spec.address_kind if owned else channel
        return greeting(contact, by, locale, greetings=self.registry.greetings)

    def digest(self, purpose: str, value: str) -> bytes:
        """Return the HMAC of a personal value under the installation's secret, outside any transaction.

        Inside one call `tx.digest`, which needs no connection of its own.

        Args:
            purpose: what the digest is for; the same value has an unrelated digest under another purpose.
            value: the text, in the form in which it is compared.
        """
        return digest(self.read_secret(), purpose, value)

    def read_secret(self) -> Secret:
        """Return the key of digests and tokens: the settings' or the installation's own; outside any transaction."""
        known = self.secret.known
        if known is None:
            with self.engine.connect() as connection:
                known = self.secret.read(connection)
        if known is None:  # a database that was stamped before there were secrets
            known = self.transact(lambda tx: self.secret.within(tx.sql))
        return known

    def find_duplicates(
        self,
        *,
        merge: bool = False,
        progress: Callable[[str, int, int], None] | None = None,
        actor: str = "system",
    ) -> DuplicateReport:
        """Search all contacts for duplicates and put the pairs into the queue of `tx.duplicates`.

        Needs `pip install 'crmkit[duplicates]'`. It reads once, compares in memory and writes in short transactions;
        outside any other transaction.

        Args:
            merge: whether contacts that are one with the probability `duplicates_merge` are merged at once.
            progress: called with what is being done, how much of it is done, and how much there is or 0.
            actor: who merges, as for `begin`.

        Raises:
            ConfigError: if numpy or rapidfuzz is not installed.
        """
        from crmkit.transaction.duplicate_search import find_duplicates  # imported when first used

        return find_duplicates(self, merge=merge, progress=progress, actor=actor)

    def index_duplicates(self, *, progress: Callable[[str, int, int], None] | None = None) -> int:
        """Make the keys by which `tx.duplicates.check` finds contacts what they should be; return how many were wrong.

        crmkit keeps them up over its own tables. To be called after the secret of the settings changed, after an
        upgrade from a version without them, and now and then where the host's table holds the contacts.

        Args:
            progress: as for `find_duplicates`.
        """
        from crmkit.transaction.duplicate_search import index_duplicates  # imported when first used

        return index_duplicates(self, progress=progress)

    def erase(self, contact_id: UUID, *, reason: str = "", actor: str = "system") -> Erasure:
        """Erase what is personal of a contact, in a transaction of its own; doing it again changes nothing.

        Args:
            contact_id: who.
            reason: why; it is kept, so it should not say who.
            actor: as for `begin`.

        Raises:
            NotFound: if there is no such contact.
            ErasureHeld: if a legal hold keeps everything; nothing is erased.
        """
        return self.transact(lambda tx: tx.privacy.erase(contact_id, reason=reason), actor=actor)

    def redact(self, text: str) -> str:
        """Return the text with every secret of the settings, and the installation's, replaced by stars."""
        known = (*self._secrets, self.secret.known or Secret(""))
        for secret in sorted((secret.reveal() for secret in known if secret), key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def _define_tables(self, prefix: str) -> dict[str, Table]:
        set_prefix(self.metadata, prefix)
        core_tables(self.metadata)
        for added in self.hooks.tables(self.metadata):
            self.metadata.tables[added.value].info[OWNED_BY] = added.owner
        tables = tables_of(self.metadata)
        check_declared(tables)
        return tables

    def __repr__(self) -> str:
        names = ", ".join(record.name for record in self.plugins) or "no plugins"
        whose = f" of tenant {self.tenant}" if self.tenant else ""
        return f"<CRM{whose} at {owned.place(self.engine)}, {names}>"


def _check(settings: object, schema: str | None, metadata: MetaData | None) -> None:
    if schema is not None and metadata is not None:
        raise ConfigError(
            "give schema= or metadata=, not both: tables in the host's metadata have its schema"
        )
    if settings is not None and not isinstance(settings, Mapping):
        raise ConfigError(f"settings must be a mapping by plugin name, not {type(settings).__name__}")


def _programmes(given: Iterable[Programme | str | PathLike[str]]) -> tuple[Programme, ...]:
    if not given:
        return ()
    from crmkit.programmes import programmes  # brings in what few hosts need

    return programmes(given)


def _check_fields(crm: CRM) -> None:
    """Refuse rules that read fields which this CRM does not have; it must know them all before it is asked."""
    for rule in crm.registry.rules:
        if getattr(rule.value, "fields", ()) and (wrong := unread(rule.value, crm.fields)):
            raise ConfigError(f"{crm.hooks.label(rule.owner)}: {wrong}")


def _secrets(settings: Any) -> Iterator[Secret]:
    if isinstance(settings, Secret):
        if len(settings.reveal()) >= 4:
            yield settings
    elif attrs.has(type(settings)):
        for field in attrs.fields(type(settings)):
            yield from _secrets(getattr(settings, field.name, None))
