"""Custom fields: which values a declared field takes, and how they are kept.

A text, a member of a set and a date (ISO 8601) are kept as text; the others as a whole number: a decimal in units of
10**-scale, an instant in microseconds since 1970, a boolean as 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from crmkit.clock import from_micros, micros
from crmkit.errors import ValueRefused
from crmkit.expressions.fields import Field
from crmkit.expressions.kinds import FieldType
from crmkit.expressions.values import reader, unscaled
from crmkit.text import clean

#: The greatest length of a text, and of a member of a set.
TEXT_LIMIT = 500
MEMBER_LIMIT = 1000

Value = str | int | Decimal | bool | datetime | date | frozenset[str]
#: A row's text and number.
Kept = tuple[str, int]

_WANTED: Mapping[FieldType, str] = {
    FieldType.TEXT: "a text such as 'gold'",
    FieldType.INTEGER: "a whole number such as 3",
    FieldType.DECIMAL: "a Decimal or whole number such as Decimal('9.50')",
    FieldType.BOOLEAN: "True or False",
    FieldType.INSTANT: "an aware datetime",
    FieldType.DATE: "a date such as date(2026, 9, 1)",
    FieldType.TEXT_SET: "a set of texts such as {'a', 'b'}",
}


def checked(field: Field, value: object) -> Value:
    """Return a value as the field holds it: text in NFC, decimals at the field's scale, instants in UTC.

    Args:
        field: the declared field.
        value: what somebody gives it.

    Raises:
        ValueRefused: if it is of another type, out of bound or too long; the message says what would be right.
    """
    if field.type is FieldType.TEXT_SET:
        return _members(field, value)
    found = reader(field)(value)
    if found is None:
        raise ValueRefused(f"field {field.name!r} is {value!r}; it must be {wanted(field)}")
    if field.type is FieldType.TEXT:
        return clean(str(found), f"field {field.name!r}", limit=TEXT_LIMIT, multiline=True)
    return found  # type: ignore[return-value]


def wanted(field: Field) -> str:
    """Return which values a field takes, for people."""
    text = _WANTED[field.type]
    if field.type is FieldType.DECIMAL:
        text += f" with at most {field.scale} decimal places"
    return text + (f" from {field.bound[0]} to {field.bound[1]}" if field.bound is not None else "")


def _members(field: Field, value: object) -> frozenset[str]:
    if not isinstance(value, (set, frozenset, list, tuple)) or any(not isinstance(one, str) for one in value):
        raise ValueRefused(f"field {field.name!r} is {value!r}; it must be {wanted(field)}")
    if len(value) > MEMBER_LIMIT:
        raise ValueRefused(f"field {field.name!r} has {len(value)} members; at most {MEMBER_LIMIT} are kept")
    what = f"member of field {field.name!r}"
    return frozenset(clean(one, what, limit=TEXT_LIMIT, multiline=True) for one in value)


def kept(field: Field, value: Value) -> list[Kept]:
    """Return the rows that keep a checked value: one, or of a set one for each member."""
    if isinstance(value, frozenset):
        return [(member, 0) for member in sorted(value)]
    if isinstance(value, str):
        return [(value, 0)]
    if isinstance(value, datetime):
        return [("", micros(value))]
    if isinstance(value, date):
        return [(value.isoformat(), 0)]
    if isinstance(value, Decimal):
        return [("", int(value.scaleb(field.scale)))]
    return [("", int(value))]


def restored(field: Field, rows: Iterable[Kept]) -> Value:
    """Return the value that rows keep."""
    found = list(rows)
    if field.type is FieldType.TEXT_SET:
        return frozenset(text for text, _ in found)
    text, number = found[0]
    return _RESTORED[field.type](field, text, number)


_RESTORED: Mapping[FieldType, Callable[[Field, str, int], Value]] = {
    FieldType.TEXT: lambda field, text, number: text,
    FieldType.INTEGER: lambda field, text, number: number,
    FieldType.DECIMAL: lambda field, text, number: unscaled(number, field.scale),
    FieldType.BOOLEAN: lambda field, text, number: bool(number),
    FieldType.INSTANT: lambda field, text, number: from_micros(number),
    FieldType.DATE: lambda field, text, number: date.fromisoformat(text),
}


def parsed(field: Field, text: str) -> Value:
    """Return the value that somebody wrote as text, in a file or a form.

    Members of a set stand between commas. A backslash makes the comma, space or backslash after it a part of the
    member, and `\\-` is a member without characters.

    Args:
        field: the declared field.
        text: the text, without what stands around it.

    Raises:
        ValueRefused: if it is no such value.
    """
    try:
        is_text = field.type in (FieldType.TEXT, FieldType.TEXT_SET)
        return checked(field, _PARSED[field.type](text if is_text else text.strip()))
    except (ValueError, InvalidOperation, ArithmeticError) as error:
        if isinstance(error, ValueRefused):
            raise
        raise ValueRefused(f"field {field.name!r} is {text[:60]!r}; it must be {wanted(field)}") from None


def written(value: object) -> str:
    """Return a value as text that `parsed` reads back."""
    if isinstance(value, frozenset):
        return ", ".join(map(_escaped, sorted(value)))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return "" if value is None else str(value)


def _boolean(text: str) -> bool:
    found = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(text.lower())
    if found is None:
        raise ValueError
    return found


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _escaped(member: str) -> str:
    text = member.replace("\\", "\\\\").replace(",", "\\,")
    inner = text.strip()
    before, _, after = text.partition(inner) if inner else (text, "", "")
    return (
        "".join(f"\\{space}" for space in before) + inner + "".join(f"\\{space}" for space in after) or "\\-"
    )


def _split(text: str) -> frozenset[str]:
    found, member, is_given = set(), list[tuple[str, bool]](), False
    chars = iter(f"{text},")
    for char in chars:
        if char == "\\":
            protected, is_given = next(chars), True
            member += [(protected, True)] if protected != "-" else []
        elif char == ",":
            if is_given or any(not one.isspace() for one, _ in member):
                found.add(_stripped(member))
            member, is_given = [], False
        else:
            member.append((char, False))
    if member:  # the last comma was protected
        found.add(_stripped(member[:-1]))
    return frozenset(found)


def _stripped(member: list[tuple[str, bool]]) -> str:
    """Return a member without the space around it that no backslash protects."""
    kept = [number for number, (char, protected) in enumerate(member) if protected or not char.isspace()]
    inner = member[kept[0] : kept[-1] + 1] if kept else []
    return "".join(char for char, _ in inner)


_PARSED: Mapping[FieldType, Callable[[str], object]] = {
    FieldType.TEXT: str,
    FieldType.INTEGER: int,
    FieldType.DECIMAL: Decimal,
    FieldType.BOOLEAN: _boolean,
    FieldType.INSTANT: _instant,
    FieldType.DATE: date.fromisoformat,
    FieldType.TEXT_SET: _split,
}
