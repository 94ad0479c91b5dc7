"""How far two records agree in each field: one level for each, the first the best."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from crmkit.duplicates.distances import alike, one_edit
from crmkit.duplicates.record import Place, Record

CLOSE, SIMILAR = 0.92, 0.82
MISSING, EXACT = 0, 1


@attrs.frozen
class Field:
    """A field in which records are compared.

    Args:
        name: of the field.
        levels: from the best agreement to the least; before them stands "missing".
        m: how often each level is met among duplicates, before anything was learned.
        u: how often among others; no inner level is believed to be rarer by chance than half of this.
    """

    name: str
    levels: tuple[str, ...]
    m: tuple[float, ...]
    u: tuple[float, ...]


_NAME = ("exact", "swapped", "close", "similar", "different")

#: Every field that is compared, by its name.
FIELDS: Mapping[str, Field] = {
    field.name: field
    for field in (
        Field("given", _NAME, (0.80, 0.03, 0.09, 0.04, 0.04), (0.004, 0.0001, 0.003, 0.013, 0.98)),
        Field("family", _NAME, (0.82, 0.03, 0.09, 0.02, 0.04), (0.002, 0.0001, 0.002, 0.006, 0.99)),
        Field("birth", ("exact", "close", "different"), (0.92, 0.05, 0.03), (5e-5, 0.005, 0.995)),
        Field(
            "email",
            ("exact", "mailbox", "close", "different"),
            (0.60, 0.06, 0.04, 0.30),
            # people of one name have similar addresses: that they are alike says little beside the name
            (1e-6, 0.02, 0.03, 0.949999),
        ),
        Field("phone", ("exact", "close", "different"), (0.68, 0.04, 0.28), (2e-6, 1e-5, 0.999988)),
        Field("number", ("exact", "different"), (0.78, 0.22), (0.02, 0.98)),
        Field(
            "street",
            ("exact", "close", "similar", "different"),
            (0.66, 0.10, 0.02, 0.22),
            (0.0008, 0.001, 0.01, 0.9882),
        ),
        Field(
            "locality",
            ("exact", "close", "similar", "different"),
            (0.70, 0.08, 0.02, 0.20),
            (0.003, 0.002, 0.01, 0.985),
        ),
        Field("postcode", ("exact", "close", "different"), (0.72, 0.08, 0.20), (0.001, 0.004, 0.995)),
        Field("region", ("exact", "different"), (0.90, 0.10), (0.2, 0.8)),
        Field("country", ("exact", "different"), (0.98, 0.02), (0.7, 0.3)),
    )
}

#: The parts of a postal address, which are compared within one address of either record.
PLACE_FIELDS = ("number", "street", "locality", "postcode", "region", "country")

#: Parts that follow from one another: of those that agree only the one that weighs most counts.
AREA_FIELDS = ("postcode", "locality", "region", "country")


def name_levels(one: Record, other: Record) -> tuple[int, int]:
    """Return the levels of the given and of the family name."""
    if one.given and one.family and one.given == other.family and one.family == other.given:
        same = one.given == one.family
        return (EXACT, EXACT) if same else (2, 2)
    return name_level(one.given, other.given), name_level(one.family, other.family)


def name_level(one: str, other: str) -> int:
    """Return the level of one part of the name, but for swapped ones."""
    level = text_level(one, other)
    if level == 4 and (len(one) == 1 or len(other) == 1) and one[0] == other[0]:
        level = 3  # an initial
    return level + 1 if level > EXACT else level


def text_level(one: str, other: str) -> int:
    """Return the level of a text that may be misspelt: exact, close, similar or different."""
    if not one or not other:
        return MISSING
    if one == other:
        return EXACT
    found = alike(one, other)
    return 2 if found >= CLOSE else 3 if found >= SIMILAR else 4


def birth_level(one: str, other: str) -> int:
    """Return the level of two dates; close are those with one digit wrong, two neighbours or day and month swapped."""
    if not one or not other:
        return MISSING
    if one == other:
        return EXACT
    wrong = [place for place in range(10) if one[place] != other[place]]
    swapped = one[:4] == other[:4] and one[5:7] == other[8:] and one[8:] == other[5:7]
    if len(wrong) == 1 or swapped:
        return 2
    if len(wrong) == 2 and one[wrong[0]] == other[wrong[1]] and one[wrong[1]] == other[wrong[0]]:
        return 2
    return 3


def edit_level(one: str, other: str) -> int:
    """Return the level of a code: exact, close if one edit makes one of the other, or different."""
    if not one or not other:
        return MISSING
    return EXACT if one == other else 2 if one_edit(one, other) else 3


def same_level(one: str, other: str) -> int:
    """Return the level of a code that is right or wrong."""
    if not one or not other:
        return MISSING
    return EXACT if one == other else 2


def email_level(one: str, other: str) -> int:
    """Return the level of two email addresses; "mailbox" is the same name at another domain."""
    if not one or not other:
        return MISSING
    if one == other:
        return EXACT
    if one.rpartition("@")[0] == other.rpartition("@")[0]:
        return 2
    return 3 if one_edit(one, other) else 4


def place_levels(one: Place, other: Place) -> dict[str, int]:
    """Return the levels of the parts of two postal addresses."""
    return {
        "number": same_level(one.number, other.number),
        "street": text_level(one.street, other.street),
        "locality": text_level(one.locality, other.locality),
        "postcode": edit_level(one.postcode, other.postcode),
        "region": same_level(one.region, other.region),
        "country": same_level(one.country, other.country),
    }
