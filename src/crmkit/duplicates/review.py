"""What is shown to whoever judges two contacts that look like one, and what a search for them found."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import attrs

from crmkit.duplicates.match import FieldScore
from crmkit.duplicates.weights import probability


class PairState(StrEnum):
    """What was judged of a pair."""

    OPEN = "open"
    MERGED = "merged"
    DISTINCT = "distinct"


@attrs.frozen(kw_only=True)
class DuplicatePair:
    """Two contacts that may be one.

    Args:
        first_id: the contact with the lower id, or whom it goes on as.
        second_id: the other one.
        state: what was judged.
        weight: what speaks for it in bits, when it was found.
        explanation: what each field says; the values are those of now.
        found_at: when it was found, the last time.
        decided_at: when it was judged; None while it is open.
        decided_by: who judged it.
    """

    first_id: UUID
    second_id: UUID
    state: PairState
    weight: float
    explanation: tuple[FieldScore, ...]
    found_at: datetime
    decided_at: datetime | None = None
    decided_by: str = ""

    @property
    def probability(self) -> float:
        """How likely both are one contact: above 0 and below 1."""
        return probability(self.weight)


@attrs.frozen(kw_only=True)
class DuplicateReport:
    """What a search for duplicates found.

    Args:
        contacts: how many were looked at.
        compared: how many pairs of them were compared.
        pairs: how many pairs are likely enough to be looked at by somebody, those merged by this search included.
        sure: how many of them are likely enough to be merged by themselves: their names differ in neither part.
        clusters: the groups of contacts that the sure pairs make one, the lowest id first, which is the cluster's own.
        merged: how many contacts this search merged into another one.
        cuts: what was not compared because too many contacts had it in common, in words.
        seconds: how long it took.
    """

    contacts: int
    compared: int
    pairs: int
    sure: int
    clusters: tuple[tuple[UUID, ...], ...]
    merged: int
    cuts: tuple[str, ...]
    seconds: float
