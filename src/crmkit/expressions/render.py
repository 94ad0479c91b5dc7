"""Checked trees and values as text: a rendered expression means the same when it is read again."""

from __future__ import annotations

import datetime
import decimal

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
    Negation,
    Not,
    Or,
    Test,
    Truth,
    Value,
)

_LONGEST = 80


def clause_text(clause: Clause) -> str:
    """Return the clause as an expression."""
    match clause:
        case Not():
            return f"not {_grouped(clause.clause)}"
        case And():
            return " and ".join(map(_grouped, clause.clauses))
        case Or():
            return " or ".join(map(_grouped, clause.clauses))
        case Compare():
            return f"{value_text(clause.left)} {clause.operator} {value_text(clause.right)}"
        case Among():
            options = ", ".join(map(value_text, clause.options))
            return f"{value_text(clause.item)} {_word('in', clause.negated)} [{options}]"
        case Holds():
            return f"{value_text(clause.item)} {_word('in', clause.negated)} {value_text(clause.collection)}"
        case IsMissing():
            return f"{value_text(clause.value)} {'is not missing' if clause.negated else 'is missing'}"
        case Truth():
            return value_text(clause.value)
        case Test():
            return _call_text(clause)


def value_text(value: Value) -> str:
    """Return the value as an operand of an expression."""
    match value:
        case Constant():
            return constant_text(value.value)
        case FieldValue():
            return value.field.name
        case Negation():
            inner = value_text(value.operand)
            return f"-({inner})" if isinstance(value.operand, Arithmetic) else f"-{inner}"
        case Arithmetic():
            return _sum_text(value)
        case Call():
            return _call_text(value)


def constant_text(value: object) -> str:
    """Return a constant as the language writes it; a decimal always has a point."""
    match value:
        case str():
            return '"' + "".join(map(_escaped, value)) + '"'
        case decimal.Decimal():
            plain = format(value, "f")
            return plain if "." in plain else f"{plain}.0"
        case datetime.datetime():
            return f'instant("{value.isoformat()}")'
        case datetime.date():
            return f'date("{value.isoformat()}")'
        case _:
            return repr(value)


def shown(value: object) -> str:
    """Return a value for people: a constant's text, or a set's items in order, cut at 80 characters."""
    if isinstance(value, frozenset):
        text = "{" + ", ".join(map(constant_text, sorted(value))) + "}"
    elif isinstance(value, decimal.Decimal):
        text = format(value, "f")
    else:
        text = constant_text(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _grouped(clause: Clause) -> str:
    text = clause_text(clause)
    return f"({text})" if isinstance(clause, And | Or) else text


def _word(word: str, is_negated: bool) -> str:
    return f"not {word}" if is_negated else word


def _sum_text(value: Arithmetic) -> str:
    left, right = value_text(value.left), value_text(value.right)
    if isinstance(value.left, Arithmetic) and value.operator == "*" != value.left.operator:
        left = f"({left})"
    if isinstance(value.right, Arithmetic) and not (value.operator != "*" == value.right.operator):
        right = f"({right})"
    return f"{left} {value.operator} {right}"


def _call_text(call: Call | Test) -> str:
    return f"{call.function.name}({', '.join(map(value_text, call.arguments))})"


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    return char if char.isprintable() else char.encode("unicode_escape").decode()
