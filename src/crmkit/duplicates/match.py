"""What is said of two records: how likely they are one contact, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import attrs

from crmkit.duplicates.levels import (
    AREA_FIELDS,
    EXACT,
    FIELDS,
    MISSING,
    PLACE_FIELDS,
    birth_level,
    edit_level,
    email_level,
    name_levels,
    place_levels,
)
from crmkit.duplicates.record import Place, Record
from crmkit.duplicates.weights import Weights, probability


@attrs.frozen
class FieldScore:
    """What one field says.

    Args:
        field: its name.
        level: how far the two agree in it, such as "exact", "close" or "different".
        weight: in bits; above 0 it speaks for one contact, below 0 against.
        values: of both, as they were compared.
    """

    field: str
    level: str
    weight: float
    values: tuple[str, str] = ("", "")

    def plain(self) -> dict[str, Any]:
        """Return it as plain data without the values, which are personal."""
        return {"field": self.field, "level": self.level, "weight": round(self.weight, 2)}


@attrs.frozen(kw_only=True)
class Match:
    """A contact that may be the one that was asked about.

    Args:
        contact_id: the contact.
        weight: all that speaks for and against it, in bits, the prior included.
        explanation: what each field says; fields that either lacks say nothing.
    """

    contact_id: UUID
    weight: float
    explanation: tuple[FieldScore, ...] = ()

    @property
    def probability(self) -> float:
        """How likely both are one contact: above 0 and below 1."""
        return probability(self.weight)


#: Weights that were never learned, for a check of one contact.
STANDARD = Weights()


def score(one: Record, other: Record, weights: Weights = STANDARD) -> tuple[float, tuple[FieldScore, ...]]:
    """Return what speaks for two records being one contact, in bits, and what each field says.

    It is the same whichever comes first, greatest for a record and itself, and a missing field adds nothing.
    """
    swapped = _turned(one, other)
    levels = _levels(*((other, one) if swapped else (one, other)), weights)
    found = []
    total = weights.prior_bits
    areas = {name: weights.bits[name][levels[name][0]] for name in AREA_FIELDS if name in levels}
    heaviest = max(areas, key=areas.__getitem__, default="")
    for name, (level, *values) in levels.items():
        bits = weights.bits[name][level]
        if name in AREA_FIELDS and name != heaviest:
            bits = min(bits, 0.0)  # it follows from the other
        total += bits
        mine, theirs = reversed(values) if swapped else values
        found.append(FieldScore(name, FIELDS[name].levels[level - 1], bits, (mine, theirs)))
    return total, tuple(found)


def _turned(one: Record, other: Record) -> bool:
    """Tell whether to compare the other with the one: which of several addresses are taken depends on the order."""
    return one > other


_Levels = Mapping[str, tuple[int, str, str]]


def _levels(one: Record, other: Record, weights: Weights) -> _Levels:
    compared = _compared(one, other, weights)
    return {name: (level, mine, theirs) for name, level, mine, theirs in compared if level != MISSING}


def _compared(one: Record, other: Record, weights: Weights) -> Iterator[tuple[str, int, str, str]]:
    given, family = name_levels(one, other)
    yield "given", given, one.given, other.given
    yield "family", family, one.family, other.family
    yield "birth", birth_level(one.birth, other.birth), one.birth, other.birth
    email, their_email = _common(one.emails, other.emails)
    yield "email", email_level(email, their_email), email, their_email
    phone, their_phone = _common(one.phones, other.phones)
    yield "phone", edit_level(phone, their_phone), phone, their_phone
    if one.places and other.places:
        place, their_place = _nearest(one.places, other.places, weights)
        levels = place_levels(place, their_place)
        for name in PLACE_FIELDS:
            yield name, levels[name], getattr(place, name), getattr(their_place, name)


def _common(mine: tuple[str, ...], theirs: tuple[str, ...]) -> tuple[str, str]:
    """Return the values to compare: one that both have, else the first of each."""
    if not mine or not theirs:
        return "", ""
    both = next((value for value in mine if value in theirs), None)
    return (both, both) if both is not None else (mine[0], theirs[0])


def _nearest(mine: tuple[Place, ...], theirs: tuple[Place, ...], weights: Weights) -> tuple[Place, Place]:
    """Return the addresses that agree exactly in what weighs most; the first of each where none agrees."""
    if len(mine) == len(theirs) == 1:
        return mine[0], theirs[0]
    pairs = [(one, other) for one in mine for other in theirs]
    return max(pairs, key=lambda pair: _agreed(pair[0], pair[1], weights))


def _agreed(one: Place, other: Place, weights: Weights) -> float:
    bits = {name: weights.bits[name][EXACT] for name in PLACE_FIELDS if _same(name, one, other)}
    area = [weight for name, weight in bits.items() if name in AREA_FIELDS]
    return sum(weight for name, weight in bits.items() if name not in AREA_FIELDS) + max(area, default=0.0)


def _same(name: str, one: Place, other: Place) -> bool:
    value: str = getattr(one, name)
    return bool(value) and value == getattr(other, name)
