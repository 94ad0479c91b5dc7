"""What referrals tell the log."""

from __future__ import annotations

from uuid import UUID

import attrs

from crmkit import Event


@attrs.frozen(kw_only=True)
class ReferralClaimed(Event):
    """A contact said who brought it.

    Args:
        referral_id: the referral.
        referrer_id: who did.
    """

    referral_id: UUID
    referrer_id: UUID


@attrs.frozen(kw_only=True)
class ReferralQualified(Event):
    """What a friend bought was paid and kept: both sides are rewarded.

    Args:
        referral_id: the referral.
        referrer_id: who brought the friend.
        order_key: what the friend bought.
    """

    referral_id: UUID
    referrer_id: UUID
    order_key: str


@attrs.frozen(kw_only=True)
class ReferralVoided(Event):
    """A referral is not rewarded: the order was given back, or both are one person.

    Args:
        referral_id: the referral.
        referrer_id: who brought the friend.
        because: what happened.
    """

    referral_id: UUID
    referrer_id: UUID
    because: str


EVENTS: tuple[type[Event], ...] = (ReferralClaimed, ReferralQualified, ReferralVoided)
