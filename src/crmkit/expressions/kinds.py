"""The types that values of an expression have, and the ranges that their numbers keep to."""

from __future__ import annotations

import enum

import attrs

LOWEST = -(2**63)
HIGHEST = 2**63 - 1
MAX_SCALE = 18


class FieldType(enum.Enum):
    """What kind of value a field holds; the member's value is how errors name it."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    INSTANT = "instant"
    DATE = "date"
    TEXT_SET = "set of text"

    @property
    def is_number(self) -> bool:
        """Whether values of the type can be added and compared with other numbers."""
        return self in (FieldType.INTEGER, FieldType.DECIMAL)


@attrs.frozen
class Kind:
    """The type of a value in a checked expression, with the range that it cannot leave.

    Args:
        type: the type.
        scale: decimal places of a number; a number is held as an integer of 10**-scale.
        low: the least value of a number, in units of 10**-scale.
        high: the greatest value of a number, in units of 10**-scale.
    """

    type: FieldType
    scale: int = 0
    low: int = 0
    high: int = 0

    def __str__(self) -> str:
        places = f"({self.scale})" if self.type is FieldType.DECIMAL else ""
        return self.type.value + places

    @property
    def fits(self) -> bool:
        """Whether every value of the range fits a signed 64-bit integer at a scale of at most 18."""
        return self.scale <= MAX_SCALE and self.low >= LOWEST and self.high <= HIGHEST

    def at_scale(self, scale: int) -> Kind:
        """Return the same range in units of 10**-`scale`, which is not less than its own scale."""
        factor = 10 ** (scale - self.scale)
        return attrs.evolve(self, scale=scale, low=self.low * factor, high=self.high * factor)


def negated(kind: Kind) -> Kind:
    """Return the kind of `-x` for an x of `kind`."""
    return attrs.evolve(kind, low=-kind.high, high=-kind.low)


def combined(operator: str, left: Kind, right: Kind) -> Kind:
    """Return the kind of `left operator right`, by interval arithmetic; it may not fit 64 bits.

    Args:
        operator: one of `+`, `-`, `*`.
        left: the kind of the left number; for a sum already at the scale of the right one.
        right: the kind of the right number.
    """
    both_integer = left.type is right.type is FieldType.INTEGER
    type_ = FieldType.INTEGER if both_integer else FieldType.DECIMAL
    if operator == "*":
        ends = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
        return Kind(type_, left.scale + right.scale, min(ends), max(ends))
    if operator == "-":
        right = negated(right)
    return Kind(type_, left.scale, left.low + right.low, left.high + right.high)
