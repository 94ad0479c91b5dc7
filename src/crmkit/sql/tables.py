"""How tables are declared, the core's and those of plugins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Column, Index, MetaData, Table, UniqueConstraint

from crmkit.errors import ConfigError
from crmkit.retention import RetentionPolicy

#: The key of `info` under which tables and columns say what they are to crmkit.
INFO = "crmkit"
MERGE = "crmkit merge"
#: Under which a table says what erasure does to its rows, and a column whose row it belongs to, or how it is cleared.
ERASE, OF, ERASED = "crmkit erase", "crmkit of", "crmkit erased"
#: Under which a table offers policies of retention.
RETAIN = "crmkit retain"

#: What a column can hold; see `column`.
HOLDS = ("", "subject", "personal", "address", "digest", "fact")
#: What erasing a contact can do to the rows of a table; see `table`.
ERASES = ("", "clear", "delete", "keep")
OWNED_BY = "crmkit owner"


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


def table(
    metadata: MetaData,
    name: str,
    *columns: Any,
    merge: Merge = "union",
    erase: str = "",
    retain: Sequence[RetentionPolicy] = (),
) -> Table:
    """Add a table to the CRM's metadata under its prefix.

    Args:
        metadata: what `crmkit_tables` was given.
        name: the table's name without the prefix; a plugin starts it with its own name.
        columns: columns of the types in `crmkit.sql`, constraints, and `index(...)`.
        merge: how rows of contacts that were merged read as those of one: "union" for all of them, "survivor" for
            those of the contact that goes on (of another where it has none), "sum", or a function.
        erase: what erasing a contact does to its rows: "clear" empties the columns that hold something personal,
            "delete" deletes the rows, "keep" leaves them, for what the law has kept. By default rows are deleted
            where a key or a digest is made of something personal, and cleared elsewhere.
        retain: policies of retention that the host may enable by name.

    Raises:
        ConfigError: if two plugins claim the name, or `merge` or `erase` is none of these.
    """
    if erase not in ERASES:
        raise ConfigError(f"table {name!r}: erase is {erase!r}; must be one of {', '.join(ERASES[1:])}")
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
        made.info |= {MERGE: merge, ERASE: erase, RETAIN: tuple(retain)}
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


def column(
    name: str,
    type_: Any,
    *,
    null: bool = False,
    holds: str = "",
    of: str = "",
    erased: Callable[[Any], Any] | None = None,
) -> Column[Any]:
    """Return a column, NOT NULL unless said otherwise.

    Args:
        name: the column's name.
        type_: one of the types in `crmkit.sql`.
        null: whether it may be NULL; an open end is the greatest instant instead.
        holds: "subject" for a contact's id; "personal" for a value that erasure clears; "address" for one that is
            an address, by which the rows of a contact are found as well; "digest" for one made of something
            personal under a secret; "fact" for a text that says nothing of a person; else empty.
        of: for a column with the id of a row of another table: that table. The row belongs to whom that one does.
        erased: given the row, returns what erasure leaves of the value; by default nothing is left.

    Raises:
        ConfigError: if `holds` is none of these.
    """
    if holds not in HOLDS:
        raise ConfigError(f"column {name!r}: holds is {holds!r}; must be one of {', '.join(HOLDS[1:])}")
    said = {INFO: holds, OF: of, ERASED: erased}
    return Column(name, type_, nullable=null, info={key: value for key, value in said.items() if value})
