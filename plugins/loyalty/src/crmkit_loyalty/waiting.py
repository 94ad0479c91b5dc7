"""The job that posts what time has done: wallet by wallet, in batches, each in a transaction of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from crmkit import CRM, FOREVER, Transaction
from crmkit_loyalty.configured import settings_of
from crmkit_loyalty.ledger import Kind, Wallet
from crmkit_loyalty.store import Row, Store
from crmkit_loyalty.touch import touched

BATCH = 100


def post_passed(crm: CRM) -> int:
    """Post all that is due, and return how many timers were seen to.

    Whatever breaks it off, the batches before stand, and the next run goes on from there; a second one finds
    nothing to do.
    """
    total = 0
    while seen := crm.transact(_batch):
        total += seen
    return total


def _batch(tx: Transaction) -> int:
    store = Store(tx)
    wallets = _by_wallet(tx, store.due(BATCH))
    for unit in sorted({unit for unit, _ in wallets}):
        store.lock([id for one, ids in wallets if one == unit for id in ids], [unit])
    idle = settings_of(tx, "Loyalty").inactivity_days is not None
    for (unit, ids), timers in sorted(wallets.items()):
        _see_to(store, timers, touched(tx, store, ids, unit, emptied=idle), tx.now)
    return sum(len(timers) for timers in wallets.values())


def _by_wallet(tx: Transaction, timers: Iterable[Row]) -> dict[tuple[str, tuple[UUID, ...]], list[Row]]:
    found: dict[tuple[str, tuple[UUID, ...]], list[Row]] = {}
    for timer in timers:
        found.setdefault((timer["unit"], tx.contacts.ids(timer["contact_id"])), []).append(timer)
    return found


def _see_to(store: Store, timers: Sequence[Row], wallet: Wallet, now: datetime) -> None:
    """Stop timers, but for those of lots that their holder's activity has given more time."""
    ends = {lot.id: lot.expires_at for lot in wallet.lots}
    for timer in timers:
        at = ends.get(timer["id"], now) if timer["kind"] == Kind.EXPIRE else now
        if now < at < FOREVER:
            store.defer(timer["id"], timer["kind"], at)
        else:
            store.stop([(timer["id"], timer["kind"])])
