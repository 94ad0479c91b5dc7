"""What a row of the host's table says of a contact; what no contact can hold is left out, never an error."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import attrs

from crmkit.contacts import NAME_LIMIT, Contact, ContactPoint, PointKind, PostalAddress
from crmkit.errors import ValueRefused
from crmkit.sql.mapped.columns import FIELDS, ColumnMap, PointColumns
from crmkit.text import nfc

_CONVERT: dict[str, Any] = {
    field.name: field.converter for field in attrs.fields(Contact) if field.name in FIELDS and field.converter
}
_DEFAULT = {field.name: field.default for field in attrs.fields(Contact)}
_NAMES = ("name", "given_name", "family_name")
_FLAGS = ("business", "internal")


def read_fields(columns: ColumnMap, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a contact that the row holds.

    Args:
        columns: the column map.
        row: values by the columns' names.
    """
    found = {field: read_field(field, row[column]) for field, column in columns.fields.items()}
    if "name" not in found:
        whole = f"{found.get('given_name', '')} {found.get('family_name', '')}".strip()
        if whole:  # else the CRM's own counts
            found["name"] = whole[:NAME_LIMIT]
    return found


def read_field(field: str, value: Any) -> Any:
    """Return a field of a contact as the host's column holds it, or its default where that is no such value."""
    if value is None:
        return _DEFAULT[field]
    if field in _FLAGS:
        return bool(value)
    if field == "birth_date":
        value = value.date() if isinstance(value, datetime) else value
        return _converted(field, value if isinstance(value, (date, str)) else str(value))
    text = value if isinstance(value, str) else str(value)
    return _converted(field, _printable(text)[:NAME_LIMIT] if field in _NAMES else text)


def _converted(field: str, value: Any) -> Any:
    try:
        return _CONVERT[field](value)
    except ValueError:  # which ValueRefused is too
        return _DEFAULT[field]


def _printable(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    kept = "".join(" " if char < " " or char == "\x7f" else char for char in text)
    kept = "".join(char for char in kept if not "\ud800" <= char <= "\udfff")
    try:
        return nfc(kept, "name")
    except ValueRefused:
        return ""


def read_points(columns: ColumnMap, row: Mapping[str, Any], region: str) -> tuple[ContactPoint, ...]:
    """Return the contact points that the row holds, each once.

    Args:
        columns: the column map.
        row: values by the columns' names.
        region: the country of phone numbers without `+`.
    """
    found = (read_point(point, row, region) for point in columns.points)
    return tuple(dict.fromkeys(point for point in found if point is not None))


def read_point(where: PointColumns, row: Mapping[str, Any], region: str) -> ContactPoint | None:
    """Return the contact point that stands in a row's columns, or None if there is none that can be one."""
    if "" not in where.columns:
        parts = tuple((part, _text(row[column])) for part, column in where.columns.items())
        point = _postal(parts) if any(value for _, value in parts) else None
    else:
        value = row[where.column]
        point = (
            None if value is None or value == "" else _parsed(where.kind, where.scope, _text(value), region)
        )
    return point.with_(label=where.label) if point is not None and where.label else point


def _text(value: Any) -> str:
    return "" if value is None else str(value)


@lru_cache(maxsize=10_000)
def _parsed(kind: PointKind, scope: str, text: str, region: str) -> ContactPoint | None:
    # no cache of what the host's table holds, but of what a text comes to: the same each time
    try:
        if kind is PointKind.EMAIL:
            return ContactPoint.email(text.rstrip(" "))
        if kind is PointKind.PHONE:
            return ContactPoint.phone(text, region or None)
        if kind is PointKind.POSTAL:
            return ContactPoint.postal(text)
        if kind is PointKind.HANDLE:
            return ContactPoint.handle(scope, text)
        return ContactPoint.external(scope, text)
    except ValueError:
        return None


@lru_cache(maxsize=1_000)
def _postal(parts: tuple[tuple[str, str], ...]) -> ContactPoint | None:
    values = dict(parts)
    if len(values.get("country", "")) != 2:
        values.pop("country", None)  # some tables have the country's name there
    try:
        return ContactPoint.postal(PostalAddress(**values))
    except ValueError:
        return None
