"""Events of privacy: who was erased, and what the law has kept."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import attrs

from crmkit.events.log import Event


def _names(value: Iterable[str]) -> tuple[str, ...]:
    return tuple(value)


@attrs.frozen(kw_only=True)
class ContactErased(Event):
    """What was personal of a contact was erased; tables that a legal hold keeps are named."""

    reason: str = ""
    held: tuple[str, ...] = attrs.field(default=(), converter=_names)


@attrs.frozen(kw_only=True)
class LegalHoldPlaced(Event):
    """A contact's data must be kept; without tables all of it."""

    hold_id: UUID
    reason: str
    until: datetime
    tables: tuple[str, ...] = attrs.field(default=(), converter=_names)


@attrs.frozen(kw_only=True)
class LegalHoldEnded(Event):
    """A legal hold was ended before its time."""

    hold_id: UUID


@attrs.frozen(kw_only=True)
class RetentionApplied(Event):
    """A policy of retention was applied to so many rows."""

    policy: str
    rows: int
