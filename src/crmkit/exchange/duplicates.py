"""Whose row it is: the contact that has one of its points already."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from crmkit.contacts import ContactPoint, PointKind
from crmkit.exchange.incoming import Incoming
from crmkit.exchange.policy import same_name
from crmkit.transaction.bulk import Batch

#: The kinds of points that say who somebody is, the surest first. A postal address is everybody's in the house.
MATCHING = (PointKind.EXTERNAL, PointKind.EMAIL, PointKind.HANDLE, PointKind.PHONE)


def owner_of(batch: Batch, incoming: Incoming) -> UUID | None:
    """Return the contact that a row is about; None if it is a new one.

    The contact's id decides, then its ids elsewhere, emails, handles and phones in this order. A phone says nothing
    of two people with different names: families and offices share it.

    Args:
        batch: in which the row's points were looked up.
        incoming: the row.
    """
    if incoming.named and (known := batch.get(incoming.contact.id)) is not None:
        return known.id
    for point in matching_points(incoming):
        owner = batch.owner(point)
        found = batch.get(owner) if owner is not None else None
        if found is not None and (point.kind is not PointKind.PHONE or same_name(found, incoming.contact)):
            return found.id
    return None


def matching_points(incoming: Incoming) -> Iterator[ContactPoint]:
    """Yield the points by which a row's contact is looked for, the surest first."""
    for kind in MATCHING:
        yield from (point for point in incoming.contact.points if point.kind is kind)
