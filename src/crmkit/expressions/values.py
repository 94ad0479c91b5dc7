"""What a fact counts as: the value of its field's type, or missing.

Reading is total. A value of another type, outside the bound or beyond the scale, a float (also a whole one), a bool
where a number is wanted, a datetime without a time zone, text with NUL or a lone surrogate: each counts as missing.
Subclasses (an enum's text, a driver's datetime) are brought to the plain type first, by the plain type's own methods.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection
from decimal import Context, Decimal
from unicodedata import combining, is_normalized, normalize

from crmkit.expressions.fields import Field, scaled
from crmkit.expressions.kinds import FieldType

# Every number of a checked expression has at most 19 digits and a product 38, so that 60 never round; and an own
# context is neither changed nor made to raise by the caller's.
EXACT = Context(prec=60, traps=[])
Read = Callable[[object], object]

COLLECTIONS = (frozenset, set, tuple, list)

_NO_TEXTS: frozenset[str] = frozenset()
_PLAIN = frozenset([str])
_MARK_RUN = 30
_MARKS_BY_DECOMPOSITION = "\u0f73\u0f75\u0f81"


def reader(field: Field) -> Read:
    """Return the function from a raw fact to the field's value, or None where it counts as missing.

    The function never raises. For a set it returns a frozenset, empty where the fact is missing.
    """
    match field.type:
        case FieldType.INTEGER:
            return _integers(field)
        case FieldType.DECIMAL:
            return _decimals(field)
        case _:
            return _READERS[field.type]


def unscaled(number: int, scale: int) -> Decimal:
    """Return `number` times 10**-`scale`, exactly."""
    return EXACT.scaleb(Decimal(number), -scale)


def clean_text(value: str) -> str | None:
    """Return the text in NFC; None if it holds NUL or a lone surrogate, or cannot be normalised quickly.

    The last is text that is not in NFC and has more than 30 combining marks in a row: putting a run in order takes
    quadratic time (https://www.unicode.org/reports/tr15/#Stream_Safe_Text_Format sets the same limit).
    """
    if "\0" in value:
        return None
    if value.isascii():
        return value
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return None
    if is_normalized("NFC", value):
        return value
    return normalize("NFC", value) if len(value) <= 256 or _short_runs(value) else None


def _short_runs(value: str) -> bool:
    run = 0
    for char in value:
        run = run + 1 if combining(char) or char in _MARKS_BY_DECOMPOSITION else 0
        if run > _MARK_RUN:
            return False
    return True


class AsStored(str):
    """Text of a host's table: it is compared code point by code point as it stands there, in NFC or not.

    No database brings text to NFC while it compares, so that Python leaves it alone as well.
    """

    __slots__ = ()


def _text(value: object) -> str | None:
    if not issubclass(type(value), str):
        return None
    text = str.__str__(value)
    if type(value) is AsStored:
        return None if "\0" in text else text
    return clean_text(text)


def _boolean(value: object) -> bool | None:
    return value if type(value) is bool else None


def _integers(field: Field) -> Read:
    low, high = field.kind.low, field.kind.high

    def integer(value: object) -> int | None:
        if not issubclass(type(value), int) or type(value) is bool:
            return None
        number = int.__index__(value)  # type: ignore[arg-type]
        return number if low <= number <= high else None

    return integer


def _decimals(field: Field) -> Read:
    kind = field.kind

    def number(value: object) -> Decimal | None:
        if not issubclass(type(value), Decimal | int):
            return None
        if issubclass(type(value), int) and type(value) is not bool:
            value = int.__index__(value)  # type: ignore[arg-type]
        units = scaled(value, kind.scale)
        return None if units is None or not kind.low <= units <= kind.high else unscaled(units, kind.scale)

    return number


def _instant(value: object) -> datetime.datetime | None:
    if not issubclass(type(value), datetime.datetime):
        return None
    if type(value) is datetime.datetime and value.tzinfo is datetime.UTC:
        return value
    try:
        return _in_utc(value)  # type: ignore[arg-type]
    except Exception:  # a host's tzinfo may raise anything; years 1 and 9999 may overflow
        return None


def _in_utc(value: datetime.datetime) -> datetime.datetime | None:
    offset = value.utcoffset()
    if offset is None:
        return None
    date = (value.year, value.month, value.day)
    time = (value.hour, value.minute, value.second, value.microsecond)
    return datetime.datetime(*date, *time, tzinfo=datetime.UTC) - offset


def _date(value: object) -> datetime.date | None:
    if type(value) is datetime.date:
        return value
    if not issubclass(type(value), datetime.date) or issubclass(type(value), datetime.datetime):
        return None
    return datetime.date.fromordinal(datetime.date.toordinal(value))  # type: ignore[arg-type]


def _texts(value: object) -> frozenset[str]:
    if value is None:
        return _NO_TEXTS
    for collection in COLLECTIONS:
        if type(value) is collection and _are_plain(value):
            return frozenset(value)
        if issubclass(type(value), collection):
            texts = map(_text, collection.__iter__(value))  # type: ignore[arg-type]
            return frozenset([text for text in texts if text is not None])
    return _NO_TEXTS


def _are_plain(items: Collection[object]) -> bool:
    # A loop in Python over the items would take most of the time of an evaluation.
    if not _PLAIN.issuperset(map(type, items)):
        return False
    joined = "".join(items)  # type: ignore[arg-type]
    return joined.isascii() and "\0" not in joined


_READERS: dict[FieldType, Read] = {
    FieldType.TEXT: _text,
    FieldType.BOOLEAN: _boolean,
    FieldType.INSTANT: _instant,
    FieldType.DATE: _date,
    FieldType.TEXT_SET: _texts,
}
