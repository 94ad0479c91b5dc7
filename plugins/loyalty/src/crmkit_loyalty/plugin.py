"""What crmkit loads: the rule, the ledger's tables and events, and how orders change it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

import attrs

from crmkit import (
    CRM,
    Event,
    Field,
    Job,
    OrderAmended,
    OrderCancelled,
    OrderPaid,
    OrderRefunded,
    Reaction,
    RewardLedger,
    RewardRule,
    RewardsDecided,
    hookimpl,
)
from crmkit_loyalty import programme
from crmkit_loyalty.configured import configure
from crmkit_loyalty.events import EVENTS
from crmkit_loyalty.fields import BALANCE
from crmkit_loyalty.orders import on_amended, on_cancelled, on_decided, on_paid, on_refunded
from crmkit_loyalty.rules import PointsPerUnit
from crmkit_loyalty.settings import LoyaltySettings
from crmkit_loyalty.tables import define_tables
from crmkit_loyalty.usage import LoyaltyRewardLedger
from crmkit_loyalty.waiting import post_passed

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
    def crmkit_reward_ledger(self) -> RewardLedger:
        """Return what answers how much of limits is used up."""
        return LoyaltyRewardLedger()

    @hookimpl
    def crmkit_reactions(self) -> Iterable[Reaction]:
        """Return what changes the ledger; it is essential, an order stands with its points or not at all."""
        return [
            Reaction(OrderPaid, on_paid, essential=True),
            Reaction(OrderAmended, on_amended, essential=True),
            Reaction(OrderRefunded, on_refunded, essential=True),
            Reaction(OrderCancelled, on_cancelled, essential=True),
            Reaction(RewardsDecided, on_decided, essential=True),
            *programme.reactions(self.settings),
        ]

    @hookimpl
    def crmkit_jobs(self) -> Iterable[Job]:
        """Return what posts holds that ended, lots that lapsed and reservations that ran out."""
        return [Job("time", post_passed, timedelta(minutes=5)), *programme.jobs(self.settings)]

    @hookimpl
    def crmkit_startup(self, crm: CRM) -> None:
        """Keep the settings for services that are made on a transaction."""
        configure(crm, self.settings)

    @hookimpl
    def crmkit_tables(self, metadata: MetaData) -> None:
        """Add the ledger's tables."""
        define_tables(metadata)
        programme.define_tables(metadata)

    @hookimpl
    def crmkit_event_types(self) -> Iterable[type[Event]]:
        """Return what the ledger tells the log."""
        return (*EVENTS, *programme.EVENTS)

    @hookimpl
    def crmkit_fields(self) -> Iterable[Field]:
        """Return what segments may ask of the ledger."""
        return [BALANCE, *programme.FIELDS]
