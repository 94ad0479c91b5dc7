"""Tests that compiled expressions hold inline, so that a value that is as it should be costs no call."""

from __future__ import annotations

import datetime
from decimal import Decimal

import attrs

from crmkit.expressions.fields import Field
from crmkit.expressions.kinds import FieldType
from crmkit.expressions.tree import Constant
from crmkit.expressions.values import EXACT, unscaled

NAMES: dict[str, object] = {
    "__builtins__": {},
    "type": type,
    "str": str,
    "int": int,
    "bool": bool,
    "set": set,
    "frozenset": frozenset,
    "Exception": Exception,
    "Decimal": Decimal,
    "datetime": datetime.datetime,
    "date": datetime.date,
    "UTC": datetime.UTC,
    "add": EXACT.add,
    "subtract": EXACT.subtract,
    "multiply": EXACT.multiply,
    "minus": EXACT.minus,
}

# type(v) and not isinstance: a subclass may have changed what comparing means. same_quantum: the scale, and no NaN.
LOOSELY = {
    FieldType.TEXT: "type({v}) is str and {v}.isascii()",
    FieldType.INTEGER: "type({v}) is int",
    FieldType.DECIMAL: "type({v}) is Decimal and {v}.same_quantum({unit})",
    FieldType.BOOLEAN: "type({v}) is bool",
    FieldType.INSTANT: "type({v}) is datetime and {v}.tzinfo is UTC",
    FieldType.DATE: "type({v}) is date",
}
STRICTLY = LOOSELY | {
    FieldType.TEXT: f'{LOOSELY[FieldType.TEXT]} and "\\0" not in {{v}}',
    FieldType.INTEGER: f"{LOOSELY[FieldType.INTEGER]} and {{low}} <= {{v}} <= {{high}}",
    FieldType.DECIMAL: f"{LOOSELY[FieldType.DECIMAL]} and {{low}} <= {{v}} <= {{high}}",
}
_LESS, _GREATER = ("<", "<="), (">", ">=")
_MADE_BY_NFC = "K;`"  # the ASCII characters that NFC makes of others: of U+212A, U+037E and U+1FEF


@attrs.frozen
class Test:
    """The source of a condition on `{v}` with placeholders, and what stands for the placeholders."""

    source: str
    constants: dict[str, object]


def number(field: Field, units: int) -> int | Decimal:
    """Return a number of the field's scale as values of the field have it."""
    return units if field.type is FieldType.INTEGER else unscaled(units, field.scale)


def comparison(field: Field, operator: str, constant: Constant) -> Test | None:
    """Return a test for `field operator constant` that is right, too, for values that count as missing.

    The value is of the field's type; it may be outside the bound, or be text with NUL.
    """
    if field.type.is_number:
        return _number_comparison(field, operator, constant)
    if field.type is FieldType.TEXT and operator != "==":
        return None
    return Test(f"{{v}} {operator} {{a}}", {"a": constant.value})


def membership(field: Field, options: tuple[Constant, ...]) -> Test:
    """Return a test for `field in options` that is right, too, for values that count as missing."""
    possible = frozenset(option.value for option in options if _within(field, option))
    return Test("{v} in {a}", {"a": possible})


def element(item: Constant, negated: bool) -> Test | None:
    """Return a test for `item in field`, where no text but the item itself can be the item in NFC."""
    text = item.value
    if not isinstance(text, str) or not text.isascii() or any(char in text for char in _MADE_BY_NFC):
        return None
    word = "not in" if negated else "in"
    return Test(
        f"({{a}} {word} ({{v}} if type({{v}} := {{get}}) is frozenset or type({{v}}) is set else {{read}}({{v}})))",
        {"a": text},
    )


def _number_comparison(field: Field, operator: str, constant: Constant) -> Test | None:
    kind, limit = field.kind, constant.value
    low, high = number(field, kind.low), number(field, kind.high)
    assert isinstance(limit, int | Decimal)
    if field.type is FieldType.DECIMAL and isinstance(limit, int):
        limit = Decimal(limit)  # comparing two Decimals is quicker
    if operator in _GREATER and limit >= low:
        return Test(f"{{high}} >= {{v}} {operator} {{a}}", {"a": limit, "high": high})
    if operator in _LESS and limit <= high:
        return Test(f"{{low}} <= {{v}} {operator} {{a}}", {"a": limit, "low": low})
    return Test("{v} == {a}", {"a": limit}) if operator == "==" and _within(field, constant) else None


def _within(field: Field, constant: Constant) -> bool:
    kind = field.kind
    if not kind.type.is_number:
        return True
    scale = max(kind.scale, constant.kind.scale)
    bound, value = kind.at_scale(scale), constant.kind.at_scale(scale)
    return bound.low <= value.low <= bound.high
