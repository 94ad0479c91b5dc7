"""What the steps of an order set off among the reward rules."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import TYPE_CHECKING

from crmkit import codec
from crmkit.clock import FOREVER
from crmkit.contacts import Contact
from crmkit.events import LogEntry, OrderRefunded, OrderShipped, RewardsDecided
from crmkit.orders import Order
from crmkit.rewards import Decision
from crmkit.sql import orders as rows
from crmkit.sql.orders import OrderRow

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction

_TRIGGERS = {OrderShipped: "order.shipped", OrderRefunded: "order.refunded"}


class OrderRewards:
    """Lets the rules decide about the steps of orders.

    Args:
        tx: the transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def paid(
        self, order: Order, at: datetime, contact: Contact | None, owners: Collection[str] | None
    ) -> Decision:
        """Return what the rules decide about an order that is paid.

        Args:
            order: as it stands.
            at: when it is paid.
            contact: whose it is, if anybody's.
            owners: whose rules decide; None for all.
        """
        decide = self._tx.rewards.decide
        return decide("order.paid", contact, at=at, order=order, key=order.key, owners=owners)

    def paid_anew(
        self,
        row: OrderRow,
        order: Order,
        at: datetime,
        contact: Contact | None,
        owners: Collection[str] | None,
    ) -> Decision:
        """Return what they decide about a paid order whose lines were replaced, as if it were not paid yet.

        It does not count among the earlier orders.

        Args:
            row: where it stands.
            order: with its new lines.
            at: when they were replaced.
            contact: whose it is, if anybody's.
            owners: whose rules decide; None for all.
        """
        if not any(one.fields for one in self._tx.rewards.concerned("order.paid", owners)):
            return self.paid(order, at, contact, owners)
        with self._tx.sql.isolated():
            rows.update_order(self._tx.sql, row.id, {"paid_at": FOREVER})
            decision = self.paid(order, at, contact, owners)
            rows.update_order(self._tx.sql, row.id, {"paid_at": row.paid_at})
        return decision

    def after(
        self,
        step: LogEntry,
        order: Callable[[], Order],
        contact: Callable[[], Contact | None],
        owners: Collection[str] | None,
    ) -> LogEntry | None:
        """Append what the rules decide about a later step; None if no rule is about it.

        Args:
            step: the entry of the step, just appended.
            order: reads the order, if it is needed.
            contact: reads whose it is, if it is needed.
            owners: whose rules decide; None for all.
        """
        trigger = _TRIGGERS.get(type(step.event), "")
        if not trigger or not self._tx.rewards.concerned(trigger, owners):
            return None
        found, at, payload = order(), step.occurred_at, codec.dump(step.event)[0]
        decision = self._tx.rewards.decide(
            trigger, contact(), at=at, order=found, key=found.key, payload=payload, owners=owners
        )
        event = RewardsDecided(
            trigger=trigger,
            key=found.key,
            awards=decision.awards,
            refusals=decision.refusals,
            payload=payload,
        )
        entry = self._tx.events.entry(
            event,
            key=rewards_key(step.key),
            contact_id=step.contact_id,
            subject_id=step.subject_id,
            occurred_at=at,
            cause=step,
        )
        self._tx.events.append_new([entry], owners)
        self._tx.reactions.fail_all(decision, entry.key, step.contact_id)
        return entry

    def before(self, step: LogEntry) -> LogEntry | None:
        """Return what the rules decided when a step was taken that is now repeated."""
        if type(step.event) not in _TRIGGERS:
            return None
        return self._tx.events.by_key(rewards_key(step.key), locked=True)


def rewards_key(step: str) -> str:
    """Return the key of what the rules decided about a step of an order."""
    return f"{step}:rewards"
