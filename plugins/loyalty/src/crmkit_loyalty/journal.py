"""What one cause does to the ledger: worked out first, then written at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import attrs

from crmkit import Event, Lot, Transaction
from crmkit_loyalty.ledger import HeldLot, Posting
from crmkit_loyalty.store import Row, Store

# from the least to the greatest, the kinds of transaction
EARN, GRANT, CLAW_BACK, REDEEM, RETURN = "earn", "grant", "claw-back", "redeem", "return"


@attrs.frozen(kw_only=True)
class Cause:
    """Why something is posted.

    Args:
        key: unique in the ledger; names of several transactions are made from it.
        at: when it takes effect.
        now: when it is written down.
        event_id: the event that caused it, if any.
        order_id: the order it is about, if any.
    """

    key: str
    at: datetime
    now: datetime
    event_id: UUID | None = None
    order_id: UUID | None = None


@attrs.define(eq=False)
class Journal:
    """Collects the rows that one cause adds.

    Args:
        tx: the transaction.
        cause: why.
    """

    tx: Transaction
    cause: Cause
    transactions: list[Row] = attrs.field(init=False, factory=list)
    lots: list[Row] = attrs.field(init=False, factory=list)
    postings: list[Row] = attrs.field(init=False, factory=list)

    def post(
        self,
        kind: str,
        contact_id: UUID,
        unit: str,
        postings: Sequence[Posting],
        content: Mapping[str, Any],
        *,
        lot: HeldLot | None = None,
    ) -> UUID:
        """Add a transaction with its postings and the lot that it fills; return its id."""
        id = self.tx.new_id()
        several = self.cause.event_id is not None
        self.transactions.append(
            {
                "id": id,
                "key": f"{self.cause.key}#{len(self.transactions) + 1}" if several else self.cause.key,
                "kind": kind,
                "contact_id": contact_id,
                "unit": unit,
                "effective_at": self.cause.at,
                "recorded_at": self.cause.now,
                "cause_id": self.cause.event_id,
                "subject_id": self.cause.order_id,
                "content": content,
            }
        )
        if lot is not None:
            self.lots.append(_lot_row(lot, unit, id))
        self.add(id, unit, postings)
        return id

    def add(self, transaction_id: UUID, unit: str, postings: Sequence[Posting]) -> None:
        """Add postings to a transaction of this journal."""
        first = 1 + sum(row["transaction_id"] == transaction_id for row in self.postings)
        self.postings += [
            {
                "transaction_id": transaction_id,
                "n": n,
                "contact_id": posting.contact_id,
                "unit": unit,
                "account": posting.account,
                "lot_id": posting.lot_id,
                "amount": posting.amount,
            }
            for n, posting in enumerate(postings, first)
        ]

    def new_lot(self, contact_id: UUID, quantity: int, lot: Lot) -> HeldLot:
        """Return a lot that is to be filled, with the validity asked for."""
        return HeldLot(
            id=self.tx.new_id(),
            contact_id=contact_id,
            quantity=quantity,
            left=0,
            # an order may be dated ahead of our clock; what it earns is there at once
            active_from=lot.active_from or min(self.cause.at, self.cause.now),
            expires_at=lot.expires_at,
            order_id=self.cause.order_id,
        )

    def write(self, *, claimed: bool = False) -> None:
        """Write everything; `claimed` says that the transactions stand there already."""
        Store(self.tx).write([] if claimed else self.transactions, self.lots, self.postings)

    def tell(self, event: Event, contact_id: UUID, subject_id: UUID | None) -> None:
        """Append an event about what was posted."""
        cause = self.cause
        self.tx.events.append(event, contact_id=contact_id, subject_id=subject_id, occurred_at=cause.at)


def _lot_row(lot: HeldLot, unit: str, transaction_id: UUID) -> Row:
    return {
        "id": lot.id,
        "contact_id": lot.contact_id,
        "unit": unit,
        "quantity": lot.quantity,
        "transaction_id": transaction_id,
        "subject_id": lot.order_id,
        "active_from": lot.active_from,
        "expires_at": lot.expires_at,
    }
