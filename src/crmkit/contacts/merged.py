"""How contacts that were merged read as one: the survivor's word first, those merged into it where it has none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any
from uuid import UUID

import attrs

from crmkit.contacts.contact import EDITABLE, Contact
from crmkit.contacts.points import ContactPoint, PointKind

#: Fields of a contact that are never empty: the survivor's always count.
DECIDED = ("kind", "business", "internal")

#: The parts of a name go together: all of them are of the first contact that has any.
NAME = ("name", "given_name", "family_name", "name_order")

#: Which fields are taken from one contact together; each other field stands alone.
GROUPS: tuple[tuple[str, ...], ...] = (
    NAME,
    *((field,) for field in EDITABLE if field not in (*NAME, *DECIDED)),
)


def merged_contact(survivor: Contact, others: Sequence[Contact], ids: Sequence[UUID]) -> Contact:
    """Return what a contact is once others go on as it.

    A field that is empty is filled by the first of the others that has it. Whether the first name may be used is for
    whoever gave the name to say. The points are all of theirs, the survivor's first; what one of them does not say of
    a point, such as its label, another one that has it does. The first primary point of a kind is primary.

    Args:
        survivor: the contact that goes on.
        others: those that go on as it, in the order in which they are asked.
        ids: all ids that go on as the survivor, whether they still have a contact or not.
    """
    people = (survivor, *others)
    taken = {
        field: getattr(giver, field)
        for group in GROUPS
        if (giver := _giver(people, group)) is not survivor
        for field in group
    } | {"first_name": _giver(people, NAME).first_name}
    return attrs.evolve(survivor, **taken, points=_points(people), merged=tuple(ids))


def is_empty(value: object) -> bool:
    """Say whether a field of a contact says nothing."""
    return value is None or value == ""


def together(fields: Iterable[str]) -> tuple[str, ...]:
    """Return fields with those that are taken from one contact together with them."""
    wanted = set(fields)
    if not wanted.isdisjoint(NAME):
        wanted |= {*NAME, "first_name"}
    return tuple(field for field in EDITABLE if field in wanted)


def named(parts: Iterable[Contact]) -> Contact | None:
    """Return whose name a merged contact has: the first of those that have any; None if none has."""
    return next((one for one in parts if not all(is_empty(getattr(one, field)) for field in NAME)), None)


def emptied(after: Contact, fields: Iterable[str]) -> dict[str, Any]:
    """Return, of some fields, what a contact that fills them has to lose so that they read as they are now.

    Args:
        after: the merged contact as it is to read.
        fields: those that the other contact has.
    """
    wanted = set(fields)
    groups = [group for group in GROUPS if all(is_empty(getattr(after, field)) for field in group)]
    return {field: getattr(after, field) for group in groups for field in group if field in wanted}


def path(up: Mapping[UUID, UUID], contact_id: UUID) -> list[UUID]:
    """Return a contact, whom it was merged into, whom that one was merged into, and so on.

    Args:
        up: by contact, whom it was merged into.
        contact_id: where it begins.
    """
    steps = [contact_id]
    while (above := up.get(steps[-1])) is not None and above not in steps:
        steps.append(above)
    return steps


def survivor_of(up: Mapping[UUID, UUID], contact_id: UUID) -> UUID:
    """Return whom a contact goes on as; arguments as for `path`."""
    return path(up, contact_id)[-1]


def edge_towards(up: Mapping[UUID, UUID], contact_id: UUID, other: UUID) -> UUID | None:
    """Return who of a contact's path was merged into one of the other's path, None if it is on that itself.

    Args:
        up: as for `path`.
        contact_id: where it begins.
        other: a contact that goes on as the same one.
    """
    meeting = set(path(up, other))
    steps = path(up, contact_id)
    return next((low for low, high in pairwise(steps) if low not in meeting and high in meeting), None)


def _giver(people: Sequence[Contact], group: Sequence[str]) -> Contact:
    has = (one for one in people if not all(is_empty(getattr(one, field)) for field in group))
    return next(has, people[0])


def _points(people: Sequence[Contact]) -> tuple[ContactPoint, ...]:
    found: dict[ContactPoint, ContactPoint] = {}
    primary: dict[PointKind, ContactPoint] = {}
    for point in (point for one in people for point in one.points):
        found[point] = _filled(found[point], point) if point in found else point
        if point.primary:
            primary.setdefault(point.kind, point)
    return tuple(point.with_(primary=primary.get(point.kind) == point) for point in found.values())


def _filled(point: ContactPoint, other: ContactPoint) -> ContactPoint:
    """Return a point with what it does not say of itself as another one who has it does."""
    details = ("label", "source", "verified_at", "parts")
    return point.with_(**{name: getattr(point, name) or getattr(other, name) for name in details})
