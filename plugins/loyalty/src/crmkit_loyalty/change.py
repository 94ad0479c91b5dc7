"""A change that a caller's key names for ever: the same call again finds what it wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Self
from uuid import UUID

import attrs

from crmkit import Event, KeyConflict, RetryTransaction, Transaction, ValueRefused
from crmkit_loyalty.entries import Entry, InsufficientPoints, entry_of
from crmkit_loyalty.journal import Journal
from crmkit_loyalty.ledger import COUNTED, LARGEST, HeldLot, Kind, Posting, Wallet
from crmkit_loyalty.store import Store
from crmkit_loyalty.touch import touched


@attrs.define(eq=False)
class Change:
    """What one call does to a contact's wallet.

    Args:
        tx: the transaction.
        key: of the ledger's transaction.
        contact_id: whose.
        unit: of which unit.
        content: what the caller asked for: a repeated call must ask for the same.
        ids: every id of the contact.
        others: every id of others whose wallets change as well.
    """

    tx: Transaction
    key: str
    contact_id: UUID
    unit: str
    content: Mapping[str, Any]
    ids: tuple[UUID, ...]
    others: tuple[UUID, ...] = ()
    store: Store = attrs.field(init=False)
    journal: Journal = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.store = Store(self.tx)
        self.journal = Journal(self.tx, self.key)

    @classmethod
    def of(
        cls,
        tx: Transaction,
        key: str,
        contact_id: UUID,
        unit: str,
        content: Mapping[str, Any],
        others: Iterable[UUID] = (),
    ) -> Self:
        """Return the change that a call asks for."""
        ids = tx.contacts.ids(contact_id)
        return cls(tx, key, contact_id, unit, content, ids, tuple(set(others) - set(ids)))

    @property
    def now(self) -> datetime:
        """When it happens."""
        return self.journal.now

    def stored(self) -> Entry | None:
        """Lock the wallets, and return what the key stands for already.

        Raises:
            KeyConflict: if that is something else.
        """
        self.lock()
        return self._stored()

    def lock(self) -> None:
        """Lock the wallets until the transaction ends."""
        self.store.lock([*self.ids, *self.others], [self.unit])

    def wallet(self, ids: Sequence[UUID] = (), *, emptied: bool = False) -> Wallet:
        """Return the wallet, locked before, as time has made it.

        Args:
            ids: of another contact than the one whose change it is.
            emptied: whether lots with nothing left are wanted as well.
        """
        return touched(self.tx, self.store, ids or self.ids, self.unit, emptied=emptied)

    def affordable(self, amount: int) -> Wallet:
        """Return the wallet if so many units may be spent.

        Raises:
            InsufficientPoints: if fewer may be.
        """
        wallet = self.wallet()
        spendable = wallet.spendable(self.now)
        if spendable < amount:
            raise InsufficientPoints(self.contact_id, self.unit, amount, spendable)
        return wallet

    def write(
        self, kind: Kind, postings: Sequence[Posting], event: Event, lots: Sequence[HeldLot] = ()
    ) -> Entry:
        """Write the change, and tell the log; or return what another transaction has written meanwhile.

        Raises:
            RetryTransaction: if that is not to be seen yet.
        """
        self.journal.post(kind, self.contact_id, self.unit, postings, self.content, lots=lots)
        return self.close(event)

    def close(self, event: Event, *others: tuple[Event, UUID]) -> Entry:
        """As `write`, for what was posted to the journal already: its first transaction is the change's.

        Args:
            event: what the log is told of the contact.
            others: what it is told of others.
        """
        first = self.journal.first
        if self.journal.claim():
            for one, contact_id in ((event, self.contact_id), *others):
                self.journal.tell(one, contact_id)
            return entry_of(first, self.journal.counted(first["id"]))
        stored = self._stored(locked=True)
        if stored is None:
            raise RetryTransaction(
                f"key {self.key!r} was written by a transaction that this one cannot see yet"
            )
        return stored

    def _stored(self, *, locked: bool = False) -> Entry | None:
        found = entry_at(self.store, self.key, locked=locked)
        if found is None:
            return None
        content = self.content
        if "reason" not in found.content:  # the contact was erased, and the shop's words with it
            content = {name: value for name, value in content.items() if name != "reason"}
        if found.contact_id not in self.ids or found.unit != self.unit or found.content != content:
            given = {"contact_id": self.ids[0], "unit": self.unit, "content": content}
            raise KeyConflict(self.key, stored=found, given=given)
        return found


def entry_at(store: Store, key: str, *, locked: bool = False) -> Entry | None:
    """Return the entry that stands under a key of the ledger, or None."""
    row = store.by_key(key, locked=locked)
    return None if row is None else entry_of(row, counted(store.postings_of(row["id"])))


def counted(postings: Iterable[Posting]) -> int:
    """Return what postings make of a balance."""
    return sum(posting.amount for posting in postings if posting.account in COUNTED)


def whole(value: object, least: int = 1) -> int:
    """Return a count of units.

    Raises:
        ValueRefused: if it is no whole number from `least` to the largest that the ledger takes.
    """
    if type(value) is not int or not least <= value <= LARGEST:
        raise ValueRefused(f"amount is {value!r}; it must be a whole number from {least} to {LARGEST}")
    return value
