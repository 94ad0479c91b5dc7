"""Loyalty points for crmkit: a double-entry ledger that orders fill and refunds take back from."""

from crmkit_loyalty.entries import Entry, InsufficientPoints, Totals
from crmkit_loyalty.events import (
    PointsClawedBack,
    PointsEarned,
    PointsGranted,
    PointsRedeemed,
    PointsReturned,
)
from crmkit_loyalty.journal import Kind
from crmkit_loyalty.ledger import HeldLot
from crmkit_loyalty.plugin import LoyaltyPlugin
from crmkit_loyalty.rules import PointsPerUnit
from crmkit_loyalty.service import Loyalty
from crmkit_loyalty.settings import LoyaltySettings, Rounding

__all__ = [
    "Entry",
    "HeldLot",
    "InsufficientPoints",
    "Kind",
    "Loyalty",
    "LoyaltyPlugin",
    "LoyaltySettings",
    "PointsClawedBack",
    "PointsEarned",
    "PointsGranted",
    "PointsPerUnit",
    "PointsRedeemed",
    "PointsReturned",
    "Rounding",
    "Totals",
]
