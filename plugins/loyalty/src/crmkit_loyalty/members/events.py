"""What memberships tell the log."""

from __future__ import annotations

from uuid import UUID

import attrs

from crmkit import Event, personal


@attrs.frozen(kw_only=True)
class MemberJoined(Event):
    """A contact became a member.

    Args:
        membership_id: the membership.
        number: the member's number.
    """

    membership_id: UUID
    number: str = personal(default="")


@attrs.frozen(kw_only=True)
class MemberLeft(Event):
    """A membership ended.

    Args:
        membership_id: the membership.
        reason: the words that were given.
    """

    membership_id: UUID
    reason: str = personal(default="")


EVENTS: tuple[type[Event], ...] = (MemberJoined, MemberLeft)
