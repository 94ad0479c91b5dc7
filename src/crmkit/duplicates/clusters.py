"""Clusters: contacts that are one, by pairs; each is known by its lowest contact."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import attrs

Pair = tuple[UUID, UUID]


@attrs.frozen
class Edge:
    """A pair that is likely one contact.

    Args:
        first: a contact.
        second: another one.
        weight: in bits; heavier pairs are joined first.
    """

    first: UUID
    second: UUID
    weight: float


def clusters(edges: Iterable[Edge], apart: Iterable[Pair] = ()) -> dict[UUID, tuple[UUID, ...]]:
    """Return clusters of two and more by the lowest of their contacts, each in order.

    Pairs are joined from the heaviest on, so that a higher threshold only divides clusters, whatever comes in which
    order. Two contacts of which somebody said that they are distinct never stand in one cluster.

    Args:
        edges: pairs to join.
        apart: pairs that are distinct.
    """
    groups = _Groups(apart)
    for edge in sorted(edges, key=lambda edge: (-edge.weight, *sorted((edge.first, edge.second)))):
        groups.join(edge.first, edge.second)
    return {lowest: tuple(sorted(members)) for lowest, members in sorted(groups.members.items())}


class _Groups:
    """Disjoint sets, each known by its lowest member; only those with two and more are kept as lists."""

    def __init__(self, apart: Iterable[Pair]) -> None:
        self.lowest: dict[UUID, UUID] = {}
        self.members: dict[UUID, list[UUID]] = {}
        self._apart: dict[UUID, set[UUID]] = {}
        for one, other in apart:
            self._apart.setdefault(one, set()).add(other)
            self._apart.setdefault(other, set()).add(one)

    def join(self, one: UUID, other: UUID) -> None:
        low, high = sorted((self._find(one), self._find(other)))
        if low == high or self._kept_apart(low, high):
            return
        members = self.members.pop(high, [high])
        self.members.setdefault(low, [low]).extend(members)
        for member in members:
            self.lowest[member] = low

    def _find(self, contact: UUID) -> UUID:
        return self.lowest.get(contact, contact)

    def _kept_apart(self, low: UUID, high: UUID) -> bool:
        ours = self.members.get(low, [low])
        return any(self._find(other) == high for member in ours for other in self._apart.get(member, ()))
