"""The arithmetic of the ledger: pure functions from what is held to postings that add up to zero.

Over all postings of a unit: `issued = active + redeemed + clawed + expired - owed`. Whoever owes holds nothing:
each function that leaves a debt or gives units back is followed by `settle`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from math import floor
from uuid import UUID

import attrs

from crmkit import Base, Order, Returned

#: The most units that one award may have: sums of thousands of them stay within 64 bits.
LARGEST = 10**15


class Account(StrEnum):
    """Where units are."""

    ISSUANCE = "issuance"  #: where they come from: minus all that were ever granted
    ACTIVE = "active"  #: with a contact, in lots
    DEBT = "debt"  #: minus what a contact owes because it was clawed back after it was spent
    REDEEMED = "redeemed"  #: spent
    CLAWED = "clawed"  #: taken back
    EXPIRED = "expired"  #: lapsed


@attrs.frozen
class Posting:
    """One leg of a transaction.

    Args:
        account: which account.
        amount: units that come in, or minus those that go out.
        contact_id: whose.
        lot_id: the lot concerned; a claw-back names the lot of the award, wherever the units are taken.
    """

    account: Account
    amount: int
    contact_id: UUID
    lot_id: UUID | None = None


@attrs.frozen(kw_only=True)
class HeldLot:
    """Units with one validity.

    Args:
        id: its id.
        contact_id: whose.
        quantity: how many there were.
        left: how many there are.
        active_from: from when on they may be spent.
        expires_at: before when they must be spent.
        order_id: the order that gave them, if any.
    """

    id: UUID
    contact_id: UUID
    quantity: int
    left: int
    active_from: datetime
    expires_at: datetime
    order_id: UUID | None = None

    def spendable(self, at: datetime) -> bool:
        """Whether its units may be spent at an instant."""
        return self.active_from <= at < self.expires_at


@attrs.frozen
class Wallet:
    """What a contact holds and owes of one unit.

    Args:
        lots: with what is left of each.
        owed: units owed, by the contact id under which they are owed.
    """

    lots: tuple[HeldLot, ...] = ()
    owed: Mapping[UUID, int] = attrs.field(factory=dict)

    def after(self, postings: Iterable[Posting], *new: HeldLot) -> Wallet:
        """Return the wallet as it is once the postings are made; new lots begin empty."""
        left = {lot.id: 0 for lot in new} | {lot.id: lot.left for lot in self.lots}
        owed = dict(self.owed)
        for posting in postings:
            if posting.account is Account.ACTIVE and posting.lot_id is not None:
                left[posting.lot_id] += posting.amount
            elif posting.account is Account.DEBT:
                owed[posting.contact_id] = owed.get(posting.contact_id, 0) - posting.amount
        lots = tuple(attrs.evolve(lot, left=left[lot.id]) for lot in (*self.lots, *new))
        return Wallet(lots, {id: amount for id, amount in owed.items() if amount})

    def spendable(self, at: datetime) -> int:
        """Return how many units may be spent at an instant; what is owed comes first."""
        held = sum(lot.left for lot in self.lots if lot.spendable(at))
        return max(0, held - sum(self.owed.values()))


def soonest(lots: Iterable[HeldLot], amount: int) -> list[tuple[HeldLot, int]]:
    """Return from which lots to take how much: what expires first goes first, then the lesser id.

    Args:
        lots: those that may be used.
        amount: how many units; fewer are returned if the lots hold fewer.
    """
    parts = []
    for lot in sorted(lots, key=lambda lot: (lot.expires_at, lot.id)):
        part = min(lot.left, amount)
        if part > 0:
            parts.append((lot, part))
            amount -= part
    return parts


def earn(lot: HeldLot) -> list[Posting]:
    """Return the postings that fill a new lot."""
    return [
        Posting(Account.ISSUANCE, -lot.quantity, lot.contact_id, lot.id),
        Posting(Account.ACTIVE, lot.quantity, lot.contact_id, lot.id),
    ]


def redeem(wallet: Wallet, contact_id: UUID, amount: int, at: datetime) -> list[Posting]:
    """Return the postings that spend units, each naming its lot; the caller has checked that they are there."""
    parts = soonest((lot for lot in wallet.lots if lot.spendable(at)), amount)
    burns = [Posting(Account.ACTIVE, -part, lot.contact_id, lot.id) for lot, part in parts]
    return [*burns, Posting(Account.REDEEMED, amount, contact_id)]


def give_back(burn: Sequence[Posting]) -> list[Posting]:
    """Return the postings that undo a redemption: exactly what was spent, to the lots it came from."""
    spent = [p for p in burn if p.account in (Account.ACTIVE, Account.REDEEMED)]
    return [attrs.evolve(posting, amount=-posting.amount) for posting in spent]


def claw_back(lot: HeldLot, amount: int) -> list[Posting]:
    """Return the postings that take units of an award back: from its own lot, the rest becomes a debt.

    Args:
        lot: the lot that the award filled.
        amount: how many units.
    """
    own = min(lot.left, amount)
    parts = (
        Posting(Account.CLAWED, amount, lot.contact_id, lot.id),
        Posting(Account.ACTIVE, -own, lot.contact_id, lot.id),
        Posting(Account.DEBT, own - amount, lot.contact_id, lot.id),
    )
    return [posting for posting in parts if posting.amount]


def settle(wallet: Wallet, at: datetime) -> list[Posting]:
    """Return the postings that pay what is owed out of what is held, until either is used up."""
    postings: list[Posting] = []
    for contact_id in sorted(wallet.owed):
        held = [lot for lot in wallet.lots if at < lot.expires_at]
        parts = soonest(held, wallet.owed[contact_id])
        paid = [
            posting
            for lot, part in parts
            for posting in (
                Posting(Account.ACTIVE, -part, lot.contact_id, lot.id),
                Posting(Account.DEBT, part, contact_id, lot.id),
            )
        ]
        wallet = wallet.after(paid)
        postings += paid
    return postings


def refunded_part(order: Order, returned: Mapping[str, Returned], base: Base) -> Fraction:
    """Return how much of a base has been given back, in minor units.

    A line's share in the base is given back in the proportion in which the line is.

    Args:
        order: as it stands.
        returned: what all refunds so far gave back, by line id.
        base: the base.
    """
    counted = order.base_shares(base)
    parts = (
        Fraction(done.minor * counted[id], order.shares[id])
        for id, done in returned.items()
        if counted.get(id) and order.shares[id]
    )
    return sum(parts, Fraction(0))


def clawed_back(earned: int, refunded: Fraction, amount: int, *, whole: bool = False) -> int:
    """Return how much of an award refunds so far take back: `floor(earned * refunded / amount)`.

    It is counted from the sum of all refunds, so that any partition of a full refund takes back exactly
    what was earned.

    Args:
        earned: the award.
        refunded: what was given back of the base, in minor units.
        amount: the base when the award was made, in minor units.
        whole: whether nothing of the order is left.
    """
    if whole:
        return earned
    return 0 if amount <= 0 else min(earned, floor(earned * refunded / amount))
