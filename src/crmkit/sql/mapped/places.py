"""The postal address to use of a contact, in SQL: that of the host's columns, or the one that stands beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, false, func, literal, or_, select, type_coerce
from sqlalchemy import types as sqltypes

from crmkit.contacts import PointKind
from crmkit.sql.connection import Sql
from crmkit.sql.mapped.keys import as_text, binary
from crmkit.sql.mapped.table import HostTable
from crmkit.sql.types import Text

#: What is asked of the address, by its names in `contact_points`, and of what use it is: the greater, the more.
_PARTS = {"country": "country", "city": "locality", "postcode": "postcode"}
_USE = "address"
_NONE, _ANY, _PREFERRED = "", "1", "2"

Places = Mapping[str, ColumnElement[Any]]


def host_places(sql: Sql, host: HostTable, id: ColumnElement[Any]) -> Places:
    """Return what is asked of the address of a row of the host's; nothing where it is not in SQL.

    Args:
        sql: the transaction's connection.
        host: the host's table.
        id: the contact's id, NULL if nothing was written about it.
    """
    columns = host.columns.place()
    if columns is None:
        return {}
    every = {part: _given(sql, host.column(name), part) for part, name in columns.items()}
    given = {name: every.get(part, literal("", sqltypes.Text())) for name, part in _PARTS.items()}
    preferred = _is_preferred(sql, id, given)
    beside = guest_places(sql, host, id)
    is_used = and_(
        or_(false(), *(value != "" for value in every.values())), or_(preferred, beside[_USE] != _PREFERRED)
    )
    given[_USE] = case((preferred, _PREFERRED), else_=_ANY)
    return {name: _text(case((is_used, value), else_=beside[name]), sql) for name, value in given.items()}


def guest_places(sql: Sql, host: HostTable, id: ColumnElement[Any]) -> Places:
    """Return the same of the address that stands in the CRM's own table; arguments as for `host_places`."""
    if host.columns.place() is None:
        return {}
    c = sql.tables["contact_points"].alias().c
    first = _postal(c, id).where(c.ordinal >= 0).order_by(c.is_primary.desc(), c.ordinal).limit(1)
    used = {name: c[name] for name in _PARTS} | {_USE: case((c.is_primary == 1, _PREFERRED), else_=_ANY)}
    return {
        name: _text(func.coalesce(first.with_only_columns(value).scalar_subquery(), _NONE), sql)
        for name, value in used.items()
    }


def no_places(sql: Sql, host: HostTable) -> Places:
    """Return the same of somebody without an address."""
    names = () if host.columns.place() is None else (*_PARTS, _USE)
    return {name: _text(literal("", sqltypes.Text()), sql) for name in names}


def _given(sql: Sql, column: Any, part: str) -> ColumnElement[Any]:
    text: ColumnElement[Any] = func.coalesce(type_coerce(as_text(column, sql.database), sqltypes.Text()), "")
    if part != "country":
        return text
    length = func.length if sql.database == "sqlite" else func.char_length
    # a name is no country of a postal address
    return case((length(text) == 2, func.upper(text)), else_="")


def _is_preferred(sql: Sql, id: ColumnElement[Any], given: Places) -> ColumnElement[bool]:
    """Return the condition that the CRM's own table says of the host's address, as it is now, that it is primary."""
    c = sql.tables["contact_points"].alias().c
    details = _postal(c, id).where(c.ordinal < 0, c.is_primary == 1)
    return details.where(*(c[name] == value for name, value in given.items())).exists()


def _postal(c: Any, id: ColumnElement[Any]) -> Select[Any]:
    return select(c.ordinal).where(c.contact_id == id, c.kind == PointKind.POSTAL)


def _text(value: Any, sql: Sql) -> ColumnElement[Any]:
    return type_coerce(binary(value, sql.database), Text())
