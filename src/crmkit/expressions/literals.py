"""What a literal means: text, decimals, and the constants that `date` and `instant` make of text."""

from __future__ import annotations

import datetime
import decimal

from crmkit.errors import ExpressionError
from crmkit.expressions.kinds import HIGHEST, LOWEST, MAX_SCALE, FieldType, Kind
from crmkit.expressions.syntax import Plain
from crmkit.expressions.values import clean_text, unscaled


def text_literal(value: str, text: str, column: int) -> str:
    """Return a text literal in NFC, or refuse it: a literal that cannot be equal to any value is a mistake."""
    cleaned = clean_text(value)
    if cleaned is None:
        raise ExpressionError(
            f"the text {ascii(value)[:60]} holds NUL or a lone surrogate, which no value holds, at column {column}",
            text=text,
            column=column,
        )
    return cleaned


def decimal_literal(written: str, text: str, column: int) -> decimal.Decimal:
    """Return the number exactly as written, never by way of a binary float."""
    try:
        number = decimal.Decimal(written)
    except ArithmeticError:
        number = decimal.Decimal("NaN")
    if not number.is_finite():
        raise ExpressionError(
            f"the number {written[:40]} is too large, at column {column}", text=text, column=column
        )
    return number


def number_constant(value: int | decimal.Decimal) -> tuple[int | decimal.Decimal, Kind] | None:
    """Return a number in its plainest form with its kind, or None if it does not fit 64 bits at 18 places."""
    if isinstance(value, int):
        return (value, Kind(FieldType.INTEGER, 0, value, value)) if LOWEST <= value <= HIGHEST else None
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # a literal is finite
    significant = "".join(map(str, digits)).lstrip("0")
    if not significant:
        return decimal.Decimal(0), Kind(FieldType.DECIMAL)
    plain = significant.rstrip("0")
    exponent += len(significant) - len(plain)
    scale = max(-exponent, 0)
    if scale > MAX_SCALE or len(plain) + max(exponent, 0) > 19:
        return None
    units = int(plain) * 10 ** max(exponent, 0) * (-1 if sign else 1)
    fits = LOWEST <= units <= HIGHEST
    return (unscaled(units, scale), Kind(FieldType.DECIMAL, scale, units, units)) if fits else None


def constructed(function: str, value: str) -> Plain | None:
    """Return the constant that `date(value)` or `instant(value)` stands for, or None if `value` is no such thing."""
    try:
        return _date(value) if function == "date" else _instant(value)
    except (ValueError, OverflowError):
        return None


def _date(value: str) -> datetime.date | None:
    date = datetime.date.fromisoformat(value)
    return date if date.isoformat() == value else None


def _instant(value: str) -> datetime.datetime | None:
    _, _, fraction = value.partition(".")
    digits = len(fraction) - len(fraction.lstrip("0123456789"))
    if digits > 6 or "," in value:  # would be cut off in silence
        return None
    instant = datetime.datetime.fromisoformat(value)
    return None if instant.utcoffset() is None else instant.astimezone(datetime.UTC)
