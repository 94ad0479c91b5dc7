"""The contacts of a mapped store in SQL: the host's rows LEFT JOIN the CRM's own, and those the host has no row for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    FromClause,
    Select,
    Table,
    case,
    cast,
    exists,
    func,
    literal,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy import types as sqltypes

from crmkit.clock import FOREVER
from crmkit.sql.aliases import is_loser
from crmkit.sql.connection import Sql
from crmkit.sql.contacts import FIELD_COLUMNS
from crmkit.sql.mapped.keys import as_text, binary
from crmkit.sql.mapped.table import HostTable
from crmkit.sql.source import ContactSource
from crmkit.sql.types import Instant, Minor, Text

_FLAGS = ("business", "internal")
_HOST, _GUEST = "h", "g"
#: The parts of a postal address that can be asked, by their names there.
_PARTS = {"country": "country", "locality": "city", "postcode": "postcode"}


def key_of(key: str) -> str | None:
    """Return the primary key of the host's row that a `ContactSource.key` stands for; None if it is no such row."""
    return key[1:] if key.startswith(_HOST) else None


def row_key(pk: str) -> str:
    """Return the `ContactSource.key` of the host's row with a primary key; what `key_of` takes apart."""
    return _HOST + pk


def mapped_source(sql: Sql, host: HostTable) -> ContactSource:
    """Return where the contacts can be asked in SQL.

    Args:
        sql: the transaction's connection.
        host: the host's table.
    """
    rows = _every(sql, host, _goes_on).subquery("crm_source")
    fields = {name: rows.c[name] for name in (*FIELD_COLUMNS, *_places(host))}

    def others() -> FromClause:
        return _every(sql, host, is_loser).subquery("crm_others")

    return ContactSource(rows, rows.c.id, rows.c.key, fields, others=others)


#: Makes of a contact's id the condition for its row.
_Which = Callable[[Table, ColumnElement[Any]], ColumnElement[bool]]


def _every(sql: Sql, host: HostTable, which: _Which) -> CompoundSelect[Any]:
    return union_all(_host_rows(sql, host, which), _guests(sql, host, which))


def _host_rows(sql: Sql, host: HostTable, which: _Which) -> Select[Any]:
    links, sides = sql.tables["contact_hosts"], sql.tables["contacts"]
    pk = host.keys.sql(sql.database)
    joined = host.table.outerjoin(links, (links.c.store == host.keys.store) & (links.c.pk == pk)).outerjoin(
        sides, sides.c.id == links.c.contact_id
    )
    fields = [_field(sql, host, sides, name).label(name) for name in FIELD_COLUMNS]
    fields += [
        _place(sql, host.column(name), part, links.c.contact_id).label(part)
        for part, name in _places(host).items()
    ]
    key = binary(literal(_HOST, sqltypes.Text()) + type_coerce(pk, sqltypes.Text()), sql.database)
    return (
        select(links.c.contact_id.label("id"), key.label("key"), *fields)
        .select_from(joined)
        .where(*host.where, which(sql.tables["contact_aliases"], links.c.contact_id))
    )


def _guests(sql: Sql, host: HostTable, which: _Which) -> Select[Any]:
    links, own = sql.tables["contact_hosts"], sql.tables["contacts"]
    if sql.database == "postgresql":
        hexed: Any = func.replace(cast(own.c.id, sqltypes.Text()), "-", "", type_=sqltypes.Text())
    else:
        hexed = func.lower(func.hex(own.c.id), type_=sqltypes.Text())
    key = binary(literal(_GUEST, sqltypes.Text()) + hexed, sql.database)
    fields = [own.c[name].label(name) for name in FIELD_COLUMNS]
    fields += [_own_place(sql, part, own.c.id).label(part) for part in _places(host)]
    return select(own.c.id.label("id"), key.label("key"), *fields).where(
        ~exists().where(links.c.contact_id == own.c.id), which(sql.tables["contact_aliases"], own.c.id)
    )


def _places(host: HostTable) -> dict[str, str]:
    """Return which columns of the host's hold the parts of the first postal address that can be asked."""
    postal = next((point for point in host.columns.points if _PARTS.keys() & point.columns.keys()), None)
    return (
        {}
        if postal is None
        else {_PARTS[part]: name for part, name in postal.columns.items() if part in _PARTS}
    )


def _place(sql: Sql, column: Any, part: str, id: ColumnElement[Any]) -> ColumnElement[Any]:
    given: ColumnElement[Any] = type_coerce(as_text(column, sql.database), sqltypes.Text())
    if part == "country":  # a name is no country of a postal address
        given = case((func.length(given) == 2, func.upper(given)), else_="")
    text = func.coalesce(func.nullif(given, ""), _own_place(sql, part, id), "")
    return type_coerce(binary(text, sql.database), Text())


def _own_place(sql: Sql, part: str, id: ColumnElement[Any]) -> ColumnElement[Any]:
    points = sql.tables["contact_points"].alias()
    first = select(points.c[part]).where(
        points.c.contact_id == id, points.c.kind == "postal", points.c.ordinal >= 0
    )
    found = first.order_by(points.c.is_primary.desc(), points.c.ordinal).limit(1).scalar_subquery()
    return type_coerce(func.coalesce(found, ""), Text())


def _goes_on(aliases: Table, id: ColumnElement[Any]) -> ColumnElement[bool]:
    return ~is_loser(aliases, id)


def _field(sql: Sql, host: HostTable, sides: Table, name: str) -> ColumnElement[Any]:
    if name not in host.columns.fields:
        names = [part for part in ("given_name", "family_name") if part in host.columns.fields]
        if name == "name" and names:
            return _whole_name(sql, host, names)
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
    default: Any = "person" if name == "kind" else ""
    if isinstance(column.type, Instant):
        default = FOREVER
    elif isinstance(column.type, Minor):
        default = 0
    return type_coerce(func.coalesce(column, literal(default, column.type)), column.type)


def _whole_name(sql: Sql, host: HostTable, parts: list[str]) -> ColumnElement[Any]:
    given = [
        type_coerce(
            func.coalesce(as_text(host.column(host.columns.fields[part]), sql.database), ""), sqltypes.Text()
        )
        for part in parts
    ]
    joined = given[0] + " " + given[1] if len(given) == 2 else given[0]
    return binary(func.trim(joined), sql.database)


def _or(text: ColumnElement[Any], default: str, database: str) -> ColumnElement[Any]:
    found = func.coalesce(func.nullif(text, ""), default)
    return type_coerce(binary(found, database), Text())


def _no(column: Any) -> Any:
    return False if isinstance(column.type, sqltypes.Boolean) else 0
