"""How tables are declared, the core's and those of plugins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Column, Index, MetaData, Table, UniqueConstraint

from crmkit.errors import ConfigError

#: The key of `info` under which tables and columns say what they are to crmkit.
INFO = "crmkit"
MERGE = "crmkit merge"


def new_metadata(schema: str | None) -> MetaData:
    """Return metadata of the CRM's own, for tables in a schema or in the connection's default one."""
    return MetaData(schema=schema)


def set_prefix(metadata: MetaData, prefix: str) -> None:
    """Record in the metadata under which prefix `table` names tables from now on."""
    if not prefix.isidentifier() or not prefix.isascii() or len(prefix) > 20:
        raise ConfigError(f"prefix {prefix!r} must be 1 to 20 ASCII letters, digits and underscores")
    metadata.info[INFO] = {"prefix": prefix, "tables": {}}


#: How the rows of merged contacts read as those of one: a word, or a function from all rows to those that count.
Merge = str | Callable[[Sequence[Any]], Sequence[Any]]
MERGES = ("union", "survivor", "sum")


def table(metadata: MetaData, name: str, *columns: Any, merge: Merge = "union") -> Table:
    """Add a table to the CRM's metadata under its prefix.

    Args:
        metadata: what `crmkit_tables` was given.
        name: the table's name without the prefix; a plugin starts it with its own name.
        columns: columns of the types in `crmkit.sql`, constraints, and `index(...)`.
        merge: how rows of contacts that were merged read as those of one: "union" for all of them, "survivor" for
            those of the contact that goes on (of another where it has none), "sum", or a function.

    Raises:
        ConfigError: if two plugins claim the name, or `merge` is none of these.
    """
    info = metadata.info[INFO]
    if name in info["tables"]:
        raise ConfigError(f"table {name!r} is defined twice; start a plugin's tables with the plugin's name")
    if not callable(merge) and merge not in MERGES:
        raise ConfigError(
            f"table {name!r}: merge is {merge!r}; must be one of {', '.join(MERGES)} or a function"
        )
    full = info["prefix"] + name
    made = metadata.tables.get(f"{metadata.schema}.{full}" if metadata.schema else full)
    if made is None:
        made = _made(metadata, full, columns)
        made.info[MERGE] = merge
    elif INFO not in made.info:
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
        info={INFO: full},
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
    return dict(metadata.info[INFO]["tables"])


def column(name: str, type_: Any, *, null: bool = False, holds: str = "") -> Column[Any]:
    """Return a column, NOT NULL unless said otherwise.

    Args:
        name: the column's name.
        type_: one of the types in `crmkit.sql`.
        null: whether it may be NULL; an open end is the greatest instant instead.
        holds: "subject" for a contact's id, "personal" for a value that erasure clears, else empty.
    """
    return Column(name, type_, nullable=null, info={INFO: holds} if holds else {})
