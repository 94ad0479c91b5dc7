"""Loyalty points for crmkit: a double-entry ledger that orders fill and refunds take back from."""

from crmkit_loyalty.entries import Entry, InsufficientPoints, ReservationEnded, Totals
from crmkit_loyalty.events import (
    PointsActivated,
    PointsAdjusted,
    PointsClawedBack,
    PointsEarned,
    PointsExpired,
    PointsGranted,
    PointsOpened,
    PointsRedeemed,
    PointsReleased,
    PointsReserved,
    PointsReturned,
    PointsTransferred,
    RewardIssued,
    RewardRevoked,
)
from crmkit_loyalty.gift_cards.card import GiftCard, GiftCardShort, StoredValueRefused
from crmkit_loyalty.gift_cards.events import (
    GiftCardCaptured,
    GiftCardDisabled,
    GiftCardIssued,
    GiftCardRestored,
)
from crmkit_loyalty.gift_cards.service import GiftCards, Issued
from crmkit_loyalty.ledger import HeldLot, Kind, Reservation
from crmkit_loyalty.members.events import MemberJoined, MemberLeft
from crmkit_loyalty.members.service import Members
from crmkit_loyalty.members.store import Membership
from crmkit_loyalty.offers.events import GiftGiven, OfferRedeemed, OfferReleased
from crmkit_loyalty.offers.gifts import Gift, GiftLog
from crmkit_loyalty.offers.offer import Offer, OfferRefused
from crmkit_loyalty.offers.service import Offers
from crmkit_loyalty.plugin import LoyaltyPlugin
from crmkit_loyalty.referrals.events import ReferralClaimed, ReferralQualified, ReferralVoided
from crmkit_loyalty.referrals.referral import Referral, ReferralRefused, ReferralState
from crmkit_loyalty.referrals.service import Referrals
from crmkit_loyalty.rules import PointsPerUnit
from crmkit_loyalty.service import Loyalty
from crmkit_loyalty.settings import LoyaltySettings, NegativeAdjustments, ReturnedExpiry, Rounding
from crmkit_loyalty.tiers.events import TierChanged
from crmkit_loyalty.tiers.service import Progress, Standing, Tiers
from crmkit_loyalty.tiers.settings import Tier
from crmkit_loyalty.validity import Ends, Validity

__all__ = [
    "Ends",
    "Entry",
    "Gift",
    "GiftCard",
    "GiftCardCaptured",
    "GiftCardDisabled",
    "GiftCardIssued",
    "GiftCardRestored",
    "GiftCardShort",
    "GiftCards",
    "GiftGiven",
    "GiftLog",
    "HeldLot",
    "InsufficientPoints",
    "Issued",
    "Kind",
    "Loyalty",
    "LoyaltyPlugin",
    "LoyaltySettings",
    "MemberJoined",
    "MemberLeft",
    "Members",
    "Membership",
    "NegativeAdjustments",
    "Offer",
    "OfferRedeemed",
    "OfferRefused",
    "OfferReleased",
    "Offers",
    "PointsActivated",
    "PointsAdjusted",
    "PointsClawedBack",
    "PointsEarned",
    "PointsExpired",
    "PointsGranted",
    "PointsOpened",
    "PointsPerUnit",
    "PointsRedeemed",
    "PointsReleased",
    "PointsReserved",
    "PointsReturned",
    "PointsTransferred",
    "Progress",
    "Referral",
    "ReferralClaimed",
    "ReferralQualified",
    "ReferralRefused",
    "ReferralState",
    "ReferralVoided",
    "Referrals",
    "Reservation",
    "ReservationEnded",
    "ReturnedExpiry",
    "RewardIssued",
    "RewardRevoked",
    "Rounding",
    "Standing",
    "StoredValueRefused",
    "Tier",
    "TierChanged",
    "Tiers",
    "Totals",
    "Validity",
]
