"""What a step in an order's life answers, and an order as it stands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import attrs

from crmkit.events import LogEntry
from crmkit.money import Money
from crmkit.orders import Order, OrderState, Returned
from crmkit.rewards import Award, NoAward
from crmkit.transaction.reactions import Failure


@attrs.frozen(kw_only=True)
class OrderOutcome:
    """What came of a step in an order's life.

    Args:
        order_id: the CRM's id of the order.
        contact_id: whose it is, if anybody's.
        state: where it stands after the step.
        entry: the step's event; of a recorded and paid order the `OrderPaid`.
        awards: what the rules granted.
        refusals: what they did not grant, and why.
        failures: plugins' code that failed alone.
        replayed: whether the step had been taken before and nothing was done now.
    """

    order_id: UUID
    contact_id: UUID | None
    state: OrderState
    entry: LogEntry
    awards: tuple[Award, ...] = ()
    refusals: tuple[NoAward, ...] = ()
    failures: tuple[Failure, ...] = attrs.field(default=(), eq=False)
    replayed: bool = attrs.field(default=False, eq=False)


@attrs.frozen(kw_only=True)
class RewardOutcome:
    """What the rules decided about something that happened.

    Args:
        entry: the `RewardsDecided`.
        contact_id: to whom it happened.
        awards: what the rules granted.
        refusals: what they did not grant, and why.
        failures: plugins' code that failed alone.
        replayed: whether it had been decided before and nothing was done now.
    """

    entry: LogEntry
    contact_id: UUID | None
    awards: tuple[Award, ...] = ()
    refusals: tuple[NoAward, ...] = ()
    failures: tuple[Failure, ...] = attrs.field(default=(), eq=False)
    replayed: bool = attrs.field(default=False, eq=False)


@attrs.frozen(kw_only=True)
class OrderRecord:
    """An order as it stands.

    Args:
        id: the CRM's id.
        order: what was ordered, with the lines as last amended.
        contact_id: whose it is, if anybody's.
        state: where it stands.
        refunded: what was given back.
        paid_at: when it was paid, or None.
        shipped_at: when it was shipped, or None.
        cancelled_at: when it was cancelled, or None.
        returned: what was given back, by line id.
        awards: what the rules granted when it was paid or last amended.
    """

    id: UUID
    order: Order
    contact_id: UUID | None
    state: OrderState
    refunded: Money
    paid_at: datetime | None
    shipped_at: datetime | None
    cancelled_at: datetime | None
    returned: Mapping[str, Returned]
    awards: tuple[Award, ...]
