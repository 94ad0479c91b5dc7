"""Values as Python code that can be pasted into a test: what a failing example is shown as."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

import attrs

from crmkit.orders import Order

_UNITS = ("days", "seconds", "microseconds")


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
