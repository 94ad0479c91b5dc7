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
    edges = list(edges)
    ids = {id.int: id for edge in edges for id in (edge.first, edge.second)}
    groups = _Groups((one.int, other.int) for one, other in apart)
    # numbers are compared and hashed many times faster than ids
    for _, low, high in sorted((-edge.weight, *_ordered(edge.first.int, edge.second.int)) for edge in edges):
        groups.join(low, high)
    return {
        ids[lowest]: tuple(ids[member] for member in sorted(members))
        for lowest, members in sorted(groups.members.items())
    }


def _ordered(one: int, other: int) -> tuple[int, int]:
    return (one, other) if one < other else (other, one)


class _Groups:
    """Disjoint sets, each known by its lowest member; only those with two and more are kept as lists."""

    def __init__(self, apart: Iterable[tuple[int, int]]) -> None:
        self.lowest: dict[int, int] = {}
        self.members: dict[int, list[int]] = {}
        self._apart: dict[int, set[int]] = {}
        for one, other in apart:
            self._apart.setdefault(one, set()).add(other)
            self._apart.setdefault(other, set()).add(one)

    def join(self, one: int, other: int) -> None:
        low, high = _ordered(self._find(one), self._find(other))
        if low == high or self._kept_apart(low, high):
            return
        members = self.members.pop(high, [high])
        self.members.setdefault(low, [low]).extend(members)
        for member in members:
            self.lowest[member] = low

    def _find(self, contact: int) -> int:
        return self.lowest.get(contact, contact)

    def _kept_apart(self, low: int, high: int) -> bool:
        if not self._apart:
            return False
        ours = self.members.get(low, [low])
        return any(self._find(other) == high for member in ours for other in self._apart.get(member, ()))
