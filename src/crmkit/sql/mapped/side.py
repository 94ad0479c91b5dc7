"""The side table: what the CRM keeps of contacts whose rows are the host's, in its own tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import attrs

from crmkit.contacts import Contact, ContactPoint, HostKey
from crmkit.sql.connection import Sql
from crmkit.sql.contacts import read_contact, read_rows
from crmkit.sql.mapped.table import HostRow

#: The ordinal of a row that adds details to a point which the host's column holds, and counts only while it does.
DETAILS = -1


@attrs.frozen
class Side:
    """What the CRM's own tables hold of a contact.

    Args:
        contact: its own fields and points; None if there are none.
        details: label, source and the like of points that the host's columns hold.
    """

    contact: Contact | None = None
    details: tuple[ContactPoint, ...] = ()

    @property
    def exists(self) -> bool:
        """Whether there is anything."""
        return self.contact is not None

    def alone(self, id: UUID) -> Contact:
        """Return the contact that the host has no row for."""
        return self.contact or Contact(id=id)

    def over(self, id: UUID, row: HostRow, host: HostKey) -> Contact:
        """Return the contact of a row of the host: its columns win, and its points come first."""
        known = {point: point for point in self.details}
        own = self.contact.points if self.contact else ()
        points = tuple(_detailed(point, known.get(point)) for point in row.points)
        points += tuple(point for point in own if point not in row.points)
        return attrs.evolve(self.alone(id), id=id, host=host, points=points, **row.fields)


def _detailed(point: ContactPoint, known: ContactPoint | None) -> ContactPoint:
    if known is None:
        return point
    return point.with_(
        label=known.label or point.label,
        source=known.source,
        verified_at=known.verified_at,
        primary=known.primary,
        parts=known.parts or point.parts,
    )


def read_sides(sql: Sql, ids: Iterable[UUID]) -> dict[UUID, Side]:
    """Return what the CRM's own tables hold of contacts, by id; those of whom they hold nothing are left out."""
    return {id: _side(rows) for id, rows in read_rows(sql, list(ids)).items()}


def _side(rows: list[Any]) -> Side:
    whole = read_contact(rows)
    details = {row[-1] for row in rows if row[-1] is not None and row[-1] < 0}
    if not details:
        return Side(whole)
    marked = sum(1 for row in rows if row[-1] is not None and row[-1] < 0)
    return Side(attrs.evolve(whole, points=whole.points[marked:]), whole.points[:marked])
