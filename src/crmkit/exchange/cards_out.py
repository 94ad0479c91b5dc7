"""Contacts as vCards 4.0; texts and parameters are escaped by vobject."""

from __future__ import annotations

from collections.abc import Iterator

from crmkit.contacts import Contact, ContactKind, ContactPoint, PointKind, PostalAddress
from crmkit.contacts.details import inverse
from crmkit.exchange.cards import grammar
from crmkit.exchange.documents import Exported, fields_of, points_text
from crmkit.exchange.said import SaidRelation

PRODID = "-//crmkit//EN"
_WIDTH = 75  # bytes of a line
#: Fields that a property of the standard carries just as well as one of crmkit's own.
_STANDARD = frozenset("name given_name family_name honorific kind birth_date locale zone".split())
#: The kinds of relations that the standard knows, and what it calls them.
_RELATED = {"relative": "kin"} | {
    kind: kind for kind in ("parent", "child", "spouse", "sibling", "friend", "colleague")
}
_GENDERS = {"m": "M", "f": "F", "x": "O"}
_TYPES = {"mobile": "cell", "fax": "fax", "work": "work", "home": "home", "pager": "pager"}


def vcard(one: Exported) -> str:
    """Return a contact as a vCard 4.0.

    Properties of the standard are for others; what they cannot carry stands in `X-CRMKIT-` properties beside them.
    """
    lines = [_line("VERSION", "4.0"), _line("PRODID", PRODID), *_properties(one)]
    return "".join(["BEGIN:VCARD\r\n", *lines, "END:VCARD\r\n"])


def _properties(one: Exported) -> Iterator[str]:
    contact = one.contact
    yield _line("UID", f"urn:uuid:{contact.id}")
    yield _line("KIND", "org" if contact.kind is ContactKind.ORGANISATION else "individual")
    yield _line("FN", _text(contact.name))
    parts = (contact.family_name, contact.given_name, "", contact.honorific, "")
    yield _line("N", ";".join(map(_text, parts)))
    if contact.birth_date:
        yield _line("BDAY", f"{contact.birth_date:%Y%m%d}".rjust(8, "0"))
    if contact.gender:
        yield _line("GENDER", _GENDERS.get(contact.gender, f";{_text(contact.gender)}"))
    for name, value in (("LANG", contact.locale), ("TZ", contact.zone)):
        if value:
            yield _line(name, _text(value))
    yield from (_standard(point) for point in contact.points if point.kind is not PointKind.EXTERNAL)
    if one.tags:
        yield _line("CATEGORIES", ",".join(map(_text, one.tags)))
    yield from (_line("NOTE", _text(text)) for text in one.texts)
    yield from (line for relation in one.relations for line in _related(relation))
    yield from _own(contact)
    for field, value in one.values.items():
        yield _line("X-CRMKIT-FIELD", _text(value), **{"X-NAME": _caret(field)})


def _own(contact: Contact) -> Iterator[str]:
    for field, value in fields_of(contact):
        if field not in _STANDARD:
            yield _line(f"X-CRMKIT-{field.upper().replace('_', '-')}", _text(value))
    if points := points_text(contact):
        yield _line("X-CRMKIT-POINTS", _text(points))


def _related(one: SaidRelation) -> Iterator[str]:
    """Yield a relation that stands as a property of the standard, where that has one."""
    kind = inverse(one.kind) if one.of else one.kind
    if one.ended_at is not None:
        return
    if kind == "employer" and one.name:
        yield _line("ORG", _text(one.name))
    elif kind in _RELATED and one.name:
        yield _line("RELATED", _text(one.name), TYPE=_RELATED[kind], VALUE="text")
    elif kind in _RELATED:
        yield _line("RELATED", f"urn:uuid:{one.other}", TYPE=_RELATED[kind])


def _standard(point: ContactPoint) -> str:
    details = {"PREF": "1"} if point.primary else {}
    types = [_TYPES[word] for word in point.label.lower().split() if word in _TYPES]
    if types:
        details["TYPE"] = ",".join(types)
    if point.kind is PointKind.EMAIL:
        return _line("EMAIL", _text(point.value), **details)
    if point.kind is PointKind.PHONE:
        return _line("TEL", f"tel:{point.value}", VALUE="uri", **details)
    if point.kind is PointKind.HANDLE:
        return _line("IMPP", f"{_scheme(point.scope)}:{_text(point.value)}", **details)
    return _address(point, details)


def _address(point: ContactPoint, details: dict[str, str]) -> str:
    parts = point.parts or PostalAddress(street=point.value[:300])
    named = (
        parts.box,
        parts.extended,
        parts.street,
        parts.locality,
        parts.region,
        parts.postcode,
        parts.country,
    )
    return _line("ADR", ";".join(map(_text, named)), LABEL=_caret(point.value), **details)


def _scheme(scope: str) -> str:
    plain = "".join(char for char in scope if char.isascii() and (char.isalnum() or char in "+.-"))
    return plain if plain[:1].isalpha() else f"x-{plain}"


def _text(value: str) -> str:
    return str(grammar().base.backslashEscape(value))


def _caret(value: str) -> str:
    """RFC 6868: parameters have no other way to write line breaks and quotes."""
    plain = value.replace("^", "^^").replace('"', "^'")
    return plain.replace("\r\n", "^n").replace("\n", "^n").replace("\r", "^n")


def _line(name: str, value: str, **parameters: str) -> str:
    said = "".join(f";{key}={_parameter(key, text)}" for key, text in parameters.items())
    return _folded(f"{name}{said}:{value}")


def _parameter(key: str, text: str) -> str:
    texts = text.split(",") if key == "TYPE" else [text]
    return ",".join(str(grammar().base.dquoteEscape(one)) for one in texts)


def _folded(line: str) -> str:
    """RFC 6350, 3.2: at most 75 bytes on a line, no character parted; vobject's own takes a millisecond a line."""
    raw = line.encode()
    if len(raw) <= _WIDTH:
        return f"{line}\r\n"
    pieces, start, width = [], 0, _WIDTH
    while start < len(raw):
        end = min(start + width, len(raw))
        while end < len(raw) and raw[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(raw[start:end].decode())
        start, width = end, _WIDTH - 1  # the space that begins the others counts as well
    return "\r\n ".join(pieces) + "\r\n"
