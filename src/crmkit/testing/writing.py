"""Values as Python code that can be pasted into a test: what a failing example is shown as."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from importlib import import_module
from typing import Any

import attrs

from crmkit.orders import Order

_WIDTH = 100
_UNITS = ("days", "seconds", "microseconds")
#: Where names of the standard library come from that values are written with.
HOMES = {
    "date": "datetime",
    "datetime": "datetime",
    "timedelta": "datetime",
    "UTC": "datetime",
    "Fraction": "fractions",
    "Decimal": "decimal",
    "UUID": "uuid",
}


def as_code(value: Any) -> str:
    """Return the Python expression that makes an equal value.

    It uses the names of `crmkit`, and `datetime`, `timedelta`, `UTC` and `UUID`. Arguments at their default are
    left out.

    Args:
        value: one of crmkit's values, or plain data of them.
    """
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, date):
        return f"date({value.year}, {value.month}, {value.day})"
    if isinstance(value, timedelta):
        given = [f"{unit}={getattr(value, unit)}" for unit in _UNITS if getattr(value, unit)]
        return f"timedelta({', '.join(given)})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{as_code(key)}: {as_code(item)}" for key, item in value.items()) + "}"
    if type(value) is list:
        return "[" + ", ".join(map(as_code, value)) + "]"
    if type(value) is tuple:
        return (
            "("
            + "".join(f"{as_code(item)}, " for item in value)[: None if len(value) == 1 else -2].rstrip()
            + ")"
        )
    return _call(value) if attrs.has(type(value)) else repr(value)


def as_program(code: str, **more: str) -> str:
    """Return code with the imports that it needs, to be pasted as it stands.

    Args:
        code: as `as_code` writes it, perhaps several lines.
        more: where further names come from, by name.
    """
    public = import_module("crmkit").__all__
    homes = {**dict.fromkeys(public, "crmkit"), **HOMES, **more}
    taken: dict[str, list[str]] = {}
    for name in sorted(names_in(code) & homes.keys()):
        taken.setdefault(homes[name], []).append(name)
    imports = [f"from {home} import {', '.join(names)}" for home, names in sorted(taken.items())]
    return "\n".join([*imports, "", *_lines(code)]) if imports else code


def _lines(code: str) -> Iterator[str]:
    """Yield the statements, those that are long broken up as a formatter would."""
    for statement in ast.parse(code).body:
        begin = f"{ast.unparse(statement.targets[0])} = " if isinstance(statement, ast.Assign) else ""
        value = statement.value if isinstance(statement, (ast.Assign, ast.Expr)) else None
        yield f"{begin}{_laid_out(value, len(begin), 0)}" if value else ast.unparse(statement)


def _laid_out(node: ast.expr, before: int, depth: int) -> str:
    text = ast.unparse(node)
    if before + len(text) <= _WIDTH or not isinstance(node, (ast.Call, ast.List)):
        return text
    inner, outer = "    " * (depth + 1), "    " * depth
    items = node.elts if isinstance(node, ast.List) else node.args
    parts = [f"{inner}{_laid_out(item, len(inner) + 1, depth + 1)}," for item in items]
    for one in node.keywords if isinstance(node, ast.Call) else ():
        named = f"{inner}{one.arg}="
        parts.append(f"{named}{_laid_out(one.value, len(named) + 1, depth + 1)},")
    first, last = ("[", "]") if isinstance(node, ast.List) else (f"{ast.unparse(node.func)}(", ")")
    return "\n".join([first, *parts, f"{outer}{last}"])


def names_in(code: str) -> set[str]:
    """Return the names that code uses, those of attributes and arguments aside."""
    try:
        tree = ast.parse(code)
    except SyntaxError:  # some value has no code that makes it
        return set()
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _instant(value: datetime) -> str:
    parts = [*value.timetuple()[:6], value.microsecond]
    while len(parts) > 3 and parts[-1] == 0:
        parts.pop()
    zone = "UTC" if value.tzinfo is UTC else repr(value.tzinfo)
    return f"datetime({', '.join(map(str, parts))}, tzinfo={zone})"


def _call(value: Any) -> str:
    if isinstance(value, Order):
        value = _unnumbered(value)
    words = []
    for field in attrs.fields(type(value)):
        given = getattr(value, field.name)
        if not field.init or given == _default(field, value):
            continue
        name = "" if not field.kw_only and field.default is attrs.NOTHING else f"{field.alias}="
        words.append(name + as_code(given))
    return f"{type(value).__name__}({', '.join(words)})"


def _default(field: attrs.Attribute[Any], value: Any) -> Any:
    default: Any = field.default
    if not isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        return default
    return default.factory(value) if default.takes_self else default.factory()


def _unnumbered(order: Order) -> Order:
    """The order without the line ids that it gives by itself."""
    shown = object.__new__(Order)
    for field in attrs.fields(Order):
        object.__setattr__(shown, field.name, getattr(order, field.name))
    lines = [
        attrs.evolve(line, id="") if line.id == str(number) else line
        for number, line in enumerate(order.lines, 1)
    ]
    object.__setattr__(shown, "lines", lines)
    return shown
