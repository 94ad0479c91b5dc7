"""The fields of a contact of a mapped table in SQL, as the columns of `contacts` hold them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Table, case, func, literal, type_coerce
from sqlalchemy import types as sqltypes

from crmkit.clock import FOREVER
from crmkit.sql.connection import Sql
from crmkit.sql.mapped.keys import as_text, binary
from crmkit.sql.mapped.table import HostTable
from crmkit.sql.types import Instant, Minor, Text

_FLAGS = ("business", "internal")


def host_field(sql: Sql, host: HostTable, sides: Table, name: str) -> ColumnElement[Any]:
    """Return a field of a row of the host's: of its column, or where it has none of what is kept beside it.

    Args:
        sql: the transaction's connection.
        host: the host's table.
        sides: the table `contacts`, joined to it.
        name: the field's column in `contacts`.
    """
    if name not in host.columns.fields:
        names = [part for part in ("given_name", "family_name") if part in host.columns.fields]
        if name == "name" and names:
            return _or(_whole_name(sql, host, names), _own(sides, name), sql.database)
        return _own(sides, name)
    column = host.column(host.columns.fields[name])
    if name in _FLAGS:
        given = column.is_not(None) & (column != _no(column))
        return type_coerce(case((given, 1), else_=0), Minor())
    text = as_text(column, sql.database)
    if name == "birth_date":
        text = binary(func.substr(text, 1, 10), sql.database)
    return _or(text, "person" if name == "kind" else "", sql.database)


def _own(sides: Table, name: str) -> ColumnElement[Any]:
    column = sides.c[name]
    return type_coerce(func.coalesce(column, _default(column)), column.type)


def no_field(sql: Sql, column: Any) -> ColumnElement[Any]:
    """Return what a column of `contacts` holds of somebody of whom nothing is known."""
    default = _default(column)
    return _or(default, "", sql.database) if isinstance(column.type, Text) else default


def _default(column: Any) -> ColumnElement[Any]:
    default: Any = "person" if column.name == "kind" else ""
    if isinstance(column.type, Instant):
        default = FOREVER
    elif isinstance(column.type, Minor):
        default = 0
    return literal(default, column.type)


def _whole_name(sql: Sql, host: HostTable, parts: list[str]) -> ColumnElement[Any]:
    given = [
        type_coerce(
            func.coalesce(as_text(host.column(host.columns.fields[part]), sql.database), ""), sqltypes.Text()
        )
        for part in parts
    ]
    joined = given[0] + " " + given[1] if len(given) == 2 else given[0]
    return binary(func.trim(joined), sql.database)


def _or(text: ColumnElement[Any], default: str | ColumnElement[Any], database: str) -> ColumnElement[Any]:
    found = func.coalesce(func.nullif(text, ""), default)
    return type_coerce(binary(found, database), Text())


def _no(column: Any) -> Any:
    return False if isinstance(column.type, sqltypes.Boolean) else 0
