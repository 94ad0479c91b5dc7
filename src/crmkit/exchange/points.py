"""Contact points as plain data and back, made anew from what they say, so that nothing unchecked comes in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from unicodedata import name as character

import attrs

from crmkit.contacts import ContactPoint, PointKind, PostalAddress
from crmkit.errors import ValueRefused

#: Invisible characters that turn the direction of text around, which hides what an address really is.
_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c")
_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE")


def point_data(point: ContactPoint) -> dict[str, Any]:
    """Return a point as plain data; what is empty is left out."""
    data: dict[str, Any] = {"kind": point.kind.value, "value": point.value}
    if point.scope:
        data["scope"] = point.scope
    for detail in ("label", "source"):
        if getattr(point, detail):
            data[detail] = getattr(point, detail)
    if point.verified_at is not None:
        data["verified_at"] = point.verified_at.isoformat()
    if point.primary:
        data["primary"] = True
    if point.parts is not None:
        data["parts"] = {name: value for name, value in attrs.asdict(point.parts).items() if value}
    return data


def point_from(data: Any) -> ContactPoint:
    """Return the point of plain data.

    Raises:
        ValueRefused: if it describes none.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("value"), str):
        raise ValueRefused(f"a point must be a table with 'kind' and 'value', not {data!r:.200}")
    point = _address(data)
    verified = data.get("verified_at")
    try:
        return point.with_(
            label=data.get("label", ""),
            source=data.get("source", ""),
            primary=data.get("primary") is True,
            verified_at=datetime.fromisoformat(verified) if verified else None,
        )
    except (TypeError, ValueError) as error:
        raise ValueRefused(f"point {data['value']!r}: {error}") from None


def _address(data: Mapping[str, Any]) -> ContactPoint:
    kind, value, scope = data.get("kind"), data["value"], data.get("scope", "")
    if not isinstance(scope, str):
        raise ValueRefused(f"the scope of a point must be text, not {scope!r:.200}")
    if kind == PointKind.EMAIL:
        return ContactPoint.email(value)
    if kind == PointKind.PHONE:
        return ContactPoint.phone(value)
    if kind == PointKind.HANDLE:
        return ContactPoint.handle(scope, value)
    if kind == PointKind.EXTERNAL:
        return ContactPoint.external(scope, value)
    if kind == PointKind.POSTAL:
        return attrs.evolve(ContactPoint.postal(value, scope), parts=_parts(data.get("parts")))
    raise ValueRefused(f"a point is one of {', '.join(PointKind)}, not {kind!r:.200}")


def _parts(data: Any) -> PostalAddress | None:
    if data is None:
        return None
    try:
        return PostalAddress(**data)
    except TypeError:
        raise ValueRefused(f"the parts of an address must be a table of texts, not {data!r:.200}") from None


def oddity(text: str) -> str:
    """Return what a careful reader should know about an address or a name, or nothing.

    Args:
        text: as it is kept.
    """
    if text.isascii():
        return ""
    if any(char in _TURNING for char in text):
        return "holds characters that turn the direction of the text around"
    scripts = {_script(char) for char in text if char.isalpha()} - {""}
    return f"mixes {' and '.join(sorted(scripts))} letters that look alike" if len(scripts) > 1 else ""


def _script(char: str) -> str:
    first = character(char, "").partition(" ")[0]
    return first if first in _SCRIPTS else ""
