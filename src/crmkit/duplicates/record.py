"""What of a contact is compared: a few folded values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import attrs

from crmkit.contacts import Contact, ContactKind, NameOrder, PointKind
from crmkit.duplicates.folding import fold, fold_email, split_name

#: How many emails, phones and postal addresses of a contact are compared, the first of each.
VALUES = 3

_NUMBER = re.compile(r"^\s*(?:no\.?\s*)?(\d[\w/-]*)\b|\b(\d[\w/-]*)\s*$", re.IGNORECASE)


class Place(NamedTuple):
    """A postal address as it is compared.

    Args:
        number: of the house.
        street: without the number.
        locality: city, town or village.
        region: state, province or county.
        postcode: as it is written, folded.
        country: ISO 3166, two letters.
    """

    number: str = ""
    street: str = ""
    locality: str = ""
    region: str = ""
    postcode: str = ""
    country: str = ""


class Record(NamedTuple):
    """What of a contact is compared, folded; an empty text or tuple is a missing value."""

    given: str = ""
    family: str = ""
    birth: str = ""
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    places: tuple[Place, ...] = ()


def record_of(contact: Contact) -> Record:
    """Return what of a contact is compared."""
    given, family = names_of(
        contact.name, contact.given_name, contact.family_name, contact.kind, contact.name_order
    )
    birth = contact.birth_date.isoformat() if contact.birth_date else ""
    kinds: dict[PointKind, list[Any]] = {kind: [] for kind in PointKind}
    for point in contact.points:
        kinds[point.kind].append(point)
    return Record(
        given,
        family,
        birth,
        distinct(fold_email(point.key) for point in kinds[PointKind.EMAIL]),
        distinct(point.key for point in kinds[PointKind.PHONE]),
        distinct(place_of(point.parts, point.value, point.scope) for point in kinds[PointKind.POSTAL]),
    )


def names_of(name: str, given: str, family: str, kind: str, order: str) -> tuple[str, str]:
    """Return the folded given and family name of a contact; what is not known by its parts is read from the whole.

    An organisation's name is a family name: it is compared as a whole.
    """
    if given or family:
        return fold(given), fold(family)
    if kind == ContactKind.ORGANISATION:
        return "", fold(name)
    return split_name(name, family_first=order == NameOrder.FAMILY_FIRST)


def place_of(parts: Any, lines: str, country: str) -> Place:
    """Return a postal address as it is compared.

    Args:
        parts: a `PostalAddress`, a mapping with the names of its parts, or None if they are not known.
        lines: the whole address, of which the first line is taken for the street if there are no parts.
        country: ISO 3166, two letters, or empty.
    """
    if parts is None:
        number, street = split_street(first_line(lines))
        return Place(number, street, country=country.lower())
    told: Mapping[str, str] = parts if isinstance(parts, Mapping) else attrs.asdict(parts)
    number, street = split_street(told.get("street", "") or told.get("box", ""))
    return Place(
        number,
        street,
        fold(told.get("locality", "")),
        fold(told.get("region", "")),
        fold(told.get("postcode", "")),
        (told.get("country", "") or country).lower(),
    )


def first_line(lines: str) -> str:
    """Return what is taken for the street of an address whose parts are not known."""
    return lines.partition("\n")[0].partition(",")[0]


def split_street(line: str) -> tuple[str, str]:
    """Return the number of the house, before or behind the street, and the street, both folded."""
    number, street = apart(line)
    return fold(number), fold(street)


def apart(line: str) -> tuple[str, str]:
    """Return the number of the house and the street as they are written."""
    found = _NUMBER.search(line)
    if not found:
        return "", line
    return found[1] or found[2], line[: found.start()] + " " + line[found.end() :]


def distinct(values: Iterable[Any]) -> tuple[Any, ...]:
    """Return the first few distinct values that are not empty."""
    values = tuple(values)
    if len(values) < 2:
        return values if values and any(values[0]) else ()
    return tuple(dict.fromkeys(value for value in values if any(value)))[:VALUES]
