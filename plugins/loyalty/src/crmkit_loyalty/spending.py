"""Units spent at once, and a redemption undone."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from crmkit import Lot, NotFound, Transaction
from crmkit_loyalty.change import Change, whole
from crmkit_loyalty.configured import settings_of
from crmkit_loyalty.entries import Entry
from crmkit_loyalty.events import PointsRedeemed, PointsReturned
from crmkit_loyalty.keyed import key_of
from crmkit_loyalty.ledger import HeldLot, Kind
from crmkit_loyalty.moves import give_back, settle, spend
from crmkit_loyalty.passing import ended, lapsed
from crmkit_loyalty.settings import ReturnedExpiry
from crmkit_loyalty.store import Row, Store
from crmkit_loyalty.touch import remind


def redeem(tx: Transaction, contact_id: UUID, amount: int, key: str, reason: str, unit: str) -> Entry:
    """Spend units; see `Loyalty.redeem`."""
    content = {"amount": whole(amount), "reason": reason}
    change = Change.of(tx, redemption(key), contact_id, unit, content)
    with tx.sql.isolated():
        if stored := change.stored():
            return stored
        postings = spend(change.affordable(amount), contact_id, amount, change.now)
        event = PointsRedeemed(key=key, unit=unit, amount=amount, reason=reason)
        return change.write(Kind.REDEEM, postings, event)


def cancel_redemption(tx: Transaction, key: str) -> Entry:
    """Undo a redemption; see `Loyalty.cancel_redemption`."""
    spent = _spent(Store(tx), key)
    contact_id, unit = spent["contact_id"], spent["unit"]
    content = {"amount": spent["content"]["amount"], "redemption": str(spent["id"])}
    burn = Store(tx).postings_of(spent["id"])
    # its lots may belong to somebody with whom the contact was merged when it spent them
    people = families(tx, {contact_id, *(posting.contact_id for posting in burn)})
    change = Change.of(tx, f"return:{key}", contact_id, unit, content, [id for one in people for id in one])
    with tx.sql.isolated():
        if stored := change.stored():
            return stored
        wallets = {family: change.wallet(family, emptied=True) for family in people}
        lots = [lot for wallet in wallets.values() for lot in wallet.lots]
        gone = lapsed(lots, change.now)
        touched = {posting.lot_id for posting in burn}
        fresh = _fresh(change, [lot for lot in lots if lot.id in touched & gone])
        postings = give_back(burn, gone, fresh)
        for family, wallet in wallets.items():
            theirs = [posting for posting in postings if posting.contact_id in family]
            new = [lot for lot in fresh.values() if lot.contact_id in family]
            postings += settle(wallet.after(theirs, *new), change.now)
        remind(tx, change.store, [lot for lot in lots if lot.id in touched - gone], unit)
        event = PointsReturned(key=key, unit=unit, amount=content["amount"])
        return change.write(Kind.RETURN, postings, event, list(fresh.values()))


def redemption(key: object) -> str:
    """Return the ledger's key of a redemption: at once, or in two phases."""
    return f"redeem:{key_of(key)}"


def families(tx: Transaction, ids: Iterable[UUID]) -> list[tuple[UUID, ...]]:
    """Return every id of each contact that one of some ids belongs to, in an order that is always the same."""
    return sorted({tx.contacts.ids(id) for id in ids})


def _spent(store: Store, key: str) -> Row:
    found = store.by_key(redemption(key), locked=True)
    if found is not None and found["kind"] == Kind.RESERVE:
        found = store.by_key(ended(key), locked=True)
    if found is None or found["kind"] not in (Kind.REDEEM, Kind.COMMIT):
        raise NotFound(f"there is no redemption with the key {key!r}")
    return found


def _fresh(change: Change, lots: Iterable[HeldLot]) -> dict[UUID, HeldLot]:
    """Return new lots for what comes back to lots that have lapsed, if the settings give it a new validity."""
    settings = settings_of(change.tx, "Loyalty")
    if settings.returned_expiry is ReturnedExpiry.ORIGINAL:
        return {}
    valid = Lot(expires_at=settings.validity.expires_at(change.now))
    return {lot.id: change.journal.new_lot(lot.contact_id, lot.quantity, valid) for lot in lots}
