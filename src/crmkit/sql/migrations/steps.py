"""The steps of a revision; each looks first, so that a revision that broke off can be run again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs
from alembic import op
from sqlalchemy import Column, Index, Inspector, MetaData, Table, inspect, text
from sqlalchemy.schema import CreateIndex, CreateTable

from crmkit.clock import FOREVER, micros
from crmkit.errors import SchemaError
from crmkit.sql import tables
from crmkit.sql.types import Id, Instant, Json, Minor, Text

OPTION = "crmkit"


@attrs.frozen
class Place:
    """Where the tables of an installation stand.

    Args:
        prefix: what the tables' names begin with.
        schema: the database schema that holds them, or None for the connection's own.
        inspector: tells what is there; None where only SQL is to be printed and nothing is known.
    """

    prefix: str
    schema: str | None
    inspector: Inspector | None = None

    def has_table(self, full: str) -> bool:
        """Tell whether a table is there."""
        return self.inspector is not None and self.inspector.has_table(full, schema=self.schema)

    def has_column(self, full: str, name: str) -> bool:
        """Tell whether a table has a column."""
        if self.inspector is None or not self.has_table(full):
            return False
        return any(one["name"] == name for one in self.inspector.get_columns(full, schema=self.schema))

    def has_index(self, full: str, name: str) -> bool:
        """Tell whether a table has an index."""
        if self.inspector is None or not self.has_table(full):
            return False
        return any(one["name"] == name for one in self.inspector.get_indexes(full, schema=self.schema))


def create_table(name: str, *columns: Any) -> None:
    """Create a table with its indexes.

    Args:
        name: without the prefix.
        columns: as for `crmkit.sql.table`.
    """
    place = _place()
    metadata = MetaData(schema=place.schema)
    tables.set_prefix(metadata, place.prefix)
    made = tables.table(metadata, name, *columns)
    if not place.has_table(made.name):
        op.execute(CreateTable(made))
    for one in sorted(made.indexes, key=lambda one: str(one.name)):
        _create_index(place, one)


def add_column(name: str, column: Column[Any], *, value: Any = None) -> None:
    """Add a column to a table.

    Args:
        name: of the table, without the prefix.
        column: made by `crmkit.sql.column`.
        value: what rows that are there hold; by default the empty value of the column's type, or NULL.
    """
    place = _place()
    full = place.prefix + name
    if place.has_column(full, column.name):
        return
    if not column.nullable:
        column.server_default = _default(column, value)
    op.add_column(full, column, schema=place.schema)


def create_index(name: str, label: str, *columns: str) -> None:
    """Create an index of a table.

    Args:
        name: of the table, without the prefix.
        label: of the index, within the table.
        columns: in order.
    """
    place = _place()
    full = place.prefix + name
    table = Table(full, MetaData(schema=place.schema), *(Column(one, Minor()) for one in columns))
    _create_index(place, Index(f"{full}_{label}", *(table.c[one] for one in columns)))


def change_rows(name: str, statement: str) -> None:
    """Change rows that are there; the statement must do no harm when it is run again.

    Args:
        name: of the table, without the prefix.
        statement: SQL that all three databases know, with {table} where the table's name stands, and {prefix}
            before that of another one.
    """
    place = _place()
    prefix = f"{place.schema}.{place.prefix}" if place.schema else place.prefix
    op.execute(text(statement.format(table=prefix + name, prefix=prefix)))


def _create_index(place: Place, index: Index) -> None:
    assert index.table is not None
    if not place.has_index(index.table.name, str(index.name)):
        op.execute(CreateIndex(index))


def _default(column: Column[Any], value: Any) -> Any:
    from sqlalchemy import DefaultClause

    empty: dict[type[Any], Any] = {Text: "", Minor: 0, Instant: FOREVER, Json: ""}
    wanted = empty.get(type(column.type)) if value is None else value
    if isinstance(wanted, datetime):
        wanted = micros(wanted)
    if isinstance(column.type, Id) or not isinstance(wanted, int | str):
        raise SchemaError(f"column {column.name!r} is NOT NULL, and rows that are there have no value for it")
    quoted = "'" + str(wanted).replace("'", "''") + "'"
    return DefaultClause(text(str(wanted) if isinstance(wanted, int) else quoted.replace(":", "\\:")))


def _place() -> Place:
    place: Place = op.get_context().opts[OPTION]
    bind = op.get_bind() if not op.get_context().as_sql else None
    return attrs.evolve(place, inspector=inspect(bind)) if bind is not None else place
