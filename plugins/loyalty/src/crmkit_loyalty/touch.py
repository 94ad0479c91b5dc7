"""A wallet that is locked, and as time has made it: what nobody has posted yet is posted first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from crmkit import Event, Transaction
from crmkit_loyalty.configured import settings_of
from crmkit_loyalty.events import PointsActivated, PointsExpired, PointsReleased
from crmkit_loyalty.journal import Journal, lot_timers
from crmkit_loyalty.ledger import HeldLot, Kind, Wallet
from crmkit_loyalty.passing import Passed, passed, passing
from crmkit_loyalty.store import Store


def touched(
    tx: Transaction, store: Store, ids: Sequence[UUID], unit: str, *, emptied: bool = False
) -> Wallet:
    """Return a wallet once what time has done to it is posted; the caller has locked it.

    Args:
        tx: the transaction.
        store: the ledger.
        ids: every id of the contact.
        unit: of which unit.
        emptied: whether lots with nothing left are wanted as well.
    """
    wallet = store.wallet(ids, unit, locked=True, emptied=emptied)
    done = passing(wallet, tx.now)
    if not done:
        return wallet
    _lock_others(store, ids, unit, done)
    _post(tx, unit, done)
    store.stop((one.id, one.kind) for one in done)
    return passed(wallet, done)


def remind(tx: Transaction, store: Store, lots: Iterable[HeldLot], unit: str) -> None:
    """See to it that lots to which something came back have timers: theirs may have been seen to already."""
    if settings_of(tx, "Loyalty").inactivity_days is not None:
        store.remind(timer for lot in lots for timer in lot_timers(tx, lot, unit, tx.now))


def _lock_others(store: Store, ids: Sequence[UUID], unit: str, done: Sequence[Passed]) -> None:
    """Lock whose lots a reservation gives back: of a contact that was merged with this one when it reserved."""
    if others := {posting.contact_id for one in done for posting in one.postings} - set(ids):
        store.lock(others, [unit])


def _post(tx: Transaction, unit: str, done: Sequence[Passed]) -> None:
    journal = Journal(tx, "")
    ids = [
        journal.post(
            one.kind, one.contact_id, unit, one.postings, {"amount": one.amount}, key=one.key, at=one.at
        )
        for one in done
    ]
    journal.write()
    for id, one in zip(ids, done, strict=True):
        subject = one.order_id or id
        tx.events.append(_event(one, unit), contact_id=one.contact_id, subject_id=subject, occurred_at=one.at)


def _event(one: Passed, unit: str) -> Event:
    if one.kind is Kind.RELEASE:
        return PointsReleased(key=one.name, unit=unit, amount=one.amount, because="ran out")
    event = PointsExpired if one.kind is Kind.EXPIRE else PointsActivated
    return event(unit=unit, amount=one.amount)
