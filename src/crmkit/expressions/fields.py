"""The typed names that an expression may use."""

from __future__ import annotations

import decimal
import keyword

import attrs

from crmkit.errors import ExpressionError
from crmkit.expressions.kinds import HIGHEST, LOWEST, MAX_SCALE, FieldType, Kind
from crmkit.expressions.sources import Source

Number = int | decimal.Decimal
MISSING = "missing"


@attrs.frozen
class Field:
    """A typed name that expressions may use, such as `orders.count`.

    Args:
        name: ASCII identifiers joined by dots, each beginning with a letter.
        type: what the field holds.
        scale: decimal places kept, 0 to 18; only for a decimal.
        bound: the least and the greatest value of a number, both included. A value outside
            counts as missing. Without it the whole 64-bit range is possible, and arithmetic that
            could leave that range is refused when an expression is checked.
        doc: one sentence for people who write expressions.
        source: where the value is kept. Without one it is a custom field of contacts, whose values are set with
            `tx.contacts.values`.

    Raises:
        ExpressionError: if the name, the scale or the bound is not as described.
    """

    name: str
    type: FieldType
    scale: int = attrs.field(default=0, kw_only=True)
    bound: tuple[Number, Number] | None = attrs.field(default=None, kw_only=True)
    doc: str = attrs.field(default="", kw_only=True)
    source: Source | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        _check_name(self.name)
        _check_type(self)
        _check_bound(self)

    @property
    def kind(self) -> Kind:
        """The type of the field's values and, for numbers, their range."""
        if not self.type.is_number:
            return Kind(self.type)
        if self.bound is None:
            return Kind(self.type, self.scale, LOWEST, HIGHEST)
        low, high = (scaled(end, self.scale) for end in self.bound)
        assert low is not None and high is not None  # checked when the field was made
        return Kind(self.type, self.scale, low, high)


def scaled(value: object, scale: int) -> int | None:
    """Return `value` as an integer of 10**-`scale`; None if it is no such number or exceeds 64 bits."""
    if isinstance(value, decimal.Decimal):
        number = _scaled_decimal(value, scale)
    elif isinstance(value, int) and not isinstance(value, bool):
        number = int(value) * 10**scale
    else:
        return None
    return number if number is not None and LOWEST <= number <= HIGHEST else None


def _scaled_decimal(value: decimal.Decimal, scale: int) -> int | None:
    # Works on the digits: arithmetic would round in, and could raise by, the caller's context.
    sign, digits, exponent = decimal.Decimal.as_tuple(value)
    if not isinstance(exponent, int):
        return None
    significant = len(digits)
    while significant and not digits[significant - 1]:
        significant -= 1
    shift = exponent + len(digits) - significant + scale
    if not significant:
        return 0
    if shift < 0 or significant + shift > 19:
        return None
    number: int = int("".join(map(str, digits[:significant]))) * 10**shift
    return -number if sign else number


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise ExpressionError(f"a field's name must be text, not {type(name).__name__}: {name!r}")
    for part in name.split("."):
        if not (part.isascii() and part.isidentifier() and part[0].isalpha()):
            raise ExpressionError(
                f"{name!r} is no field name: use ASCII letters, digits and _, each part beginning with a "
                "letter, parts joined by dots, such as orders.count"
            )
        if part == MISSING or keyword.iskeyword(part):
            raise ExpressionError(f"{name!r} is no field name: {part!r} is a word of the language")


def _check_type(field: Field) -> None:
    given: object = field.type
    if not isinstance(given, FieldType):
        names = ", ".join(f"FieldType.{member.name}" for member in FieldType)
        raise ExpressionError(f"field {field.name}: type is {given!r}, must be one of {names}")
    if type(field.scale) is not int or not 0 <= field.scale <= MAX_SCALE:
        raise ExpressionError(
            f"field {field.name}: scale is {field.scale!r}, must be an integer from 0 to {MAX_SCALE}"
        )
    if field.scale and field.type is not FieldType.DECIMAL:
        raise ExpressionError(
            f"field {field.name}: only a decimal has a scale, and this is {field.type.value}; leave it out"
        )


def _check_bound(field: Field) -> None:
    bound: object = field.bound
    if bound is None:
        return
    if not field.type.is_number:
        raise ExpressionError(
            f"field {field.name}: only a number has a bound, and this is {field.type.value}; leave it out"
        )
    if not isinstance(bound, tuple) or len(bound) != 2:
        raise ExpressionError(f"field {field.name}: bound is {bound!r}, must be a pair (least, greatest)")
    low, high = (scaled(end, field.scale) for end in bound)
    if low is None or high is None or low > high:
        raise ExpressionError(
            f"field {field.name}: bound is ({bound[0]}, {bound[1]}), must be two integers or Decimals "
            f"of at most {field.scale} decimal places, the lesser first, within 64 bits when scaled"
        )
