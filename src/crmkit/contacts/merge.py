"""A merge: two contacts that were found to be one person."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import attrs


@attrs.frozen(kw_only=True)
class Merge:
    """One merge, and until when it held.

    Args:
        id: what `unmerge` takes.
        loser_id: the contact that goes on as another.
        into_id: the contact it was merged into, as it was named; that one may go on as another itself.
        merged_at: since when.
        until: until when it held; None while it holds.
        actor: who merged.
        reason: the words of whoever merged.
        details: what else was given, such as the score of a duplicate.
    """

    id: UUID
    loser_id: UUID
    into_id: UUID
    merged_at: datetime
    until: datetime | None = None
    actor: str = "system"
    reason: str = ""
    details: Mapping[str, Any] = attrs.field(factory=dict, hash=False)

    @property
    def holds(self) -> bool:
        """Whether it was not undone."""
        return self.until is None
