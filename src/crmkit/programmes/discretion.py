"""What is kept of a contact when a rule has decided: reasons and traces stand in the log, which outlives an erasure."""

from __future__ import annotations

from crmkit.expressions import Explanation, Field, FieldType, Outcome
from crmkit.expressions.explainer import Operand
from crmkit.expressions.tree import fields_of

#: Names that begin so tell nothing of who somebody is.
_PLAIN = frozenset("order at streak orders segment consent member loyalty line now today".split())
_PLAIN_OF_CONTACT = frozenset(
    f"contact.{name}" for name in "stage kind locale country zone classification source created_at".split()
)


def is_personal(field: Field) -> bool:
    """Return whether the value of a field may tell who somebody is: a text or date of a contact or an event."""
    if field.type.is_number or field.type is FieldType.BOOLEAN:
        return False
    return field.name.partition(".")[0] not in _PLAIN and field.name not in _PLAIN_OF_CONTACT


def reason(explanation: Explanation) -> str:
    """Return the clauses that decided, with the values they saw but for personal ones."""
    return "; ".join(map(_clause, explanation.deciding))


def _clause(leaf: Outcome) -> str:
    seen = f": {', '.join(map(_operand, leaf.operands))}" if leaf.operands else ""
    return f"{leaf.text} is {'true' if leaf.answer else 'false'}{seen}"


def _operand(operand: Operand) -> str:
    is_missing = operand.value is None or operand.value == frozenset()
    hidden = not is_missing and any(map(is_personal, fields_of(operand.operand)))
    return f"{operand.text} is personal" if hidden else str(operand)
