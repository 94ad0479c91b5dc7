"""Spending in two phases: units are set aside, and then spent, given up, or free again when their time is over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Self
from uuid import UUID

import attrs

from crmkit import NotFound, Transaction, ValueRefused
from crmkit_loyalty.change import Change, entry_at, whole
from crmkit_loyalty.entries import Entry, ReservationEnded
from crmkit_loyalty.events import PointsRedeemed, PointsReleased, PointsReserved
from crmkit_loyalty.ledger import Account, Kind, Posting, Wallet
from crmkit_loyalty.moves import commit as committed
from crmkit_loyalty.moves import release as released
from crmkit_loyalty.moves import reserve as set_aside
from crmkit_loyalty.moves import settle
from crmkit_loyalty.passing import ended, lapsed
from crmkit_loyalty.spending import families, redemption
from crmkit_loyalty.store import Row, Store
from crmkit_loyalty.touch import remind

LONGEST = timedelta(days=366)


def reserve(
    tx: Transaction, contact_id: UUID, amount: int, key: str, ttl: timedelta, reason: str, unit: str
) -> Entry:
    """Set units aside; see `Loyalty.reserve`."""
    content = {"amount": whole(amount), "reason": reason, "seconds": _seconds(ttl)}
    change = Change.of(tx, redemption(key), contact_id, unit, content)
    with tx.sql.isolated():
        if stored := change.stored():
            return stored
        postings = set_aside(change.affordable(amount), amount, change.now)
        until = change.now + ttl
        id = change.journal.post(Kind.RESERVE, contact_id, unit, postings, content)
        change.journal.remind(id, Kind.RELEASE, contact_id, unit, until)
        return change.close(PointsReserved(key=key, unit=unit, amount=amount, until=until, reason=reason))


def commit(tx: Transaction, key: str) -> Entry:
    """Spend what was set aside; see `Loyalty.commit`."""
    row = _reserved(tx, key)
    with tx.sql.isolated():
        ending = _Ending.of(tx, row, key)
        if stored := ending.stored(Kind.COMMIT):
            return stored
        content = row["content"]
        event = PointsRedeemed(
            key=key, unit=row["unit"], amount=content["amount"], reason=content.get("reason", "")
        )
        return ending.change.write(Kind.COMMIT, committed(ending.parts, row["contact_id"]), event)


def release(tx: Transaction, key: str) -> Entry:
    """Give up what was set aside; see `Loyalty.release`."""
    row = _reserved(tx, key)
    with tx.sql.isolated():
        ending = _Ending.of(tx, row, key)
        if stored := ending.stored(Kind.RELEASE):
            return stored
        amount = row["content"]["amount"]
        event = PointsReleased(key=key, unit=row["unit"], amount=amount, because="released")
        return ending.change.write(Kind.RELEASE, ending.back(), event)


def _reserved(tx: Transaction, key: str) -> Row:
    row = Store(tx).by_key(redemption(key), locked=True)
    if row is None or row["kind"] != Kind.RESERVE:
        raise NotFound(f"there is no reservation with the key {key!r}")
    return row


@attrs.define(eq=False)
class _Ending:
    """The end of a reservation.

    Args:
        change: what ends it; the wallets are locked.
        key: the caller's.
        id: of the transaction that reserved.
        parts: what was set aside.
        wallets: of whoever's lots these are: somebody may have been merged with the contact when it reserved.
    """

    change: Change
    key: str
    id: UUID
    parts: list[Posting]
    wallets: Mapping[tuple[UUID, ...], Wallet]

    @classmethod
    def of(cls, tx: Transaction, row: Row, key: str) -> Self:
        """Lock the wallets, and post what time has done to them: perhaps it has ended the reservation."""
        parts = [p for p in Store(tx).postings_of(row["id"]) if p.account is Account.RESERVED]
        people = families(tx, {row["contact_id"], *(part.contact_id for part in parts)})
        content = {"amount": row["content"]["amount"], "reservation": str(row["id"])}
        others = [id for family in people for id in family]
        change = Change.of(tx, ended(key), row["contact_id"], row["unit"], content, others)
        change.lock()
        wallets = {family: change.wallet(family, emptied=True) for family in people}
        return cls(change, key, row["id"], parts, wallets)

    def stored(self, kind: Kind) -> Entry | None:
        """Return how the reservation ended, if it did so in this way; else stop its time.

        Raises:
            ReservationEnded: if it ended in another way.
        """
        stored = entry_at(self.change.store, self.change.key, locked=True)
        if stored is None:
            self.change.store.stop([(self.id, Kind.RELEASE)])
        elif stored.kind is not kind:
            raise ReservationEnded(self.key, stored.kind, stored.at)
        return stored

    def back(self) -> list[Posting]:
        """Return the postings that give back what was set aside, and pay with it what is owed."""
        lots = [lot for wallet in self.wallets.values() for lot in wallet.lots]
        mine = {part.lot_id for part in self.parts}
        remind(self.change.tx, self.change.store, [lot for lot in lots if lot.id in mine], self.change.unit)
        back = released(self.parts, lapsed(lots, self.change.now))
        postings = list(back)
        for family, wallet in self.wallets.items():
            theirs = [posting for posting in back if posting.contact_id in family]
            postings += settle(wallet.after(theirs), self.change.now)
        return postings


def _seconds(ttl: object) -> int:
    if not isinstance(ttl, timedelta) or ttl % timedelta(seconds=1) or not timedelta(0) < ttl <= LONGEST:
        raise ValueRefused(f"ttl is {ttl!r}; it must be a timedelta of whole seconds, of at most 366 days")
    return int(ttl.total_seconds())
