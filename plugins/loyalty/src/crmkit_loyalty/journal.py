"""What one cause does to the ledger: worked out first, then written at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import attrs

from crmkit import FOREVER, Event, LogEntry, Lot, Transaction
from crmkit_loyalty.configured import settings_of
from crmkit_loyalty.ledger import COUNTED, HeldLot, Kind, Posting
from crmkit_loyalty.passing import unused
from crmkit_loyalty.store import Row, Store


@attrs.define(eq=False)
class Journal:
    """Collects the rows that one cause adds.

    Args:
        tx: the transaction.
        key: unique in the ledger; of several transactions the second and later ones are numbered.
        entry: the event that is the cause, if any.
    """

    tx: Transaction
    key: str
    entry: LogEntry | None = None
    at: datetime = attrs.field(init=False)
    now: datetime = attrs.field(init=False)
    order_id: UUID | None = attrs.field(init=False)
    _transactions: list[Row] = attrs.field(init=False, factory=list)
    _lots: list[Row] = attrs.field(init=False, factory=list)
    _postings: list[Row] = attrs.field(init=False, factory=list)
    _timers: list[Row] = attrs.field(init=False, factory=list)
    _numbers: Counter[UUID] = attrs.field(init=False, factory=Counter)

    def __attrs_post_init__(self) -> None:
        self.now = self.tx.now if self.entry is None else self.entry.recorded_at
        self.at = self.now if self.entry is None else self.entry.occurred_at
        self.order_id = None if self.entry is None else self.entry.subject_id

    def post(
        self,
        kind: Kind,
        contact_id: UUID,
        unit: str,
        postings: Sequence[Posting],
        content: Mapping[str, Any],
        *,
        lots: Sequence[HeldLot] = (),
        key: str = "",
        at: datetime | None = None,
    ) -> UUID:
        """Add a transaction with its postings, and return its id.

        Args:
            kind: what it is.
            contact_id: whose.
            unit: of which unit.
            postings: what it moves.
            content: what else is recorded.
            lots: those that it fills.
            key: another one than the journal's.
            at: when it took effect, if not when the cause did.
        """
        id, number = self.tx.new_id(), len(self._transactions) + 1
        self._transactions.append(
            {
                "id": id,
                "key": key or (self.key if number == 1 else f"{number}:{self.key}"),
                "kind": kind,
                "contact_id": contact_id,
                "unit": unit,
                "effective_at": at or self.at,
                "recorded_at": self.now,
                "cause_id": None if self.entry is None else self.entry.id,
                "subject_id": self.order_id,
                "content": content,
            }
        )
        self._lots += [_lot_row(lot, unit, id) for lot in lots]
        for lot in lots:
            self._timers += lot_timers(self.tx, lot, unit, self.now)
        self.add(id, unit, postings)
        return id

    def remind(self, id: UUID, kind: Kind, contact_id: UUID, unit: str, at: datetime) -> None:
        """Add a timer."""
        self._timers.append({"id": id, "kind": kind, "contact_id": contact_id, "unit": unit, "at": at})

    def add(self, transaction_id: UUID, unit: str, postings: Sequence[Posting]) -> None:
        """Add postings to a transaction of this journal."""
        for posting in postings:
            self._numbers[transaction_id] += 1
            self._postings.append(
                {
                    "transaction_id": transaction_id,
                    "n": self._numbers[transaction_id],
                    "contact_id": posting.contact_id,
                    "unit": unit,
                    "account": posting.account,
                    "lot_id": posting.lot_id,
                    "amount": posting.amount,
                }
            )

    def new_lot(self, contact_id: UUID, quantity: int, lot: Lot) -> HeldLot:
        """Return a lot that is to be filled, with the validity asked for."""
        return HeldLot(
            id=self.tx.new_id(),
            contact_id=contact_id,
            quantity=quantity,
            # an order may be dated ahead of our clock; what it earns is there at once
            active_from=lot.active_from or min(self.at, self.now),
            expires_at=lot.expires_at,
            order_id=self.order_id,
            qualifying=lot.qualifying,
        )

    def counted(self, transaction_id: UUID) -> int:
        """Return what a transaction of this journal makes of the balance."""
        mine = (row for row in self._postings if row["transaction_id"] == transaction_id)
        return sum(row["amount"] for row in mine if row["account"] in COUNTED)

    @property
    def first(self) -> Row:
        """The first transaction."""
        return self._transactions[0]

    def write(self) -> None:
        """Write everything."""
        Store(self.tx).write(self._transactions, self._lots, self._postings, self._timers)

    def claim(self) -> bool:
        """Write everything unless the key of the first transaction is taken; say whether it was written."""
        store = Store(self.tx)
        if not store.claim(self.first):
            return False
        store.write(self._transactions[1:], self._lots, self._postings, self._timers)
        return True

    def tell(self, event: Event, contact_id: UUID) -> None:
        """Append an event about what was posted."""
        subject_id = self.order_id or self.first["id"]
        self.tx.events.append(
            event, contact_id=contact_id, subject_id=subject_id, cause=self.entry, occurred_at=self.at
        )


def _lot_row(lot: HeldLot, unit: str, transaction_id: UUID) -> Row:
    return {
        "id": lot.id,
        "contact_id": lot.contact_id,
        "unit": unit,
        "quantity": lot.quantity,
        "transaction_id": transaction_id,
        "subject_id": lot.order_id,
        "active_from": lot.active_from,
        "expires_at": lot.ends_at or lot.expires_at,
        "qualifying": int(lot.qualifying),
    }


def lot_timers(tx: Transaction, lot: HeldLot, unit: str, now: datetime) -> list[Row]:
    """Return the timers of a lot: when its hold ends, and when it lapses at the earliest."""
    (shortened,) = unused([lot], None, settings_of(tx, "Loyalty").inactivity_days)
    ends = {Kind.ACTIVATE: lot.active_from, Kind.EXPIRE: shortened.expires_at}
    named = {"id": lot.id, "contact_id": lot.contact_id, "unit": unit}
    wanted = {Kind.ACTIVATE: now < lot.active_from, Kind.EXPIRE: shortened.expires_at < FOREVER}
    return [{**named, "kind": kind, "at": at} for kind, at in ends.items() if wanted[kind]]
