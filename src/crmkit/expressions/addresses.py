"""The fields about contacts' addresses: asked of the CRM's own table, or of contacts that have them elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any
from uuid import UUID

import attrs

from crmkit.contacts import Contact, PointKind
from crmkit.expressions.fields import Field
from crmkit.expressions.kinds import FieldType
from crmkit.expressions.sources import ContactColumn, Loaded, Members, RowColumn, Source

_TABLE = "contact_points"
_PLACE = {
    "country": "Country of the postal address to use, ISO 3166, two capital letters.",
    "city": "City of the postal address to use.",
    "postcode": "Postcode of the postal address to use.",
}
_POINTS = {
    "emails": (PointKind.EMAIL, "key", "Every email address, its domain folded."),
    "phones": (PointKind.PHONE, "key", "Every phone number, as +441632960961."),
    "networks": (PointKind.HANDLE, "scope", "The social networks on which the contact has an account."),
    "systems": (PointKind.EXTERNAL, "scope", "The other systems in which the contact has an id."),
}


def address_fields(elsewhere: Collection[PointKind] = ()) -> Iterator[Field]:
    """Yield the fields about addresses.

    Args:
        elsewhere: the kinds of points that do not all stand in `contact_points`: they are read from each contact.
    """
    for name, doc in _PLACE.items():
        source = _place(name) if PointKind.POSTAL not in elsewhere else Loaded(_PlaceOf(name))
        yield Field(f"contact.{name}", FieldType.TEXT, doc=doc, source=source)
    for name, (kind, column, doc) in _POINTS.items():
        own: Source = Members(_TABLE, column, where={"kind": kind.value})
        source = own if kind not in elsewhere else Loaded(_PointsOf(kind, column))
        yield Field(f"contact.{name}", FieldType.TEXT_SET, doc=doc, source=source)


def _place(name: str) -> Source:
    where = {"kind": PointKind.POSTAL.value}
    return ContactColumn(name, RowColumn(_TABLE, name, where=where, anyone="-is_primary", first="ordinal"))


@attrs.frozen
class _Read:
    """Reads contacts as their store gives them; pickled with an expression, which a function within another is not."""

    def __call__(self, tx: Any, ids: Sequence[UUID]) -> dict[UUID, object]:
        return {id: self.of(contact) for id, contact in tx.contacts.get_many(ids).items()}

    def of(self, contact: Contact) -> object:
        raise NotImplementedError


@attrs.frozen
class _PointsOf(_Read):
    kind: PointKind
    part: str

    def of(self, contact: Contact) -> object:
        return frozenset(getattr(point, self.part) for point in contact.points if point.kind is self.kind)


@attrs.frozen
class _PlaceOf(_Read):
    part: str

    def of(self, contact: Contact) -> object:
        point = contact.point(PointKind.POSTAL)
        if point is None or self.part == "country":
            return point and (point.scope or None)
        name = "locality" if self.part == "city" else self.part
        return getattr(point.parts, name, "") or None
