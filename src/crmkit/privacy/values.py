"""What is known of an erasure and of a legal hold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import attrs

from crmkit.events.log import texts


@attrs.frozen(kw_only=True)
class Erasure:
    """That a contact was erased, and what of it is still open.

    Args:
        contact_id: who.
        erased_at: when.
        actor: who did it.
        reason: why, in the words that were given.
        sweeps: how often it was cleared once more since.
        due_at: when that is done next; the end of time once nothing is open.
        held: the tables that legal holds keep.
        left: what plugins could not erase, by plugin.
        host: columns of the host's own table that the host has to clear.
    """

    contact_id: UUID
    erased_at: datetime
    actor: str
    reason: str
    sweeps: int = 0
    due_at: datetime
    held: tuple[str, ...] = attrs.field(default=(), converter=texts)
    left: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    host: tuple[str, ...] = attrs.field(default=(), converter=texts)

    @property
    def complete(self) -> bool:
        """Whether nothing is left anywhere that crmkit knows of."""
        return not (self.held or self.left or self.host)


@attrs.frozen(kw_only=True)
class LegalHold:
    """That a contact's data must be kept for a time.

    Args:
        id: its id.
        contact_id: whose data.
        reason: what demands it.
        tables: which tables are kept; all of them if none is named.
        placed_at: since when.
        until: until when; the end of time while nobody knows.
        actor: who placed it.
    """

    id: UUID
    contact_id: UUID
    reason: str
    tables: tuple[str, ...] = attrs.field(default=(), converter=texts)
    placed_at: datetime
    until: datetime
    actor: str
