"""How the check speaks of values and names in its errors."""

from __future__ import annotations

from collections.abc import Iterable

from crmkit.expressions.kinds import FieldType
from crmkit.expressions.render import value_text
from crmkit.expressions.tree import Value, fields_of

_LISTED = 20


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Return the complaint about a name that is not among the known ones, with the nearest of them."""
    import difflib  # loads much, and is wanted only for a mistake

    names = sorted(known)
    close = difflib.get_close_matches(name[:100], names, n=1)
    meant = f", did you mean {close[0]}?" if close else "."
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"unknown {what} {name[:100]}{meant} Known are: {', '.join(names[:_LISTED]) or 'none'}{more}"


def named(value: Value) -> str:
    """Return a value with its type."""
    return f"{value_text(value)[:80]} ({value.kind})"


def signature(name: str, types: tuple[FieldType, ...]) -> str:
    """Return how a function is called."""
    return f"{name}({', '.join(type_.value for type_ in types)})"


def comparison_with(value: Value) -> str:
    """Return how a value of the kind could be made a condition."""
    if value.kind.type.is_number:
        return f", for example {value_text(value)} > 0"
    if value.kind.type is FieldType.TEXT_SET:
        return f', for example "..." in {value_text(value)}'
    return " with == or another operator"


def remedy(left: Value, right: Value) -> str:
    """Return what would make the two values comparable, or nothing."""
    types = {left.kind.type, right.kind.type}
    if FieldType.TEXT in types and types & {FieldType.DATE, FieldType.INSTANT}:
        other = (types - {FieldType.TEXT}).pop().value
        return f'; write the {other} as {other}("...")'
    if FieldType.TEXT_SET in types:
        return "; ask whether a text is in the set"
    return ""


def narrower(value: Value) -> str:
    """Return which fields would need a narrower bound, or nothing."""
    names = [field.name for field in fields_of(value) if field.type.is_number]
    return f"; declare a narrower bound on {' and '.join(names)}" if names else ""


def short(value: object) -> str:
    """Return a value as text, cut at 40 characters."""
    text = str(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
