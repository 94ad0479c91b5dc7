"""What a text says before anybody asked whether it makes sense: names unresolved, types unknown."""

from __future__ import annotations

import datetime
import decimal

import attrs

Written = str | int | decimal.Decimal | bool
Plain = Written | datetime.datetime | datetime.date


@attrs.frozen
class Name:
    """A dotted name.

    Args:
        name: the name, parts joined by dots.
        column: 0-based offset in the text, as on every node here.
    """

    name: str
    column: int = attrs.field(eq=False)


@attrs.frozen
class Literal:
    """A constant; text is in NFC, a number with a point or an exponent is an exact Decimal."""

    value: Written
    column: int = attrs.field(eq=False)


@attrs.frozen
class Items:
    """A literal tuple, list or set."""

    items: tuple[Operand, ...]
    column: int = attrs.field(eq=False)


@attrs.frozen
class Invocation:
    """A function of the table with its arguments."""

    function: str
    arguments: tuple[Operand, ...]
    column: int = attrs.field(eq=False)


@attrs.frozen
class Minus:
    """A unary minus."""

    operand: Operand
    column: int = attrs.field(eq=False)


@attrs.frozen
class Sum:
    """Arithmetic with two operands; `operator` is `+`, `-` or `*`."""

    operator: str
    left: Operand
    right: Operand
    column: int = attrs.field(eq=False)


@attrs.frozen
class Comparison:
    """Two operands and `==`, `!=`, `<`, `<=`, `>`, `>=`, `in` or `not in`."""

    operator: str
    left: Operand
    right: Operand
    column: int = attrs.field(eq=False)


@attrs.frozen
class Absence:
    """`x is missing`, or `x is not missing` where negated."""

    operand: Operand
    negated: bool
    column: int = attrs.field(eq=False)


@attrs.frozen
class Negated:
    """`not` before something."""

    operand: Operand
    column: int = attrs.field(eq=False)


@attrs.frozen
class Joined:
    """Two or more operands joined by one word, `and` or `or`."""

    word: str
    operands: tuple[Operand, ...]
    column: int = attrs.field(eq=False)


Operand = Name | Literal | Items | Invocation | Minus | Sum | Comparison | Absence | Negated | Joined
