"""Conditions as text: parsed, checked against typed fields, compiled and explained.

    condition = check('orders.count >= 3 and contact.country in ("DE", "AT")', fields)
    is_regular = condition.compile()
    is_regular({"orders.count": 4, "contact.country": "AT"})

Two-valued throughout: a comparison with a missing value is false, `not` of it is true, `x is missing` asks. A set is
never missing in a comparison: an absent one is the empty set, so that `"vip" not in contact.tags` is true without tags.
"""

from __future__ import annotations

from crmkit.expressions.check import check
from crmkit.expressions.explain import Explanation, Operand, Outcome, explain
from crmkit.expressions.expression import Expression, compile_expression
from crmkit.expressions.fields import Field
from crmkit.expressions.kinds import FieldType, Kind
from crmkit.expressions.parse import parse

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
