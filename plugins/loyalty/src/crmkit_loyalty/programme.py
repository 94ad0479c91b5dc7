"""What stands on the ledger, gathered for the plugin: gift cards, tiers, membership, occasions, referrals, offers."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from crmkit import Event, Field, Job, Reaction
from crmkit_loyalty import locks, triggers
from crmkit_loyalty.gift_cards import events as gift_card_events
from crmkit_loyalty.gift_cards import layout as gift_card_layout
from crmkit_loyalty.gift_cards import orders as gift_card_orders
from crmkit_loyalty.gift_cards.jobs import expire_gift_cards
from crmkit_loyalty.members import events as member_events
from crmkit_loyalty.members import joining
from crmkit_loyalty.members import layout as member_layout
from crmkit_loyalty.members.events import MemberJoined
from crmkit_loyalty.members.fields import JOINED
from crmkit_loyalty.occasions.jobs import tell_occasions
from crmkit_loyalty.offers import events as offer_events
from crmkit_loyalty.offers import layout as offer_layout
from crmkit_loyalty.offers import rewarded
from crmkit_loyalty.offers import service as offer_service
from crmkit_loyalty.referrals import events as referral_events
from crmkit_loyalty.referrals import layout as referral_layout
from crmkit_loyalty.referrals import orders as referral_orders
from crmkit_loyalty.settings import LoyaltySettings
from crmkit_loyalty.tiers import events as tier_events
from crmkit_loyalty.tiers import following
from crmkit_loyalty.tiers import layout as tier_layout
from crmkit_loyalty.tiers.fields import TIER

if TYPE_CHECKING:
    from sqlalchemy import MetaData

EVENTS: tuple[type[Event], ...] = (
    *gift_card_events.EVENTS,
    *member_events.EVENTS,
    *offer_events.EVENTS,
    *referral_events.EVENTS,
    *tier_events.EVENTS,
)

FIELDS: tuple[Field, ...] = (TIER, JOINED)

_LAYOUTS = (locks, triggers, gift_card_layout, tier_layout, member_layout, referral_layout, offer_layout)


def define_tables(metadata: MetaData) -> None:
    """Add the tables to the CRM's metadata."""
    for layout in _LAYOUTS:
        layout.define_tables(metadata)


def reactions(settings: LoyaltySettings) -> list[Reaction]:
    """Return what orders and merges do here; the ledger's own reactions come before them."""
    return [
        *joining.reactions(settings.members),
        *following.reactions(settings.tiers, MemberJoined),
        *gift_card_orders.reactions(),
        *(referral_orders.reactions() if settings.referrals else []),
        *offer_service.reactions(),
        *rewarded.reactions(),
    ]


def jobs(settings: LoyaltySettings) -> list[Job]:
    """Return what the passing of time does."""
    tiers = [
        Job("tiers", following.evaluate_due),
        Job(
            "unmarked-tiers", partial(following.evaluate_unmarked, settings=settings.tiers), timedelta(days=1)
        ),
    ]
    return [
        *(tiers if settings.tiers.levels else []),
        Job("occasions", tell_occasions),
        *([Job("referrals", referral_orders.end_holds)] if settings.referrals else []),
        Job("gift-cards", expire_gift_cards, timedelta(days=1)),
    ]
