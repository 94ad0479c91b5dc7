"""Units given, corrected and handed on by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import attrs

from crmkit import Event, Lot, Transaction, ValueRefused
from crmkit_loyalty.change import Change, whole
from crmkit_loyalty.configured import settings_of
from crmkit_loyalty.entries import Entry
from crmkit_loyalty.events import PointsAdjusted, PointsGranted, PointsOpened, PointsTransferred
from crmkit_loyalty.keyed import key_of
from crmkit_loyalty.ledger import Account, HeldLot, Kind, Posting
from crmkit_loyalty.moves import earn, settle, spend
from crmkit_loyalty.settings import NegativeAdjustments

_TOLD: Mapping[Kind, type[PointsGranted] | type[PointsOpened]] = {
    Kind.GRANT: PointsGranted,
    Kind.OPEN: PointsOpened,
}


def give(
    tx: Transaction, kind: Kind, contact_id: UUID, amount: int, key: str, reason: str, unit: str, lot: Lot
) -> Entry:
    """Grant units, or open a balance; see `Loyalty.grant` and `Loyalty.open`."""
    content = {"amount": whole(amount), "reason": reason, "lot": _words(lot)}
    event = _TOLD[kind](key=key_of(key), unit=unit, amount=amount, reason=reason)
    tx.contacts.get(contact_id)
    return _filled(Change.of(tx, f"{kind}:{key}", contact_id, unit, content), kind, amount, lot, event)


def adjust(
    tx: Transaction, contact_id: UUID, amount: int, key: str, reason: Any, unit: str, lot: Lot
) -> Entry:
    """Correct a balance; see `Loyalty.adjust`."""
    if not isinstance(reason, str) or not reason.strip():
        raise ValueRefused(f"reason is {reason!r}; an adjustment says why in words")
    content: dict[str, Any] = {"amount": _either(amount), "reason": reason, "actor": tx.actor}
    event = PointsAdjusted(key=key_of(key), unit=unit, amount=amount, reason=reason)
    tx.contacts.get(contact_id)
    if amount > 0:
        content["lot"] = _words(lot)
        change = Change.of(tx, f"adjust:{key}", contact_id, unit, content)
        return _filled(change, Kind.ADJUST, amount, lot, event)
    change = Change.of(tx, f"adjust:{key}", contact_id, unit, content)
    with tx.sql.isolated():
        return change.stored() or change.write(Kind.ADJUST, _taken(change, -amount), event)


def transfer(
    tx: Transaction, contact_id: UUID, to: UUID, amount: int, key: str, reason: str, unit: str
) -> Entry:
    """Hand units to another contact; see `Loyalty.transfer`."""
    theirs = tx.contacts.ids(tx.contacts.get(to).id)
    content = {"amount": whole(amount), "reason": reason, "to": str(to)}
    change = Change.of(tx, f"transfer:{key_of(key)}", contact_id, unit, content, theirs)
    if set(theirs) & set(change.ids):
        raise ValueRefused(f"contact {to} is the one that has the units; transfer them to another one")
    with tx.sql.isolated():
        if stored := change.stored():
            return stored
        burn = spend(change.affordable(amount), contact_id, amount, change.now, Account.TRANSFERRED)
        change.journal.post(Kind.TRANSFER, contact_id, unit, burn, content)
        _hand_over(change, burn, to, theirs)
        out = PointsTransferred(key=key, unit=unit, amount=-amount, other=to, reason=reason)
        return change.close(out, (attrs.evolve(out, amount=amount, other=contact_id), to))


def _filled(change: Change, kind: Kind, amount: int, lot: Lot, event: Event) -> Entry:
    with change.tx.sql.isolated():
        if stored := change.stored():
            return stored
        new = change.journal.new_lot(change.contact_id, amount, lot)
        filled = earn(new, change.now)
        paid = settle(change.wallet().after(filled, new), change.now)
        return change.write(kind, [*filled, *paid], event, [new])


def _taken(change: Change, amount: int) -> list[Posting]:
    """Return the postings that take units away by hand: no award's, so that they name no lot of one."""
    owes = settings_of(change.tx, "Loyalty").negative_adjustments is NegativeAdjustments.DEBT
    wallet = change.wallet() if owes else change.affordable(amount)
    there = min(amount, wallet.spendable(change.now))
    taken = spend(wallet, change.contact_id, there, change.now, Account.CLAWED)[: None if there else -1]
    if rest := amount - there:
        taken.append(Posting(Account.CLAWED, rest, change.contact_id))
        taken.append(Posting(Account.DEBT, -rest, change.contact_id))
    return [*taken, *settle(wallet.after(taken), change.now)]


def _hand_over(change: Change, burn: Sequence[Posting], to: UUID, theirs: tuple[UUID, ...]) -> None:
    """Post what the other contact gets: lots that lapse when those lapse that they came from."""
    held = {lot.id: lot for lot in change.wallet().lots}
    new = [_copy(change, held[p.lot_id], -p.amount, to) for p in burn if p.lot_id is not None]
    filled = [
        posting
        for lot in new
        for posting in (
            Posting(Account.TRANSFERRED, -lot.quantity, to, lot.id),
            Posting(Account.ACTIVE, lot.quantity, to, lot.id),
        )
    ]
    paid = settle(change.wallet(theirs).after(filled, *new), change.now)
    content = {"amount": sum(lot.quantity for lot in new), "from": str(change.contact_id)}
    change.journal.post(Kind.TRANSFER, to, change.unit, [*filled, *paid], content, lots=new)


def _copy(change: Change, lot: HeldLot, quantity: int, to: UUID) -> HeldLot:
    valid = Lot(active_from=change.now, expires_at=lot.ends_at or lot.expires_at, qualifying=False)
    return change.journal.new_lot(to, quantity, valid)


def _words(lot: Lot) -> list[str]:
    return [str(lot.active_from or ""), str(lot.expires_at)]


def _either(value: object) -> int:
    if type(value) is int and value < 0:
        return -whole(-value)
    return whole(value)
