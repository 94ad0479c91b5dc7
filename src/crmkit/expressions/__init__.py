"""Conditions as text: parsed, checked against typed fields, compiled and explained.

    condition = check('orders.count >= 3 and contact.country in ("DE", "AT")', fields)
    is_regular = condition.compile()
    is_regular({"orders.count": 4, "contact.country": "AT"})

Two-valued throughout: a comparison with a missing value is false, `not` of it is true, `x is missing` asks. A set
is never missing in a comparison: an absent one is the empty set, so that `"vip" not in contact.tags` is true of a
contact without tags.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crmkit.expressions.checker import check
    from crmkit.expressions.explainer import Explanation, Operand, Outcome, explain
    from crmkit.expressions.expression import Expression, compile_expression
    from crmkit.expressions.fields import Field
    from crmkit.expressions.kinds import FieldType, Kind
    from crmkit.expressions.parser import parse

__all__ = [
    "Explanation",
    "Expression",
    "Field",
    "FieldType",
    "Kind",
    "Operand",
    "Outcome",
    "check",
    "compile_expression",
    "explain",
    "parse",
]

# Declaring fields is what every host does; the rest is loaded when an expression is met.
_HOMES = {
    "checker": "check",
    "explainer": "Explanation Operand Outcome explain",
    "expression": "Expression compile_expression",
    "fields": "Field",
    "kinds": "FieldType Kind",
    "parser": "parse",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
