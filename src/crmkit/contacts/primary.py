"""Of a contact's points of one kind at most one is primary: that which is preferred to the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from crmkit.contacts.points import ContactPoint, PointKind
from crmkit.errors import ValueRefused


def refuse_two_primaries(points: Iterable[ContactPoint]) -> None:
    """Refuse points that are given together if two of one kind are primary.

    Raises:
        ValueRefused: naming both.
    """
    found: dict[PointKind, ContactPoint] = {}
    for point in points:
        if point.primary and found.setdefault(point.kind, point) != point:
            raise ValueRefused(
                f"{found[point.kind]} and {point} are both primary; at most one point of a kind can be"
            )


def with_further(points: Sequence[ContactPoint], further: Sequence[ContactPoint]) -> tuple[ContactPoint, ...]:
    """Return a contact's points with further ones; a primary one takes over from that of its kind until then.

    Args:
        points: those that it has.
        further: none of those.
    """
    kinds = {point.kind for point in further if point.primary}
    return (*demoted(points, kinds), *further)


def demoted(points: Sequence[ContactPoint], kinds: Iterable[PointKind]) -> tuple[ContactPoint, ...]:
    """Return points of which none of some kinds is primary."""
    wanted = set(kinds)
    if not wanted:
        return tuple(points)
    return tuple(
        point.with_(primary=False) if point.primary and point.kind in wanted else point for point in points
    )
