"""What crmkit loads: the rule, the ledger's tables and events, and how orders change it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import attrs

from crmkit import (
    Event,
    Field,
    OrderAmended,
    OrderCancelled,
    OrderPaid,
    OrderRefunded,
    Reaction,
    RewardRule,
    hookimpl,
)
from crmkit_loyalty.events import EVENTS
from crmkit_loyalty.fields import BALANCE
from crmkit_loyalty.orders import on_amended, on_cancelled, on_paid, on_refunded
from crmkit_loyalty.rules import PointsPerUnit
from crmkit_loyalty.settings import LoyaltySettings
from crmkit_loyalty.tables import define_tables

if TYPE_CHECKING:
    from sqlalchemy import MetaData


@attrs.define(eq=False)
class LoyaltyPlugin:
    """Keeps points: posts what reward rules award, and takes it back when orders are refunded.

    Args:
        settings: what an order earns.
    """

    settings: LoyaltySettings = attrs.field(factory=LoyaltySettings)

    @hookimpl
    def crmkit_reward_rules(self) -> Iterable[RewardRule]:
        """Return the rule that the settings describe, unless they say that nothing is earned."""
        earns = self.settings.points_per_unit or self.settings.rates
        return [PointsPerUnit.of(self.settings)] if earns else []

    @hookimpl
    def crmkit_reactions(self) -> Iterable[Reaction]:
        """Return what changes the ledger; it is essential, an order stands with its points or not at all."""
        return [
            Reaction(OrderPaid, on_paid, essential=True),
            Reaction(OrderAmended, on_amended, essential=True),
            Reaction(OrderRefunded, on_refunded, essential=True),
            Reaction(OrderCancelled, on_cancelled, essential=True),
        ]

    @hookimpl
    def crmkit_tables(self, metadata: MetaData) -> None:
        """Add the ledger's tables."""
        define_tables(metadata)

    @hookimpl
    def crmkit_event_types(self) -> Iterable[type[Event]]:
        """Return what the ledger tells the log."""
        return EVENTS

    @hookimpl
    def crmkit_fields(self) -> Iterable[Field]:
        """Return what segments may ask of the ledger."""
        return [BALANCE]
