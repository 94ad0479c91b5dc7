"""The core's tables, and how a plugin adds its own beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Index, MetaData, PrimaryKeyConstraint, Table, UniqueConstraint

from crmkit.errors import ConfigError
from crmkit.sql.types import Id, Instant, Json, Minor, Text

_INFO = "crmkit"


def new_metadata(schema: str | None) -> MetaData:
    """Return metadata of the CRM's own, for tables in a schema or in the connection's default one."""
    return MetaData(schema=schema)


def set_prefix(metadata: MetaData, prefix: str) -> None:
    """Record in the metadata under which prefix `table` names tables from now on."""
    if not prefix.isidentifier() or not prefix.isascii() or len(prefix) > 20:
        raise ConfigError(f"prefix {prefix!r} must be 1 to 20 ASCII letters, digits and underscores")
    metadata.info[_INFO] = {"prefix": prefix, "tables": {}}


def table(metadata: MetaData, name: str, *columns: Any) -> Table:
    """Add a table to the CRM's metadata under its prefix.

    Args:
        metadata: what `crmkit_tables` was given.
        name: the table's name without the prefix; a plugin starts it with its own name.
        columns: columns of the types in `crmkit.sql`, constraints, and `index(...)`.

    Raises:
        ConfigError: if two plugins claim the name.
    """
    info = metadata.info[_INFO]
    if name in info["tables"]:
        raise ConfigError(f"table {name!r} is defined twice; start a plugin's tables with the plugin's name")
    full = info["prefix"] + name
    made = metadata.tables.get(f"{metadata.schema}.{full}" if metadata.schema else full)
    if made is None:
        made = _made(metadata, full, columns)
    elif _INFO not in made.info:
        raise ConfigError(f"the host's metadata has a table {full!r} of its own; choose another prefix")
    info["tables"][name] = made  # a CRM built again over the host's metadata finds its tables there
    return made


def _made(metadata: MetaData, full: str, columns: Sequence[Any]) -> Table:
    indexes = [column for column in columns if isinstance(column, tuple)]
    made = Table(
        full,
        metadata,
        *(column for column in columns if not isinstance(column, tuple)),
        mysql_engine="InnoDB",
        mariadb_engine="InnoDB",
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
        info={_INFO: full},
    )
    for label, names in indexes:
        Index(f"{full}_{label}", *(made.c[column] for column in names))
    return made


def index(label: str, *columns: str) -> tuple[str, tuple[str, ...]]:
    """Return an index for `table`: its label within the table, and its columns in order."""
    return label, columns


def unique(*columns: str) -> UniqueConstraint:
    """Return a unique key for `table`; its columns should be NOT NULL."""
    return UniqueConstraint(*columns)


def tables_of(metadata: MetaData) -> dict[str, Table]:
    """Return the CRM's tables by their names without the prefix."""
    return dict(metadata.info[_INFO]["tables"])


def column(name: str, type_: Any, *, null: bool = False, holds: str = "") -> Column[Any]:
    """Return a column, NOT NULL unless said otherwise.

    Args:
        name: the column's name.
        type_: one of the types in `crmkit.sql`.
        null: whether it may be NULL; an open end is the greatest instant instead.
        holds: "subject" for a contact's id, "personal" for a value that erasure clears, else empty.
    """
    return Column(name, type_, nullable=null, info={_INFO: holds} if holds else {})


def core_tables(metadata: MetaData) -> None:
    """Add the core's tables to the metadata."""
    _bookkeeping(metadata)
    _contacts(metadata)
    _events(metadata)
    _orders(metadata)
    _deliveries(metadata)


def _bookkeeping(metadata: MetaData) -> None:
    table(
        metadata,
        "installation",
        Column("name", Text(50), primary_key=True),
        column("value", Text(500)),
    )
    table(
        metadata,
        "cursors",
        Column("name", Text(100), primary_key=True),
        column("position", Minor()),
        column("lease_until", Instant()),
        column("holder", Id(), null=True),
    )
    table(
        metadata,
        "failures",
        Column("id", Id(), primary_key=True),
        column("at", Instant()),
        column("owner", Text(100)),
        column("what", Text(200)),
        column("subject", Text(255)),
        column("error", Text()),
    )


def _contacts(metadata: MetaData) -> None:
    table(
        metadata,
        "contacts",
        Column("id", Id(), primary_key=True, info={_INFO: "subject"}),
        column("kind", Text(20)),
        column("name", Text(300), holds="personal"),
        column("given_name", Text(300), holds="personal"),
        column("family_name", Text(300), holds="personal"),
        column("locale", Text(35)),
        column("zone", Text(64)),
        column("created_at", Instant()),
        column("updated_at", Instant()),
    )
    table(
        metadata,
        "contact_points",
        column("kind", Text(20)),
        column("scope", Text(64)),
        column("key", Text(255), holds="personal"),
        # 0 is the contact that the point resolves to; others who share it count up
        column("rank", Minor()),
        column("contact_id", Id(), holds="subject"),
        column("ordinal", Minor()),
        column("value", Text(), holds="personal"),
        column("added_at", Instant()),
        PrimaryKeyConstraint("kind", "scope", "key", "rank"),
        index("of", "contact_id", "ordinal"),
    )


def _events(metadata: MetaData) -> None:
    table(
        metadata,
        "events",
        Column("id", Id(), primary_key=True),
        column("type", Text(60)),
        column("version", Minor()),
        column("key", Text(255)),
        column("contact_id", Id(), null=True, holds="subject"),
        column("subject_id", Id(), null=True),
        column("actor", Text(100)),
        column("cause_id", Id(), null=True),
        column("occurred_at", Instant()),
        column("recorded_at", Instant()),
        # NULL until the numberer has seen the commit
        column("position", Minor(), null=True),
        column("data", Json()),
        unique("key"),
        index("position", "position", "id"),
        index("timeline", "contact_id", "occurred_at", "id"),
        index("subject", "subject_id", "id"),
    )
    table(
        metadata,
        "event_personal",
        Column("event_id", Id(), primary_key=True),
        column("data", Json(), holds="personal"),
    )


def _orders(metadata: MetaData) -> None:
    table(
        metadata,
        "orders",
        Column("id", Id(), primary_key=True),
        column("key", Text(100)),
        column("contact_id", Id(), null=True, holds="subject"),
        column("state", Text(20)),
        column("currency", Text(3)),
        column("total", Minor()),
        column("refunded", Minor()),
        column("placed_at", Instant()),
        column("paid_at", Instant()),
        column("shipped_at", Instant()),
        column("cancelled_at", Instant()),
        # the event that holds the lines as they stand: OrderRecorded or the last OrderAmended
        column("lines_event_id", Id()),
        unique("key"),
        index("of", "contact_id", "placed_at", "id"),
    )


def _deliveries(metadata: MetaData) -> None:
    table(
        metadata,
        "deliveries",
        Column("id", Id(), primary_key=True),
        column("key", Text(200)),
        column("channel", Text(30)),
        # the contact's id, or the address where one was named: who hears of a key, whatever address is in use
        column("recipient", Text(320), holds="personal"),
        column("address", Text(320), holds="personal"),
        column("contact_id", Id(), null=True, holds="subject"),
        column("topic", Text(100)),
        column("repeat", Text(20)),
        column("state", Text(20)),
        # the next instant at which a worker may look at it; the end of time once settled or held
        column("due_at", Instant()),
        column("expires_at", Instant()),
        column("queued_at", Instant()),
        column("attempt", Minor()),
        column("claim", Id(), null=True),
        column("reason", Text()),
        column("provider_id", Text(300)),
        column("name", Text(300), holds="personal"),
        column("locale", Text(35)),
        column("content", Json(), holds="personal"),
        unique("key", "channel", "recipient"),
        index("due", "due_at", "id"),
        index("state", "state", "queued_at", "id"),
    )
    table(
        metadata,
        "pauses",
        column("channel", Text(30)),
        column("scope", Text(20)),
        column("value", Text(320)),
        column("until", Instant()),
        column("reason", Text()),
        PrimaryKeyConstraint("channel", "scope", "value"),
    )
