"""The checked tree: every name is a field, every type is known, every number stays within 64 bits.

It is what expressions are compiled from, to Python here and to SQL elsewhere. A *value* may be missing; a *clause*
is true or false. Comparing, adding or subtracting numbers of two scales means bringing both to the greater scale
first; the check has made sure that this fits.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from crmkit.expressions.fields import Field
from crmkit.expressions.functions import Function
from crmkit.expressions.kinds import Kind
from crmkit.expressions.syntax import Plain


@attrs.frozen
class Constant:
    """A literal value, never missing."""

    value: Plain
    kind: Kind


@attrs.frozen
class FieldValue:
    """The value of a field in the facts, or missing."""

    field: Field

    @property
    def kind(self) -> Kind:
        """The field's kind."""
        return self.field.kind


@attrs.frozen
class Negation:
    """`-x` for a number."""

    operand: Value
    kind: Kind


@attrs.frozen
class Arithmetic:
    """`left operator right` for numbers; the operator is `+`, `-` or `*`."""

    operator: str
    left: Value
    right: Value
    kind: Kind


@attrs.frozen
class Call:
    """A function of the table that gives a value; missing if an argument is."""

    function: Function
    arguments: tuple[Value, ...]
    kind: Kind


Value = Constant | FieldValue | Negation | Arithmetic | Call


@attrs.frozen
class Compare:
    """`left operator right`, false if a side is missing; the operator is `==`, `!=`, `<`, `<=`, `>` or `>=`."""

    operator: str
    left: Value
    right: Value


@attrs.frozen
class Among:
    """`item in (a, b)`, or `not in` where negated; false, also when negated, if the item is missing."""

    item: Value
    options: tuple[Constant, ...]
    negated: bool


@attrs.frozen
class Holds:
    """`item in tags`, or `not in` where negated; false, also when negated, if the item is missing.

    A set is never missing here: one that is absent is the empty set.
    """

    item: Value
    collection: FieldValue
    negated: bool


@attrs.frozen
class IsMissing:
    """`x is missing`, or `x is not missing` where negated; an empty set is missing."""

    value: Value
    negated: bool


@attrs.frozen
class Truth:
    """A boolean field, false if missing, or a boolean constant."""

    value: Value


@attrs.frozen
class Test:
    """A function of the table that answers yes or no; false if an argument is missing."""

    __test__ = False  # pytest would take it for a test class

    function: Function
    arguments: tuple[Value, ...]


@attrs.frozen
class Not:
    """The opposite of a clause."""

    clause: Clause


@attrs.frozen
class And:
    """True if every one of the clauses is."""

    clauses: tuple[Clause, ...]


@attrs.frozen
class Or:
    """True if one of the clauses is."""

    clauses: tuple[Clause, ...]


Leaf = Compare | Among | Holds | IsMissing | Truth | Test
Clause = Leaf | Not | And | Or


def operands(leaf: Leaf) -> tuple[Value, ...]:
    """Return the values that a leaf clause looks at, in the order in which it does; options left out."""
    match leaf:
        case Compare():
            return (leaf.left, leaf.right)
        case Among():
            return (leaf.item,)
        case Holds():
            return (leaf.item, leaf.collection)
        case Test():
            return leaf.arguments
        case _:
            return (leaf.value,)


def leaves_of(clause: Clause) -> Iterator[Leaf]:
    """Yield the clauses that have no clauses in them, from left to right."""
    match clause:
        case Not():
            yield from leaves_of(clause.clause)
        case And() | Or():
            for part in clause.clauses:
                yield from leaves_of(part)
        case _:
            yield clause


def fields_of(*values: Value) -> tuple[Field, ...]:
    """Return the fields that the values read, each once, in order of reading."""
    found: dict[Field, None] = {}
    for value in values:
        match value:
            case FieldValue():
                found[value.field] = None
            case Negation():
                found.update(dict.fromkeys(fields_of(value.operand)))
            case Arithmetic():
                found.update(dict.fromkeys(fields_of(value.left, value.right)))
            case Call():
                found.update(dict.fromkeys(fields_of(*value.arguments)))
            case Constant():
                pass
    return tuple(found)
