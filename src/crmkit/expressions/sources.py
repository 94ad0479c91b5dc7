"""Where the values of fields are kept: plain data from which SQL and the reading of facts are both made.

A source names tables of the CRM without the prefix, and columns of them. Rows belong to the contact whose id stands
in the table's `contact_id`; the rows of merged contacts count as those of the one that goes on.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from crmkit.errors import ExpressionError

if TYPE_CHECKING:
    from crmkit.expressions.expression import Expression
    from crmkit.expressions.fields import Field

Held = str | int | datetime.datetime
OPERATORS = ("==", "!=", "<", "<=", ">", ">=", "in", "not in")
FUNCTIONS = ("count", "sum", "min", "max")


@attrs.frozen
class Now:
    """The instant at which an expression is evaluated."""


NOW = Now()


def _operator(instance: object, attribute: attrs.Attribute[str], value: object) -> None:
    if value not in OPERATORS:
        raise ExpressionError(f"a condition's operator is {value!r}, must be one of {', '.join(OPERATORS)}")


@attrs.frozen
class Condition:
    """Which rows of a table count: `column operator value`.

    Args:
        column: a column of the table.
        operator: one of `==`, `!=`, `<`, `<=`, `>`, `>=`, and with a tuple `in` and `not in`.
        value: as the column's type takes it, a tuple of such, or `NOW`.
    """

    column: str
    operator: str = attrs.field(validator=_operator)
    value: Held | Now | tuple[Held, ...]


def _alternatives(given: Iterable[Condition]) -> tuple[Condition, ...]:
    return tuple(given)


@attrs.frozen
class AnyOf:
    """Rows count of which one of these conditions holds.

    Args:
        conditions: at least one.
    """

    conditions: tuple[Condition, ...] = attrs.field(converter=_alternatives)


Conditions = tuple[Condition | AnyOf, ...]


def _conditions(given: Mapping[str, Any] | Iterable[Condition | AnyOf]) -> Conditions:
    if not isinstance(given, Mapping):
        return tuple(given)
    return tuple(
        Condition(column, "in" if isinstance(value, tuple) else "==", value)
        for column, value in given.items()
    )


def _names(given: str | Iterable[str]) -> tuple[str, ...]:
    return ((given,) if given else ()) if isinstance(given, str) else tuple(given)


def _function(instance: object, attribute: attrs.Attribute[str], value: object) -> None:
    if value not in FUNCTIONS:
        raise ExpressionError(f"an aggregate's function is {value!r}, must be one of {', '.join(FUNCTIONS)}")


@attrs.frozen
class ContactColumn:
    """A field of the contact itself, wherever the store keeps it.

    Args:
        field: a field of `Contact`, such as "stage", or another name that the store's `ContactSource` has.
        otherwise: where to look if the store has no such column.
    """

    field: str
    otherwise: RowColumn | None = None


@attrs.frozen
class RowColumn:
    """A column of a table with at most one row for a contact, or of the first of several rows.

    The value that stands for "unknown" counts as missing: the empty text, and the end of time. Of merged contacts
    the row of the one that goes on counts before the others', these in the order of their ids.

    Args:
        table: the table.
        column: the column; a decimal is kept in it as a whole number of 10**-scale, a boolean as 0 or 1.
        where: which rows count: conditions, or a mapping of columns to values.
        first: by which columns to find the first row, `-` before one for the greatest first; empty if there is
            only one.
        anyone: as `first`, but compared before whose row it is: of merged contacts, the first row by these columns
            counts, whoever has it.
        latest: of merged contacts, that one's row counts for which this column is the greatest; several columns
            are compared in turn.
    """

    table: str
    column: str
    where: Conditions = attrs.field(default=(), converter=_conditions, kw_only=True)
    first: tuple[str, ...] = attrs.field(default=(), converter=_names, kw_only=True)
    anyone: tuple[str, ...] = attrs.field(default=(), converter=_names, kw_only=True)
    latest: tuple[str, ...] = attrs.field(default=(), converter=_names, kw_only=True)


@attrs.frozen
class Join:
    """A second table, with the row that a column of the first names, if there is one.

    Conditions name its columns as `table.column`; they do not hold back rows that have no partner.

    Args:
        table: the second table.
        column: the column of the first that holds the id.
        key: the column of the second that is the id.
    """

    table: str
    column: str
    key: str = "id"


@attrs.frozen
class Aggregate:
    """What the rows of a contact come to: a count is 0 where there are none, the others are missing.

    Args:
        table: the table.
        function: "count", "sum", "min" or "max".
        column: of what; for a count empty.
        where: which rows count: conditions, or a mapping of columns to values.
        minus: a column to subtract in each row, such as what was refunded.
        join: a second table that conditions are about.
    """

    table: str
    function: str = attrs.field(validator=_function)
    column: str = ""
    where: Conditions = attrs.field(default=(), converter=_conditions, kw_only=True)
    minus: str = attrs.field(default="", kw_only=True)
    join: Join | None = attrs.field(default=None, kw_only=True)


@attrs.frozen
class Members:
    """The texts in a column of all rows of a contact: a set.

    Args:
        table: the table.
        column: the column.
        where: which rows count: conditions, or a mapping of columns to values.
        latest: of merged contacts, only the rows of that one count for which this column is the greatest, several
            columns compared in turn; with `per`, of any rows that are alike in those columns only the latest.
        per: columns, for `latest`.
    """

    table: str
    column: str
    where: Conditions = attrs.field(default=(), converter=_conditions, kw_only=True)
    latest: tuple[str, ...] = attrs.field(default=(), converter=_names, kw_only=True)
    per: tuple[str, ...] = attrs.field(default=(), converter=_names, kw_only=True)


@attrs.frozen
class Exists:
    """Whether a contact has a row: true or false, never missing.

    Args:
        table: the table.
        where: which rows count: conditions, or a mapping of columns to values.
    """

    table: str
    where: Conditions = attrs.field(default=(), converter=_conditions, kw_only=True)


@attrs.frozen
class Consent:
    """How consent to a purpose stands, as the log of consents is read: a text, missing where nothing was said.

    Args:
        purpose: to what; what was said of any channel counts.
    """

    purpose: str


@attrs.frozen
class Ratio:
    """One number divided by another, such as an average: only to be compared, which needs no division.

    `average > x` is read as `total > x * count and count > 0`.

    Args:
        of: the field that is divided.
        by: the field that it is divided by, never negative: an integer with a bound.
    """

    of: Field
    by: Field


@attrs.frozen
class Clock:
    """The present: for an instant the time of evaluation, for a date its day in UTC."""


@attrs.frozen
class Inlined:
    """Another expression, such as a segment, that stands in an expression by its name.

    Args:
        expression: what it means.
    """

    expression: Expression


@attrs.frozen
class Loaded:
    """A function of the host's or a plugin's; expressions over it are evaluated in Python only.

    Args:
        function: called with the transaction and the ids of contacts; returns values by id.
    """

    function: Any = attrs.field(eq=False)


#: Sources whose rows stand in tables of the CRM.
Stored = RowColumn | Aggregate | Members | Exists
Source = ContactColumn | Stored | Consent | Ratio | Clock | Inlined | Loaded
