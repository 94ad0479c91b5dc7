"""From a checked tree to Python functions.

The source is written from our own nodes only. Names and constants of the expression never stand in it: they are
passed in the namespace under names made here, and there are no builtins. A field is read where it is first needed,
by a test inlined for values that are as they should be; anything else goes through the field's reader.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import cast

import attrs

from crmkit.expressions import inline
from crmkit.expressions.fields import Field
from crmkit.expressions.kinds import FieldType
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
from crmkit.expressions.values import reader, unscaled

Facts = Mapping[str, object]
Predicate = Callable[[Facts], bool]
Observer = Callable[[Facts], tuple[tuple[bool, ...], tuple[object, ...], bool]]

_ARITHMETIC = {"+": "add", "-": "subtract", "*": "multiply"}


def predicate_of(tree: Clause, fields: tuple[Field, ...]) -> Predicate:
    """Return the function from facts to whether the clause is true of them.

    Args:
        tree: a clause that `check` has made.
        fields: the fields that it reads.
    """
    writer = _Writer(tree)
    body = writer.clause(tree, frozenset()).source
    if not writer.trusts_elements:
        return cast(Predicate, writer.function(f"def made(facts):\n return {body}\n"))
    # The elements of a set are compared unseen there, and an element may raise when it is compared.
    writer.namespace["careful"] = lambda facts: observer_of(tree, fields)(facts)[0][0]
    guarded = f"def made(facts):\n try:\n  return {body}\n except Exception:\n  return careful(facts)\n"
    return cast(Predicate, writer.function(guarded))


def observer_of(tree: Clause, fields: tuple[Field, ...]) -> Observer:
    """Return the function from facts to the truth of every clause, outermost first, and the fields' values.

    The third thing it returns is whether a fact was not just as it should be, and may count as missing.

    Args:
        tree: a clause that `check` has made.
        fields: the fields that it reads, in the order in which the values are wanted.
    """
    writer = _Writer(tree)
    lines = ["def made(facts):", " odd = False", *(f" {writer.reading(field)}" for field in fields)]
    truths: list[str] = []
    writer.observe(tree, frozenset(fields), lines, truths)
    values = "".join(f"{writer.variable(field)}, " for field in fields)
    lines.append(f" return ({', '.join(truths)},), ({values}), odd\n")
    return cast(Observer, writer.function("\n".join(lines)))


@attrs.frozen
class _Written:
    """A condition, and the fields that have been read for certain once it is true, or once it is false."""

    source: str
    if_true: frozenset[Field]
    if_false: frozenset[Field]


class _Writer:
    def __init__(self, tree: Clause) -> None:
        self.namespace: dict[str, object] = dict(inline.NAMES)
        self.variables: dict[Field, str] = {}
        self.trusts_elements = False
        values = (value for leaf in leaves_of(tree) for value in operands(leaf))
        self.uses = Counter(field for value in values for field in fields_of(value))

    def function(self, source: str) -> object:
        exec(compile(source, "<crmkit expression>", "exec"), self.namespace)
        return self.namespace["made"]

    def clause(self, clause: Clause, known: frozenset[Field]) -> _Written:
        match clause:
            case Not():
                inner = self.clause(clause.clause, known)
                return _Written(f"not ({inner.source})", inner.if_false, inner.if_true)
            case And():
                parts, ends = self.parts(clause.clauses, known, stops_at=False)
                return _Written(" and ".join(parts), ends[-1].if_true, _common(end.if_false for end in ends))
            case Or():
                parts, ends = self.parts(clause.clauses, known, stops_at=True)
                return _Written(" or ".join(parts), _common(end.if_true for end in ends), ends[-1].if_false)
            case _:
                return self.leaf(clause, known)

    def parts(
        self, clauses: tuple[Clause, ...], known: frozenset[Field], stops_at: bool
    ) -> tuple[list[str], list[_Written]]:
        written = []
        for clause in clauses:
            written.append(self.clause(clause, known))
            known = written[-1].if_false if stops_at else written[-1].if_true
        return [f"({part.source})" for part in written], written

    def observe(self, clause: Clause, known: frozenset[Field], lines: list[str], truths: list[str]) -> str:
        name = f"t{len(truths)}"
        truths.append(name)
        match clause:
            case Not():
                source = f"not {self.observe(clause.clause, known, lines, truths)}"
            case And() | Or():
                word = " and " if isinstance(clause, And) else " or "
                source = word.join([self.observe(part, known, lines, truths) for part in clause.clauses])
            case _:
                source = self.leaf(clause, known).source
        lines.append(f" {name} = {source}")
        return name

    def leaf(self, leaf: Leaf, known: frozenset[Field]) -> _Written:
        values = operands(leaf)
        fields = fields_of(*values)
        source = self.shortcut(leaf, known)
        if source is None:
            present = [
                self.presence(field, known) for field in fields if field.type is not FieldType.TEXT_SET
            ]
            source = self.whole(leaf, present, known)
        # The fields are read in order, so that a false condition is certain to have read the first only.
        ends = known.union(fields), known.union(fields[:1])
        reversed_ = isinstance(leaf, IsMissing) and not leaf.negated
        return _Written(source, *(ends[::-1] if reversed_ else ends))

    def whole(self, leaf: Leaf, present: list[str], known: frozenset[Field]) -> str:
        match leaf:
            case IsMissing():
                return self.missing(leaf, present, known)
            case Compare():
                test = f"{self.value(leaf.left)} {leaf.operator} {self.value(leaf.right)}"
            case Among():
                options = self.named("c", frozenset(option.value for option in leaf.options))
                test = f"{self.value(leaf.item)} {_in(leaf.negated)} {options}"
            case Holds():
                collection = self.texts(leaf.collection.field, known)
                test = f"{self.value(leaf.item)} {_in(leaf.negated)} {collection}"
            case Truth():
                test = self.value(leaf.value)
            case Test():
                test = self.called(leaf)
        return " and ".join([*present, test])

    def missing(self, leaf: IsMissing, present: list[str], known: frozenset[Field]) -> str:
        if isinstance(leaf.value, FieldValue) and leaf.value.kind.type is FieldType.TEXT_SET:
            texts = self.texts(leaf.value.field, known)
            return f"not not {texts}" if leaf.negated else f"not {texts}"
        there = " and ".join(present)
        return there if leaf.negated else f"not ({there})"

    def shortcut(self, leaf: Leaf, known: frozenset[Field]) -> str | None:
        """Return a quicker condition for a field that is read nowhere else, so that it need not be made good."""
        match leaf:
            case Compare(left=FieldValue(field=field), right=Constant() as constant):
                test = inline.comparison(field, leaf.operator, constant)
            case Among(item=FieldValue(field=field), negated=False):
                test = inline.membership(field, leaf.options)
            case Holds(item=Constant() as item, collection=FieldValue(field=field)):
                test = inline.element(item, leaf.negated)
            case _:
                return None
        if test is None or self.uses[field] > 1 or field in known:
            return None
        return self.shortened(field, test)

    def shortened(self, field: Field, test: inline.Test) -> str:
        variable, key, read = self.variable(field), self.named("k", field.name), self.read(field)
        names = {name: self.named("c", value) for name, value in test.constants.items()}
        if field.type is FieldType.TEXT_SET:
            self.trusts_elements = True
            return test.source.format(v=variable, get=f"facts.get({key})", read=read, **names)
        kind = inline.LOOSELY[field.type].format(v=variable, unit=self.unit(field))
        return (
            f"({variable} := facts.get({key})) is not None and ({kind} or ({variable} := {read}({variable})) "
            f"is not None) and {test.source.format(v=variable, **names)}"
        )

    def presence(self, field: Field, known: frozenset[Field]) -> str:
        """Return a condition that is true if the field has a value, and leaves it, or None, in its variable."""
        variable = self.variable(field)
        if field in known:
            return f"{variable} is not None"
        return (
            f"({variable} := facts.get({self.named('k', field.name)})) is not None and "
            f"({self.is_fine(field)} or ({variable} := {self.read(field)}({variable})) is not None)"
        )

    def reading(self, field: Field) -> str:
        """Return a statement that leaves the field's value, or None, in its variable."""
        variable, key = self.variable(field), self.named("k", field.name)
        if field.type is FieldType.TEXT_SET:
            return f"odd = not ({variable} := {self.read(field)}(facts.get({key}))) or odd"
        return (
            f"if (({variable} := facts.get({key})) is not None and not ({self.is_fine(field)})): "
            f"{variable} = {self.read(field)}({variable}); odd = True"
        )

    def is_fine(self, field: Field) -> str:
        kind = field.kind
        limits = {"low": kind.low, "high": kind.high} if kind.type.is_number else {}
        made = {name: self.named("c", inline.number(field, value)) for name, value in limits.items()}
        return inline.STRICTLY[field.type].format(v=self.variable(field), unit=self.unit(field), **made)

    def unit(self, field: Field) -> str:
        return self.named("c", unscaled(1, field.scale)) if field.type is FieldType.DECIMAL else ""

    def read(self, field: Field) -> str:
        return self.named("r", reader(field))

    def texts(self, field: Field, known: frozenset[Field]) -> str:
        """Return an expression for a set field's value, which is never missing."""
        variable = self.variable(field)
        if field in known:
            return variable
        return f"({variable} := {self.read(field)}(facts.get({self.named('k', field.name)})))"

    def value(self, value: Value) -> str:
        match value:
            case Constant():
                return self.named("c", value.value)
            case FieldValue():
                return self.variable(value.field)
            case Negation():
                inner = self.value(value.operand)
                return f"(-{inner})" if value.kind.type is FieldType.INTEGER else f"minus({inner})"
            case Arithmetic():
                left, right = self.value(value.left), self.value(value.right)
                if value.kind.type is FieldType.INTEGER:
                    return f"({left} {value.operator} {right})"
                return f"{_ARITHMETIC[value.operator]}({left}, {right})"
            case Call():
                return self.called(value)

    def called(self, call: Call | Test) -> str:
        function = self.named("f", call.function.python)
        return f"{function}({', '.join(map(self.value, call.arguments))})"

    def variable(self, field: Field) -> str:
        return self.variables.setdefault(field, f"v{len(self.variables)}")

    def named(self, letter: str, value: object) -> str:
        name = f"{letter}{len(self.namespace)}"
        self.namespace[name] = value
        return name


def _in(negated: bool) -> str:
    return "not in" if negated else "in"


def _common(ends: Iterable[frozenset[Field]]) -> frozenset[Field]:
    return frozenset.intersection(*ends)
