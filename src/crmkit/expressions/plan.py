"""What stays the same in every explanation of one expression: its clauses in order, their text and their operands."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import attrs

from crmkit.expressions.render import clause_text
from crmkit.expressions.tree import (
    And,
    Clause,
    Constant,
    FieldValue,
    Leaf,
    Not,
    Or,
    Value,
    fields_of,
    operands,
)


@attrs.frozen
class Step:
    """One clause of an expression.

    Args:
        position: its place among all clauses, the outermost first, each before the clauses in it.
        clause: the clause.
        text: the clause as an expression.
        operands: the values to show with a clause that has no clauses in it, constants left out.
        parts: the steps of the clauses in it.
    """

    position: int
    clause: Clause
    text: str
    operands: tuple[Value, ...]
    parts: tuple[Step, ...]


def plan_of(tree: Clause) -> Step:
    """Return the outermost step of a checked tree."""
    return _step(tree, count())


def _step(clause: Clause, positions: Iterator[int]) -> Step:
    position = next(positions)
    match clause:
        case Not():
            inside: tuple[Clause, ...] = (clause.clause,)
        case And() | Or():
            inside = clause.clauses
        case _:
            return Step(position, clause, clause_text(clause), _shown(clause), ())
    parts = tuple(_step(part, positions) for part in inside)
    return Step(position, clause, clause_text(clause), (), parts)


def _shown(leaf: Leaf) -> tuple[Value, ...]:
    looked_at = [operand for operand in operands(leaf) if not isinstance(operand, Constant)]
    return tuple(dict.fromkeys([*looked_at, *map(FieldValue, fields_of(*looked_at))]))
