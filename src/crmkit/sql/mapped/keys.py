"""Primary keys of the host's table: as text, as SQL that gives the same text, and as a contact's id."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid5

import attrs
from sqlalchemy import Column, ColumnElement, LargeBinary, Uuid, cast, func, type_coerce
from sqlalchemy import types as sqltypes
from sqlalchemy.dialects import mysql

from crmkit.errors import ValueRefused
from crmkit.sql.types import Text

_LIMIT = 255
_NAMESPACE = UUID("6f1d0c1e-7a55-5a0f-9d3c-3a4c8f5be2d1")
_WIDTH = 62  # bits that a version-8 UUID leaves for the number, beside 60 that tell the store
_HALF = 1 << (_WIDTH - 1)

#: What makes text binary in its comparisons, by database.
_COLLATION = {"postgresql": "C", "mariadb": "utf8mb4_nopad_bin", "sqlite": "BINARY"}


@attrs.frozen(eq=False, slots=False)
class HostKeys:
    """The primary key of a host's table.

    Args:
        store: the mapping's name.
        columns: of the primary key, in order.
    """

    store: str
    columns: tuple[Column[Any], ...]

    def text(self, values: Sequence[Any]) -> str:
        """Return a key as text.

        Raises:
            ValueRefused: if the text exceeds 255 characters.
        """
        parts = [_text(column, value) for column, value in zip(self.columns, values, strict=True)]
        text = parts[0] if len(parts) == 1 else "/".join(map(_escaped, parts))
        if len(text) > _LIMIT:
            raise ValueRefused(
                f"primary key {text[:60]!r}... has {len(text)} characters, at most {_LIMIT} are kept"
            )
        return text

    def values(self, text: str) -> tuple[Any, ...] | None:
        """Return the key that `text` gave as this text, or None if it is no key of this table."""
        parts = [text] if len(self.columns) == 1 else [_unescaped(part) for part in text.split("/")]
        if len(parts) != len(self.columns):
            return None
        try:
            return tuple(_value(column, part) for column, part in zip(self.columns, parts, strict=True))
        except ValueError:
            return None

    def sql(self, database: str) -> ColumnElement[Any]:
        """Return the SQL that gives the same text as `text`."""
        parts = [_sql_text(column, database) for column in self.columns]
        if len(parts) == 1:
            return parts[0]
        escaped = [_plain(func.replace(func.replace(part, "~", "~0"), "/", "~1")) for part in parts]
        joined = escaped[0]
        for part in escaped[1:]:
            joined = joined + "/" + part
        return binary(joined, database)

    def id(self, text: str) -> UUID:
        """Return the id of the contact with this key, the same each time.

        A UUID is the id itself and a whole number stands in it, so that these are found again from the id alone;
        any other key is digested.
        """
        values = self.values(text)
        value = values[0] if values is not None and len(values) == 1 else None
        if isinstance(value, UUID):
            return value
        if type(value) is int and -_HALF <= value < _HALF:
            return UUID(int=self._stamp | (value + _HALF))
        return uuid5(_NAMESPACE, f"{self.store}\n{text}")

    def number_in(self, id: UUID) -> str | None:
        """Return the key that stands as a number in an id, or None if none does."""
        mask = (1 << _WIDTH) - 1
        if len(self.columns) != 1 or id.int & ~mask != self._stamp:
            return None
        return str((id.int & mask) - _HALF)

    def of_id(self, id: UUID) -> str | None:
        """Return the key that an id may stand for, or None if it tells none."""
        if len(self.columns) == 1 and _kind(self.columns[0]) == "uuid":
            return id.hex
        return self.number_in(id)

    @cached_property
    def _stamp(self) -> int:
        digest = int.from_bytes(sha256(self.store.encode()).digest()[:8], "big") >> 4
        return (digest >> 12) << 80 | 8 << 76 | (digest & 0xFFF) << 64 | 0b10 << 62


def as_text(value: ColumnElement[Any], database: str) -> ColumnElement[Any]:
    """Return a value as text that is compared by code point."""
    wide = mysql.CHAR(charset="utf8mb4") if database == "mariadb" else sqltypes.Text()
    return binary(cast(value, wide), database)


def binary(text: ColumnElement[Any], database: str) -> ColumnElement[Any]:
    """Return text that is compared by code point, whatever the host's collation."""
    return type_coerce(_plain(text).collate(_COLLATION[database]), Text())


def _plain(text: Any) -> ColumnElement[Any]:
    return type_coerce(text, sqltypes.Text())


def is_uuid(column: Column[Any]) -> bool:
    """Return whether a column holds UUIDs."""
    return _kind(column) == "uuid"


def _kind(column: Column[Any]) -> str:
    try:
        python = column.type.python_type
    except NotImplementedError:
        return "other"
    kinds: tuple[tuple[str, Any], ...] = (("uuid", UUID), ("int", int), ("bytes", bytes), ("text", str))
    if isinstance(column.type, Uuid):
        return "uuid"
    return next((kind for kind, types in kinds if issubclass(python, types)), "other")


def _text(column: Column[Any], value: Any) -> str:
    if _kind(column) == "uuid":
        return (value if isinstance(value, UUID) else UUID(str(value))).hex
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    return str(value)


def _value(column: Column[Any], text: str) -> Any:
    kind = _kind(column)
    if kind == "uuid":
        found = UUID(text)
        return found if getattr(column.type, "as_uuid", True) else str(found)
    if kind == "bytes":
        return bytes.fromhex(text)
    if kind == "int" or (kind == "other" and _is_number(text)):
        return _number(text)
    return text


def _number(text: str) -> int:
    if not _is_number(text):
        raise ValueError(text)
    return int(text)


def _is_number(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and str(int(text)) == text


def _sql_text(column: Column[Any], database: str) -> ColumnElement[Any]:
    kind = _kind(column)
    if kind == "bytes" or (kind == "uuid" and _is_binary(column)):
        raw = type_coerce(column, LargeBinary())
        hexed = func.encode(raw, "hex") if database == "postgresql" else func.lower(func.hex(raw))
        return binary(hexed, database)
    text = as_text(column, database)
    if kind == "uuid":
        return binary(func.lower(func.replace(_plain(text), "-", "")), database)
    return text


def _is_binary(column: Column[Any]) -> bool:
    return isinstance(getattr(column.type, "impl", None), LargeBinary)


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


def _unescaped(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")
