"""What a row changes of a contact that is there already."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from crmkit.contacts import Contact, ContactKind, ContactPoint
from crmkit.contacts.primary import demoted
from crmkit.exchange.headers import folded
from crmkit.exchange.incoming import Incoming

_NAMES = ("name", "given_name", "family_name", "name_order", "kind")
_LEFT = ("source",)  # where a contact came from first stays true


class OnDuplicate(StrEnum):
    """What is done with a row whose contact is there already."""

    FILL = "fill"  #: its empty fields are filled; points, tags and notes are added
    UPDATE = "update"  #: its fields take the row's values where the row has any; the rest as for fill
    SKIP = "skip"  #: it is left as it is
    REJECT = "reject"  #: the row is rejected


def changes(policy: OnDuplicate, existing: Contact, incoming: Incoming) -> Mapping[str, Any]:
    """Return the fields that a row changes of a contact.

    Nothing is ever emptied. Names are filled only where they are the same person's: one who has no name yet, or this.

    Args:
        policy: fill or update.
        existing: the contact.
        incoming: the row.
    """
    if policy not in (OnDuplicate.FILL, OnDuplicate.UPDATE):
        return {}
    given = {field: getattr(incoming.contact, field) for field in incoming.fields}
    if policy is OnDuplicate.UPDATE:
        kept = {field for field in _LEFT if getattr(existing, field)} | (
            {"first_name"} if existing.first_name else set()
        )
    else:
        names = _NAMES if not same_name(existing, incoming.contact) else ()
        kept = {field for field in given if not _empty(getattr(existing, field))} | set(names)
    return {
        field: value
        for field, value in given.items()
        if field not in kept and value != getattr(existing, field)
    }


def given_points(policy: OnDuplicate, existing: Contact, incoming: Incoming) -> tuple[ContactPoint, ...]:
    """Return the points that a row gives a contact; arguments as for `changes`.

    A row that fills prefers none of them to the one of its kind that the contact prefers already.
    """
    given = incoming.contact.points
    if policy is OnDuplicate.UPDATE:
        return given
    return demoted(given, {point.kind for point in existing.points if point.primary})


def same_name(one: Contact, other: Contact) -> bool:
    """Return whether two contacts may go by one name: it is the same, or one of them has none."""
    return not one.name or not other.name or folded(one.name) == folded(other.name)


def _empty(value: Any) -> bool:
    return value is None or value is False or value == "" or value is ContactKind.PERSON
