"""Fields and points as the columns of the host's table take them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Any

import attrs
from sqlalchemy import Column, String

from crmkit.contacts import ContactPoint, PointKind, PostalAddress
from crmkit.errors import ValueRefused
from crmkit.sql.mapped.columns import PointColumns
from crmkit.sql.mapped.keys import HostKeys
from crmkit.sql.mapped.table import HostTable


def column_value(column: Column[Any], value: Any) -> Any:
    """Return a field's value as a column takes it.

    Raises:
        ValueRefused: if a text is longer than the column.
    """
    if value is None or (value == "" and column.nullable and not isinstance(value, bool)):
        return None if column.nullable else blank(column)
    if isinstance(value, bool):
        return value if _python(column) is bool else int(value)
    if isinstance(value, date):
        return value if issubclass(_python(column), date) else value.isoformat()
    if isinstance(value, StrEnum):
        value = str(value)
    length = getattr(column.type, "length", None)
    if isinstance(column.type, String) and length is not None and len(value) > length:
        raise ValueRefused(f"column {column} keeps {length} characters, and the value has {len(value)}")
    return value


def blank(column: Column[Any]) -> Any:
    """Return what an empty value is in a column: NULL, or where that is not allowed an empty text."""
    if column.nullable:
        return None
    return "" if issubclass(_python(column), str) else None


def _python(column: Column[Any]) -> type:
    try:
        return column.type.python_type
    except NotImplementedError:
        return str


def point_values(
    host: HostTable, points: Sequence[ContactPoint]
) -> tuple[dict[str, Any], tuple[ContactPoint, ...]]:
    """Return the values of columns that hold points in a new row, and the points that found a column."""
    values: dict[str, Any] = {}
    placed: list[ContactPoint] = []
    for point in points:
        for place in host.columns.by_kind(point.kind, point.scope):
            if not values.keys() & set(place.columns.values()) and (own := _values(host, place, point)):
                values |= own
                placed.append(point)
                break
    for where in host.columns.points:
        for name in where.columns.values():
            if name not in values and not host.column(name).primary_key:
                empty = blank(host.column(name))
                values |= {name: empty} if empty == "" else {}
    return values, tuple(placed)


def _values(host: HostTable, place: PointColumns, point: ContactPoint) -> dict[str, Any]:
    """Return the values by which a point stands in its columns; nothing if it cannot."""
    if point.kind is PointKind.POSTAL and "" not in place.columns:
        given = attrs.asdict(point.parts) if point.parts is not None else {}
        if point.parts is None or any(value and part not in place.columns for part, value in given.items()):
            return {}
        return {name: column_value(host.column(name), given[part]) for part, name in place.columns.items()}
    column = host.column(place.column)
    if point.kind is PointKind.EXTERNAL:
        found = HostKeys("", (column,)).values(point.key)
        return {} if found is None else {place.column: found[0]}
    if point.kind is PointKind.POSTAL and isinstance(point.parts, PostalAddress):
        return {}  # the parts would be lost
    length = getattr(column.type, "length", None)
    return {} if length is not None and len(point.value) > length else {place.column: point.value}
