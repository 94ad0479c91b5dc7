"""What the life of an order does to referrals, and the job that ends their holds."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from crmkit import (
    CRM,
    LogEntry,
    OrderAmended,
    OrderCancelled,
    OrderPaid,
    OrderRefunded,
    OrderState,
    Reaction,
    Transaction,
)
from crmkit_loyalty.referrals.referral import ReferralState
from crmkit_loyalty.referrals.service import Referrals, referral_settings
from crmkit_loyalty.referrals.store import ReferralStore

PAGE = 200


def reactions() -> list[Reaction]:
    """Return what changes referrals; it is essential: a refund that is not seen would be rewarded."""
    undone = (OrderRefunded, OrderCancelled, OrderAmended)
    return [Reaction(OrderPaid, on_paid, essential=True)] + [
        Reaction(one, on_undone, essential=True) for one in undone
    ]


def on_paid(tx: Transaction, entry: LogEntry) -> None:
    """Let the first order count that whoever was brought has paid for in time."""
    event = entry.event
    assert isinstance(event, OrderPaid)
    if entry.contact_id is None:
        return
    store, least = ReferralStore(tx), referral_settings(tx).least
    ids = tx.contacts.ids(entry.contact_id)
    if not store.of_friend(ids):
        return
    Referrals(tx).lock(entry.contact_id)
    for referral in ReferralStore(tx, locked=True).of_friend(ids):
        in_time = referral.claimed_at <= entry.occurred_at < referral.until_at
        if referral.state is ReferralState.CLAIMED and in_time and event.amount.minor >= least:
            Referrals(tx).hold(referral, event.order_key, entry.occurred_at)


def on_undone(tx: Transaction, entry: LogEntry) -> None:
    """Let an order count no more of which too little is left before its hold has ended."""
    event = entry.event
    assert isinstance(event, (OrderRefunded, OrderCancelled, OrderAmended))
    key = event.order.key if isinstance(event, OrderAmended) else event.order_key
    found = ReferralStore(tx, locked=True).of_order(key)
    if not found:
        return
    order, least = tx.orders.get(key), referral_settings(tx).least
    gone = order.state in (OrderState.CANCELLED, OrderState.REFUNDED)
    left = order.order.total.minor - order.refunded.minor
    # what had been due before is seen to first, whether or not the job ran
    for referral in [Referrals(tx).resolve(one.id, entry.occurred_at) for one in found]:
        if referral.state is ReferralState.HELD and (gone or left < least):
            Referrals(tx).drop(referral)


def _resolve(tx: Transaction, id: UUID) -> None:
    Referrals(tx).resolve(id)


def end_holds(crm: CRM) -> int:
    """Reward the referrals whose hold has ended; return how many were looked at. Doing it again changes nothing."""
    count, page = 0, PAGE
    while page == PAGE:
        found = crm.transact(lambda tx: ReferralStore(tx).due(tx.now, PAGE))
        for id in found:
            crm.transact(partial(_resolve, id=id))
        page = len(found)
        count += page
    return count
