"""The column types of every crmkit table; they read whatever the host's driver returns."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import UserDefinedType

from crmkit.clock import from_micros, micros
from crmkit.errors import ValueRefused
from crmkit.text import nfc

_Process = Callable[[Any], Any]
_FAMILIES = {"postgresql": "postgresql", "mysql": "mariadb", "mariadb": "mariadb", "sqlite": "sqlite"}


def family(dialect: Dialect) -> str:
    """Return which of the supported databases a dialect belongs to: sqlite, postgresql or mariadb."""
    return _FAMILIES[dialect.name]


class _Column(UserDefinedType[Any]):
    """A type whose SQL name depends on the database and whose values pass through two functions."""

    cache_ok = True

    def sql_name(self, database: str) -> str:
        raise NotImplementedError

    def get_col_spec(self, **kw: Any) -> str:
        return self.sql_name("sqlite")


@compiles(_Column)
def _compile(column: _Column, compiler: Any, **kw: Any) -> str:
    return column.sql_name(family(compiler.dialect))


def _register(cls: type[_Column]) -> type[_Column]:
    compiles(cls)(_compile)
    return cls


class Id(_Column):
    """A UUID: native on PostgreSQL, 16 bytes elsewhere."""

    cache_ok = True

    def sql_name(self, database: str) -> str:
        return {"postgresql": "UUID", "mariadb": "BINARY(16)", "sqlite": "BLOB"}[database]

    def bind_processor(self, dialect: Dialect) -> _Process | None:
        if family(dialect) != "postgresql":
            return _id_bytes
        return _id_text if dialect.driver == "psycopg2" else None

    def result_processor(self, dialect: Dialect, coltype: object) -> _Process:
        return _read_id


def _id_bytes(value: UUID | None) -> bytes | None:
    return None if value is None else value.bytes


def _id_text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def _read_id(value: Any) -> UUID | None:
    if value is None or isinstance(value, UUID):
        return value
    if isinstance(value, str):
        return UUID(value)
    raw = bytes(value)
    return UUID(bytes=raw) if len(raw) == 16 else UUID(raw.decode())


class Instant(_Column):
    """An instant, as microseconds since 1970-01-01 UTC; exact on every database."""

    cache_ok = True

    def sql_name(self, database: str) -> str:
        return "BIGINT"

    def bind_processor(self, dialect: Dialect) -> _Process:
        return _instant_micros

    def result_processor(self, dialect: Dialect, coltype: object) -> _Process:
        return _read_instant


def _instant_micros(value: datetime | None) -> int | None:
    return None if value is None else micros(value)


def _read_instant(value: Any) -> datetime | None:
    return None if value is None else from_micros(int(value))


class Minor(_Column):
    """A whole number of 64 bits: minor units, points, counts, positions."""

    cache_ok = True

    def sql_name(self, database: str) -> str:
        return "BIGINT"

    def bind_processor(self, dialect: Dialect) -> _Process:
        return _minor

    def result_processor(self, dialect: Dialect, coltype: object) -> _Process:
        return _read_minor


def _minor(value: int | None) -> int | None:
    if value is None or (type(value) is int and -(2**63) <= value < 2**63):
        return value
    raise ValueRefused(f"{value!r} is not a whole number of 64 bits")


def _read_minor(value: Any) -> int | None:
    return value if value is None or type(value) is int else int(value)


class Text(_Column):
    """Text in NFC, compared by code point.

    Args:
        length: the greatest number of code points; without it the column can hold long texts and no index.
    """

    cache_ok = True

    def __init__(self, length: int | None = None) -> None:
        self.length = length

    def sql_name(self, database: str) -> str:
        if database == "mariadb":
            name = f"VARCHAR({self.length})" if self.length else "LONGTEXT"
            return f"{name} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
        name = f"VARCHAR({self.length})" if self.length and database == "postgresql" else "TEXT"
        return f'{name} COLLATE "C"' if database == "postgresql" else f"{name} COLLATE BINARY"

    def bind_processor(self, dialect: Dialect) -> _Process:
        return bind_text

    def result_processor(self, dialect: Dialect, coltype: object) -> _Process:
        return _read_text


def bind_text(value: str | None) -> str | None:
    """Return text in NFC as the driver takes it.

    Raises:
        ValueRefused: if it holds NUL or a lone surrogate.
    """
    if value is None:
        return None
    if value.isascii() and "\x00" not in value:
        return value if type(value) is str else str.__str__(value)  # an enum's member is sent as its text
    text = nfc(value, "text")
    if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueRefused(f"text holds NUL or a lone surrogate: {text[:60]!r}")
    return text


def bind_texts(values: Sequence[str | None]) -> Sequence[str | None]:
    """Return what `bind_text` returns for each of many values; a list of ASCII texts needs no look at each."""
    if set(map(type, values)) == {str}:
        every = "".join(values)  # type: ignore[arg-type]
        if every.isascii() and "\x00" not in every:
            return values
    return [bind_text(value) for value in values]


def _read_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else bytes(value).decode()


class Json(_Column):
    """Plain data as JSON text, written canonically, so that equal data are equal texts."""

    cache_ok = True

    def sql_name(self, database: str) -> str:
        return Text().sql_name(database)

    def bind_processor(self, dialect: Dialect) -> _Process:
        return write_json

    def result_processor(self, dialect: Dialect, coltype: object) -> _Process:
        return _read_json


_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode


class Written(str):
    """JSON text that `write_json` made, so that a column of `Json` takes it as it is."""


def write_json(value: Any) -> str | None:
    """Return plain data as canonical JSON text.

    Raises:
        ValueRefused: if the data is not plain, or holds NaN or a lone surrogate.
    """
    if value is None:
        return None
    if type(value) is Written:
        return str(value)
    try:
        text = _encode(value)
        if not text.isascii():
            text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueRefused(f"data cannot be written as JSON: {error}") from None
    return text


def _read_json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, (str, bytes)) else value


for _cls in (Id, Instant, Minor, Text, Json):
    _register(_cls)
