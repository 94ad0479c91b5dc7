"""A referral, where it stands, and why one is refused."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import attrs

from crmkit import FOREVER, Conflict


class ReferralState(StrEnum):
    """Where a referral stands."""

    CLAIMED = "claimed"  #: the friend has bought nothing yet that counts
    HELD = "held"  #: it has, and might still give it back
    QUALIFIED = "qualified"  #: both sides were rewarded
    VOID = "void"  #: it is never rewarded


@attrs.frozen(kw_only=True)
class Referral:
    """That a contact was brought by another one.

    Args:
        id: its id.
        key: the caller's key of the claim.
        contact_id: who was brought.
        referrer_id: by whom.
        state: where it stands.
        claimed_at: since when.
        until_at: an order counts that is paid before.
        order_key: the order that counts, or empty.
        hold_until: when it is certain that it is kept; the end of time until there is one.
    """

    id: UUID
    key: str
    contact_id: UUID
    referrer_id: UUID
    state: ReferralState = attrs.field(default=ReferralState.CLAIMED, converter=ReferralState)
    claimed_at: datetime
    until_at: datetime
    order_key: str = ""
    hold_until: datetime = FOREVER


class ReferralRefused(Conflict):
    """A referral cannot be claimed.

    Args:
        contact_id: who was to be brought.
        reason: why not.
    """

    def __init__(self, contact_id: UUID, reason: str) -> None:
        super().__init__(f"contact {contact_id} cannot be referred: {reason}")
        self.contact_id = contact_id
        self.reason = reason
