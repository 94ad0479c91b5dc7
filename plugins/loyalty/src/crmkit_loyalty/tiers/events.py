"""What tiers tell the log."""

from __future__ import annotations

from datetime import datetime

import attrs

from crmkit import Event


@attrs.frozen(kw_only=True)
class TierChanged(Event):
    """A member has another tier.

    Args:
        before: the tier it had, or empty.
        after: the tier it has now, or empty.
        since: from when on.
    """

    before: str
    after: str
    since: datetime


EVENTS: tuple[type[Event], ...] = (TierChanged,)
