"""Which clause decided: the truth of every clause with the values that it saw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import add, mul, sub
from typing import Any

import attrs

from crmkit.expressions.expression import Expression
from crmkit.expressions.fields import Field
from crmkit.expressions.kinds import FieldType
from crmkit.expressions.plan import Step
from crmkit.expressions.render import shown, value_text
from crmkit.expressions.tree import And, Arithmetic, Call, Clause, Constant, FieldValue, Negation, Or, Value
from crmkit.expressions.values import COLLECTIONS, EXACT

_INTEGERS: dict[str, Callable[[Any, Any], Any]] = {"+": add, "-": sub, "*": mul}
_DECIMALS: dict[str, Callable[[Any, Any], Any]] = {"+": EXACT.add, "-": EXACT.subtract, "*": EXACT.multiply}
_WANTED = {
    FieldType.TEXT: "text without NUL and lone surrogates",
    FieldType.INSTANT: "instant with a time zone",
}


@attrs.frozen
class Operand:
    """What one operand of a clause was.

    Args:
        operand: the operand in the checked tree.
        value: its value; None, or for a set the empty set, if it was missing.
    """

    operand: Value
    value: object

    @property
    def text(self) -> str:
        """The operand as an expression."""
        return value_text(self.operand)

    def __str__(self) -> str:
        missing = self.value is None or self.value == frozenset()
        return f"{self.text} is missing" if missing else f"{self.text} = {shown(self.value)}"


@attrs.frozen
class Outcome:
    """What one clause came to.

    Args:
        text: the clause as an expression.
        clause: the clause in the checked tree.
        answer: whether it was true.
        operands: for a clause without clauses in it, what it looked at, constants left out.
        parts: the outcomes of the clauses in it.
    """

    text: str
    clause: Clause
    answer: bool
    operands: tuple[Operand, ...] = ()
    parts: tuple[Outcome, ...] = ()

    @property
    def deciding(self) -> tuple[Outcome, ...]:
        """The innermost outcomes that decided: of a false `and` the false ones, of a true `or` the true ones."""
        if not self.parts:
            return (self,)
        one_is_enough = isinstance(self.clause, And | Or) and self.answer is isinstance(self.clause, Or)
        parts = [part for part in self.parts if not one_is_enough or part.answer is self.answer]
        return tuple([leaf for part in parts for leaf in part.deciding])

    def __str__(self) -> str:
        seen = f": {', '.join(map(str, self.operands))}" if self.operands else ""
        return f"{self.text} is {'true' if self.answer else 'false'}{seen}"


@attrs.frozen
class Explanation:
    """The answer of an expression for some facts, and why.

    Args:
        expression: the expression.
        truths: whether each clause was true, the outermost first, each before the clauses in it.
        read: what each of the expression's fields counted as, in their order; None for missing.
        notes: the fields that had a value which counts as missing, each with the reason.
    """

    expression: Expression
    truths: tuple[bool, ...]
    read: tuple[object, ...]
    notes: tuple[tuple[str, str], ...] = ()

    @property
    def answer(self) -> bool:
        """Whether the expression is true of the facts."""
        return self.truths[0]

    @property
    def values(self) -> dict[str, object]:
        """The facts as they were read: evaluating the expression with them gives the same answer."""
        return {field.name: value for field, value in zip(self.expression.fields, self.read, strict=True)}

    @property
    def outcome(self) -> Outcome:
        """What the whole expression and every clause in it came to."""
        return self._outcome(self.expression.plan, self.values)

    @property
    def deciding(self) -> tuple[Outcome, ...]:
        """The clauses without clauses in them that decided the answer; at least one."""
        return self.outcome.deciding

    def __bool__(self) -> bool:
        return self.answer

    def __str__(self) -> str:
        outcome = self.outcome
        lines = [f"{outcome}, because", *(f"  {leaf}" for leaf in outcome.deciding)]
        lines = lines if outcome.parts else [str(outcome)]
        return "\n".join(lines + [f"  ({name} counts as missing: {reason})" for name, reason in self.notes])

    def _outcome(self, step: Step, values: Mapping[str, Any]) -> Outcome:
        operands = tuple([Operand(operand, _value_of(operand, values)) for operand in step.operands])
        parts = tuple([self._outcome(part, values) for part in step.parts])
        return Outcome(step.text, step.clause, self.truths[step.position], operands, parts)


def explain(expression: Expression, facts: Mapping[str, object]) -> Explanation:
    """Return the answer of the expression for the facts, with the clauses that decided it.

    The truth of every clause and the values are taken down here; they are put into words when asked for.

    Args:
        expression: what `check` returned.
        facts: field names and values; what is absent, None or of a wrong type counts as missing.
    """
    truths, read, odd = expression.observer(facts)
    return Explanation(expression, truths, read, _notes(expression.fields, read, facts) if odd else ())


def _notes(
    fields: tuple[Field, ...], read: tuple[object, ...], facts: Mapping[str, object]
) -> tuple[tuple[str, str], ...]:
    notes = []
    for field, value in zip(fields, read, strict=True):
        if value is None or value == frozenset():
            given = facts.get(field.name)
            if given is not None and not (value == frozenset() and issubclass(type(given), COLLECTIONS)):
                notes.append((field.name, f"{type(given).__name__} given, {_wanted(field)} wanted"))
    return tuple(notes)


def _wanted(field: Field) -> str:
    if field.bound is not None:
        return f"{field.kind} from {field.bound[0]} to {field.bound[1]}"
    return _WANTED.get(field.type, str(field.kind))


def _value_of(value: Value, values: Mapping[str, Any]) -> Any:
    match value:
        case Constant():
            return value.value
        case FieldValue():
            return values[value.field.name]
        case Negation():
            return _applied(_negative, (value.operand,), values)
        case Arithmetic():
            functions = _INTEGERS if value.kind.type is FieldType.INTEGER else _DECIMALS
            return _applied(functions[value.operator], (value.left, value.right), values)
        case Call():
            return _applied(value.function.python, value.arguments, values)


def _applied(function: Callable[..., Any], arguments: tuple[Value, ...], values: Mapping[str, Any]) -> Any:
    found = [_value_of(argument, values) for argument in arguments]
    return None if None in found else function(*found)


def _negative(number: Any) -> Any:
    return -number if type(number) is int else EXACT.minus(number)
