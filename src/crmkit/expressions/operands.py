"""The check of values: names resolved, types fitting, numbers within 64 bits by the declared bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import attrs

from crmkit.errors import ExpressionError
from crmkit.expressions import syntax, wording
from crmkit.expressions.fields import MISSING, Field
from crmkit.expressions.functions import CONSTRUCTORS, FUNCTIONS, Function
from crmkit.expressions.kinds import FieldType, Kind, combined, negated
from crmkit.expressions.literals import constructed, number_constant
from crmkit.expressions.render import value_text
from crmkit.expressions.sources import Inlined, Loaded, Ratio
from crmkit.expressions.tree import Arithmetic, Call, Constant, FieldValue, Negation, Value

S = TypeVar("S")


@attrs.define
class Operands:
    """Checks the operands of one expression, and takes down what they use.

    Args:
        text: the expression.
        fields: the declared fields by name.
        used: the fields that are read.
        declared: the fields that were met in the text.
        python_only: the reasons, as keys, why the expression has no SQL twin.
    """

    text: str
    fields: Mapping[str, Field]
    used: dict[str, Field] = attrs.field(factory=dict)
    declared: dict[str, Field] = attrs.field(factory=dict)
    python_only: dict[str, None] = attrs.field(factory=dict)

    def value(self, node: syntax.Operand) -> Value:
        match node:
            case syntax.Name():
                return self.name(node)
            case syntax.Literal():
                return self.literal(node)
            case syntax.Minus():
                return self.minus(node)
            case syntax.Sum():
                return self.arithmetic(node)
            case syntax.Invocation() if node.function in CONSTRUCTORS:
                return self.constructed(node)
            case syntax.Invocation():
                return self.call(node)
            case syntax.Items():
                raise self.refusal("a tuple, list or set of literals stands only after in or not in", node)
            case _:
                raise self.refusal(
                    "a condition cannot be an operand; join conditions with and, or, not", node
                )

    def name(self, node: syntax.Name) -> Value:
        field = self.fields.get(node.name)
        if field is None:
            raise self.refusal(self.unknown(node.name), node)
        if isinstance(field.source, Ratio):
            raise self.refusal(
                f"{field.name} is an average: it can stand alone on one side of == != < <= > >= and before is "
                "missing, and nowhere else",
                node,
            )
        if isinstance(field.source, Inlined):
            raise self.refusal(f"{field.name} is a condition of its own, which cannot be an operand", node)
        return self.read(field)

    def read(self, field: Field) -> FieldValue:
        """Return the value of a field, which the expression reads from now on."""
        self.used[field.name] = self.declared[field.name] = field
        if isinstance(field.source, Loaded):
            self.python_only[f"{field.name}: it is kept where SQL cannot ask for it"] = None
        return FieldValue(field)

    def named(self, node: syntax.Operand, kind: type[S]) -> S | None:
        """Return the source of the field that stands here alone, if it is of that kind."""
        field = self.fields.get(node.name) if isinstance(node, syntax.Name) else None
        if field is None or not isinstance(field.source, kind):
            return None
        self.declared[field.name] = field
        return field.source

    def unknown(self, name: str) -> str:
        if name == MISSING:
            return "missing stands only after is or is not; write x is missing"
        if name in FUNCTIONS or name in CONSTRUCTORS:
            return f"{name} is a function; call it, as in {name}(...)"
        return wording.unknown("name", name, self.fields)

    def literal(self, node: syntax.Literal) -> Value:
        if isinstance(node.value, str):
            return Constant(node.value, Kind(FieldType.TEXT))
        if isinstance(node.value, bool):  # before the integers, which it is one of to Python
            return Constant(node.value, Kind(FieldType.BOOLEAN))
        constant = number_constant(node.value)
        if constant is None:
            raise self.refusal(
                f"the number {wording.short(node.value)} does not fit 64 bits with at most 18 decimal places",
                node,
            )
        return Constant(*constant)

    def minus(self, node: syntax.Minus) -> Value:
        operand = self.value(node.operand)
        if not operand.kind.type.is_number:
            raise self.refusal(f"- needs a number, and {wording.named(operand)} is none", node)
        return self.fitting(Negation(operand, negated(operand.kind)), node)

    def side(self, node: syntax.Operand, ratio: Ratio | None) -> Value:
        """Return a side of a comparison; of an average what is divided."""
        return self.value(node) if ratio is None else self.read(ratio.of)

    def product(self, left: Value, right: Value, node: syntax.Operand) -> Value:
        """Return one number times another."""
        if not left.kind.type.is_number:
            raise self.refusal(f"an average is a number, and {wording.named(left)} is none", node)
        return self.fitting(Arithmetic("*", left, right, combined("*", left.kind, right.kind)), node)

    def arithmetic(self, node: syntax.Sum) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        if not (left.kind.type.is_number and right.kind.type.is_number):
            raise self.refusal(
                f"{node.operator} needs two numbers, and has {wording.named(left)} and {wording.named(right)}",
                node,
            )
        kinds = left.kind, right.kind
        if node.operator != "*":
            kinds = self.aligned(left, right, node)
        return self.fitting(Arithmetic(node.operator, left, right, combined(node.operator, *kinds)), node)

    def call(self, node: syntax.Invocation) -> Value:
        function, arguments = self.invocation(node)
        if function.result is None:
            raise self.refusal(f"{function.name}(...) is a condition, which cannot be an operand", node)
        return Call(function, arguments, function.result)

    def invocation(self, node: syntax.Invocation) -> tuple[Function, tuple[Value, ...]]:
        function = FUNCTIONS.get(node.function)
        if function is None:
            known = (*FUNCTIONS, *CONSTRUCTORS)
            raise self.refusal(wording.unknown("function", node.function, known), node)
        arguments = tuple(self.value(argument) for argument in node.arguments)
        if tuple(argument.kind.type for argument in arguments) not in function.parameters:
            wanted = " or ".join(wording.signature(function.name, types) for types in function.parameters)
            given = ", ".join(map(wording.named, arguments)) or "nothing"
            raise self.refusal(f"{node.function} is called as {wanted}, and was given {given}", node)
        if function.python_only:
            self.python_only[f"{function.name}: {function.python_only}"] = None
        return function, arguments

    def constructed(self, node: syntax.Invocation) -> Value:
        example = "2026-01-31" if node.function == "date" else "2026-01-31T00:00:00+00:00"
        match node.arguments:
            case (syntax.Literal(value=str() as written),):
                value = constructed(node.function, written)
            case _:
                raise self.refusal(
                    f'{node.function} takes one text literal, as in {node.function}("{example}")', node
                )
        if value is None:
            raise self.refusal(
                f"{node.function} cannot read {wording.short(written)}; write it as in {example}", node
            )
        return Constant(value, Kind(FieldType(node.function)))

    def comparable(self, left: Value, right: Value, node: syntax.Operand) -> None:
        if left.kind.type.is_number and right.kind.type.is_number:
            self.aligned(left, right, node)
        elif left.kind.type is not right.kind.type:
            raise self.refusal(
                f"cannot compare {wording.named(left)} with {wording.named(right)}{wording.remedy(left, right)}",
                node,
            )

    def aligned(self, left: Value, right: Value, node: syntax.Operand) -> tuple[Kind, Kind]:
        scale = max(left.kind.scale, right.kind.scale)
        for value in (left, right):
            if not value.kind.at_scale(scale).fits:
                raise self.refusal(
                    f"{value_text(value)} may leave 64 bits when it is brought to {scale} decimal places, those of "
                    f"the other side{wording.narrower(value)}",
                    node,
                )
        return left.kind.at_scale(scale), right.kind.at_scale(scale)

    def fitting(self, value: Value, node: syntax.Operand) -> Value:
        kind = value.kind
        if not kind.fits:
            raise self.refusal(
                f"{value_text(value)} may leave 64 bits: it ranges from {kind.low} to {kind.high}"
                f"{f' in units of 10**-{kind.scale}' if kind.scale else ''}{wording.narrower(value)}",
                node,
            )
        return value

    def refusal(self, message: str, node: syntax.Operand) -> ExpressionError:
        return ExpressionError(f"{message}, at column {node.column}", text=self.text, column=node.column)
