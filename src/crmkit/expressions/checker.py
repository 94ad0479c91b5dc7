"""From a text and the declared fields to a checked expression: conditions, and the values that they compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from crmkit.errors import ExpressionError
from crmkit.expressions import syntax, wording
from crmkit.expressions.expression import Expression
from crmkit.expressions.fields import Field
from crmkit.expressions.functions import CONSTRUCTORS
from crmkit.expressions.kinds import FieldType, Kind
from crmkit.expressions.operands import Operands
from crmkit.expressions.parser import parse
from crmkit.expressions.render import value_text
from crmkit.expressions.sources import Inlined, Ratio
from crmkit.expressions.tree import (
    Among,
    And,
    Clause,
    Compare,
    Constant,
    FieldValue,
    Holds,
    IsMissing,
    Not,
    Or,
    Test,
    Truth,
    Value,
    fields_of,
)

_EQUALITY = ("==", "!=")
NOTHING = Constant(0, Kind(FieldType.INTEGER))


def check(text: str, fields: Iterable[Field] | Mapping[str, Field]) -> Expression:
    """Return the expression, checked against the fields that it may use.

    Args:
        text: the expression.
        fields: the declared fields, each name once, or a mapping of their names to them.

    Raises:
        ExpressionError: if the text is no expression, a name is unknown, types do not fit, the whole is no condition,
            or a number could leave 64 bits by the declared bounds.
    """
    operands = Operands(text, fields if isinstance(fields, Mapping) else _by_name(fields))
    tree = _Checker(operands).clause(parse(text))
    used = tuple(operands.used[name] for name in sorted(operands.used))
    declared = tuple(operands.declared[name] for name in sorted(operands.declared))
    return Expression(text, tree, used, tuple(operands.python_only), declared)


def _by_name(fields: Iterable[Field]) -> dict[str, Field]:
    named: dict[str, Field] = {}
    for field in fields:
        if named.setdefault(field.name, field) != field:
            raise ExpressionError(f"field {field.name} is declared twice: {named[field.name]} and {field}")
    return named


@attrs.frozen
class _Checker:
    operands: Operands

    def clause(self, node: syntax.Operand) -> Clause:
        match node:
            case syntax.Joined():
                clauses = tuple(self.clause(operand) for operand in node.operands)
                return And(clauses) if node.word == "and" else Or(clauses)
            case syntax.Negated():
                return Not(self.clause(node.operand))
            case syntax.Absence():
                return self.absence(node)
            case syntax.Comparison(operator="in" | "not in"):
                return self.membership(node)
            case syntax.Comparison():
                return self.comparison(node)
            case syntax.Invocation() if node.function not in CONSTRUCTORS:
                return self.test(node)
            case _:
                return self.truth(node)

    def truth(self, node: syntax.Operand) -> Clause:
        if (inlined := self.operands.named(node, Inlined)) is not None:
            return self.inlined(inlined.expression)
        value = self.operands.value(node)
        if value.kind.type is not FieldType.BOOLEAN:
            raise self.operands.refusal(
                f"{value_text(value)} is {value.kind}, and a condition must be true or false; "
                f"compare it{wording.comparison_with(value)}",
                node,
            )
        return Truth(value)

    def inlined(self, expression: Expression) -> Clause:
        self.operands.used.update((field.name, field) for field in expression.fields)
        self.operands.python_only.update(dict.fromkeys(expression.python_only))
        return expression.tree

    def test(self, node: syntax.Invocation) -> Clause:
        function, arguments = self.operands.invocation(node)
        if function.result is None:
            return Test(function, arguments)
        raise self.operands.refusal(
            f"{function.name}(...) is {function.result}, and a condition must be true or false; compare it, "
            f"for example {function.name}(...) > 0",
            node,
        )

    def absence(self, node: syntax.Absence) -> Clause:
        if (ratio := self.operands.named(node.operand, Ratio)) is not None:
            there = Compare(">", self.operands.read(ratio.by), NOTHING)
            return there if node.negated else Not(there)
        value = self.operands.value(node.operand)
        if not fields_of(value):
            raise self.operands.refusal(
                f"{value_text(value)} is a constant, which is never missing; ask it of a field", node
            )
        return IsMissing(value, node.negated)

    def comparison(self, node: syntax.Comparison) -> Clause:
        left, right = (self.operands.named(side, Ratio) for side in (node.left, node.right))
        return self.plain(node) if left is None and right is None else self.ratios(node, left, right)

    def ratios(self, node: syntax.Comparison, left: Ratio | None, right: Ratio | None) -> Clause:
        """Return a comparison of averages, brought to one of products: a / b > c is a > c * b where b is positive."""
        sides = self.operands.side(node.left, left), self.operands.side(node.right, right)
        counts = [None if ratio is None else self.operands.read(ratio.by) for ratio in (left, right)]
        over, under = (
            side if count is None else self.operands.product(side, count, node)
            for side, count in zip(sides, reversed(counts), strict=True)
        )
        self.operands.comparable(over, under, node)
        there = [Compare(">", count, NOTHING) for count in counts if count is not None]
        return And((Compare(node.operator, over, under), *there))

    def plain(self, node: syntax.Comparison) -> Clause:
        left, right = self.operands.value(node.left), self.operands.value(node.right)
        self.operands.comparable(left, right, node)
        for side in (left, right):
            if side.kind.type is FieldType.TEXT_SET:
                raise self.operands.refusal(
                    f'{value_text(side)} is a set of text; ask "..." in {value_text(side)}', node
                )
        if left.kind.type is FieldType.BOOLEAN and node.operator not in _EQUALITY:
            raise self.operands.refusal(
                f"{node.operator} needs an order, and booleans have none; use == or !=", node
            )
        return Compare(node.operator, left, right)

    def membership(self, node: syntax.Comparison) -> Clause:
        item, negated_ = self.operands.value(node.left), node.operator == "not in"
        if isinstance(node.right, syntax.Items):
            return Among(item, self.options(item, node.right), negated_)
        collection = self.operands.value(node.right)
        if not isinstance(collection, FieldValue) or collection.kind.type is not FieldType.TEXT_SET:
            raise self.operands.refusal(
                f"{value_text(collection)} is {collection.kind}; after {node.operator} stands a set field "
                'or a literal tuple, such as ("DE", "AT")',
                node.right,
            )
        if item.kind.type is not FieldType.TEXT:
            raise self.operands.refusal(
                f"{wording.named(item)} cannot be in {wording.named(collection)}, which holds text", node
            )
        return Holds(item, collection, negated_)

    def options(self, item: Value, node: syntax.Items) -> tuple[Constant, ...]:
        options = []
        for option in node.items:
            value = self.operands.value(option)
            if not isinstance(value, Constant):
                raise self.operands.refusal(
                    f"{value_text(value)} is no literal, and a list after in holds only literals", option
                )
            self.operands.comparable(item, value, option)
            options.append(value)
        if not options:
            raise self.operands.refusal(
                "the list after in is empty, so that nothing can be in it; name at least one value", node
            )
        if item.kind.type is FieldType.TEXT_SET:
            raise self.operands.refusal(
                f'{value_text(item)} is a set of text; ask "..." in {value_text(item)}', node
            )
        return tuple(options)
