"""From a checked tree to a condition in SQL.

What is made here is true where the expression is true, and false or NULL where it is false: WHERE does not tell
these apart, AND and OR keep it so, and `not` asks for "is not true". So an index serves what is compared, and a
comparison with a missing value is false without a word.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    String,
    and_,
    false,
    func,
    literal,
    not_,
    null,
    or_,
    true,
    type_coerce,
)

from crmkit.clock import micros
from crmkit.expressions.compiler import predicate_of
from crmkit.expressions.fields import scaled
from crmkit.expressions.kinds import FieldType
from crmkit.expressions.sources import Aggregate, Consent, Exists, Members, RowColumn
from crmkit.expressions.tree import (
    Among,
    And,
    Arithmetic,
    Call,
    Clause,
    Compare,
    Constant,
    FieldValue,
    Holds,
    IsMissing,
    Leaf,
    Negation,
    Not,
    Or,
    Test,
    Truth,
    Value,
    fields_of,
    leaves_of,
    operands,
)
from crmkit.sql.where import dates
from crmkit.sql.where.values import Scope

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
#: What has to be read for a field, in the order of how long that takes.
_COSTS = {Members: 1, Exists: 1, RowColumn: 2, Aggregate: 3, Consent: 3}
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}

Element = ColumnElement[Any]
Condition = ColumnElement[bool]
Guarded = tuple[Element, tuple[Condition, ...]]


class Clauses:
    """Writes the conditions of one expression.

    Args:
        scope: where the fields' values stand.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.database = scope.ground.database

    def condition(self, clause: Clause) -> Condition:
        """Return the condition that is true where the clause is, and false or NULL elsewhere."""
        match clause:
            case Not():
                return self.is_not(self.condition(clause.clause))
            case And():
                return and_(true(), *map(self.condition, self.cheapest_first(clause.clauses)))
            case Or():
                return or_(*map(self.condition, self.cheapest_first(clause.clauses)))
            case _:
                return self.leaf(clause)

    def cheapest_first(self, clauses: Iterable[Clause]) -> list[Clause]:
        """Return clauses in an order in which SQLite, which keeps to it, need not look up what nobody asks for."""
        return sorted(clauses, key=self.cost)

    def cost(self, clause: Clause) -> int:
        fields = {field for leaf in leaves_of(clause) for field in fields_of(*operands(leaf))}
        return max((_COSTS.get(type(self.scope.at[field]), 0) for field in fields), default=0)

    def is_not(self, condition: Condition) -> Condition:
        return not_(func.coalesce(condition, false()))

    def leaf(self, leaf: Leaf) -> Condition:
        if not fields_of(*operands(leaf)):
            # compared here: a server would take its own collation for two literals
            return true() if predicate_of(leaf, ())({}) else false()
        match leaf:
            case Compare():
                return self.comparison(leaf)
            case Among():
                return self.among(leaf)
            case Holds():
                return self.holds(leaf)
            case IsMissing():
                missing = self.missing(leaf.value)
                return self.is_not(missing) if leaf.negated else missing
            case Truth():
                return self.truth(leaf.value)
            case Test():
                return self.test(leaf)

    def comparison(self, leaf: Compare) -> Condition:
        scale = max(leaf.left.kind.scale, leaf.right.kind.scale)
        left, guards = self.side(leaf, scale)
        right, further = self.side(_turned(leaf), scale)
        return and_(_COMPARE[leaf.operator](left, right), *guards, *further)

    def side(self, leaf: Compare, scale: int) -> Guarded:
        """Return the left side of a comparison as `guarded` does, of a count as simply as the right side allows."""
        if isinstance(leaf.left, FieldValue) and scale == leaf.left.kind.scale:
            found = self.scope.value(leaf.left.field)
            if found.least is not None and not _may_be_true_of(found.least, leaf):
                # where there is nothing to count no row is joined: NULL serves as well as 0, and an inner join
                return found.raw, found.guards
        return self.guarded(leaf.left, scale)

    def guarded(self, value: Value, scale: int) -> Guarded:
        """Return a value to be compared and what must hold besides, so that an index serves the comparison."""
        if isinstance(value, FieldValue) and scale == value.kind.scale:
            found = self.scope.value(value.field)
            if found.least is None:
                return found.raw, found.guards
        return self.value(value, scale), ()

    def among(self, leaf: Among) -> Condition:
        scale = max(value.kind.scale for value in (leaf.item, *leaf.options))
        item, guards = self.guarded(leaf.item, scale)
        # what leaves 64 bits at the common scale is beyond the item, which does not: the check has made sure
        options = [self.constant(option, scale) for option in leaf.options if _fits(option, scale)]
        if not leaf.negated:
            return and_(item.in_(options), *guards)
        return and_(item.not_in(options) if options else item.is_not(null()), *guards)

    def holds(self, leaf: Holds) -> Condition:
        item = self.value(leaf.item)
        field = leaf.collection.field
        if isinstance(leaf.item, Constant):
            found = self.scope.among(field, item)
            return self.is_not(found) if leaf.negated else found
        found = self.scope.pairs(field, item)
        return and_(item.is_not(None), self.is_not(found)) if leaf.negated else found

    def missing(self, value: Value) -> Condition:
        if isinstance(value, FieldValue) and value.kind.type is FieldType.TEXT_SET:
            return self.is_not(self.scope.among(value.field))
        return self.value(value).is_(null())

    def truth(self, value: Value) -> Condition:
        if isinstance(value, FieldValue) and isinstance(self.scope.at[value.field], Exists):
            return self.scope.among(value.field)
        return self.value(value) == dates.number(1)

    def test(self, leaf: Test) -> Condition:
        text, other = map(self.value, leaf.arguments)
        if leaf.function.name == "contains":
            return self.position(text, other) > 0
        # substr counts code points, as Python does
        length = func.char_length(other) if self.database != "sqlite" else func.length(other)
        return func.substr(text, 1, length, type_=text.type) == other

    def position(self, text: Element, other: Element) -> Element:
        if self.database == "postgresql":
            return func.strpos(text, other)
        return func.instr(text, other)

    def value(self, value: Value, scale: int | None = None) -> Element:
        """Return a value, NULL if missing; numbers in units of 10**-scale, by default their own."""
        if isinstance(value, Constant):
            return self.constant(value, value.kind.scale if scale is None else scale)
        found = self.plain(value)
        factor = 10 ** (scale - value.kind.scale) if scale is not None else 1
        return found if factor == 1 else found * dates.number(factor)

    def plain(self, value: FieldValue | Negation | Arithmetic | Call) -> Element:
        match value:
            case FieldValue():
                whole = self.scope.value(value.field).whole
                return _as_number(whole) if value.kind.type in _NUMBERS else whole
            case Negation():
                return -self.value(value.operand).self_group()
            case Arithmetic():
                return self.arithmetic(value)
            case Call():
                return self.called(value)

    def arithmetic(self, value: Arithmetic) -> Element:
        scale = None if value.operator == "*" else value.kind.scale
        left, right = self.value(value.left, scale), self.value(value.right, scale)
        return _ARITHMETIC[value.operator](left, right)  # type: ignore[no-any-return]

    def called(self, call: Call) -> Element:
        arguments = [self.value(argument) for argument in call.arguments]
        match call.function.name:
            case "month":
                return dates.part(arguments[0], 6, 2)
            case "day":
                return dates.part(arguments[0], 9, 2)
        is_instant = call.arguments[0].kind.type is FieldType.INSTANT
        return dates.days_between(*arguments, instants=is_instant, database=self.database)

    def constant(self, constant: Constant, scale: int) -> Element:
        match constant.value:
            case bool():
                return dates.number(int(constant.value))
            case int() | Decimal():
                units = scaled(constant.value, scale)
                assert units is not None  # the check has made sure that it fits
                return dates.number(units)
            case datetime():
                return dates.number(micros(constant.value))
            case date():
                return literal(constant.value.isoformat(), String())
            case _:
                return literal(constant.value, String())


_NUMBERS = (FieldType.INTEGER, FieldType.DECIMAL, FieldType.INSTANT, FieldType.BOOLEAN)


def _as_number(value: Element) -> Element:
    return type_coerce(value, BigInteger)


def _fits(constant: Constant, scale: int) -> bool:
    return not constant.kind.type.is_number or constant.kind.at_scale(scale).fits


def _turned(leaf: Compare) -> Compare:
    around = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
    return Compare(around.get(leaf.operator, leaf.operator), leaf.right, leaf.left)


def _may_be_true_of(least: int, leaf: Compare) -> bool:
    """Say whether a comparison may be true where its left side is a count of nothing."""
    if not isinstance(leaf.right, Constant):
        return True
    return bool(_COMPARE[leaf.operator](least, leaf.right.value))
