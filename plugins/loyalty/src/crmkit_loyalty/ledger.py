"""The values of the ledger: where units are, lots, wallets, and what moves between accounts.

Over all postings of a unit: `issued = pending + active + reserved + redeemed + clawed + expired - owed`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from math import floor
from uuid import UUID

import attrs

from crmkit import Base, Order, Returned

#: The most units that one award may have: sums of thousands of them stay within 64 bits.
LARGEST = 10**15


class Kind(StrEnum):
    """What a transaction of the ledger is."""

    EARN = "earn"  #: an award
    GRANT = "grant"  #: units given by hand
    OPEN = "open"  #: a balance taken over from elsewhere
    ADJUST = "adjust"  #: a correction by hand, either way
    CLAW_BACK = "claw-back"  #: an award taken back, in part or whole
    REDEEM = "redeem"  #: units spent
    RETURN = "return"  #: a redemption undone
    RESERVE = "reserve"  #: units set aside to be spent
    COMMIT = "commit"  #: a reservation spent
    RELEASE = "release"  #: a reservation given up, or out of time
    TRANSFER = "transfer"  #: units handed from one contact to another
    ACTIVATE = "activate"  #: units whose hold has ended
    EXPIRE = "expire"  #: units that have lapsed


class Account(StrEnum):
    """Where units are."""

    ISSUANCE = "issuance"  #: where they come from: minus all that were ever granted
    PENDING = "pending"  #: with a contact, on hold
    ACTIVE = "active"  #: with a contact, in lots
    RESERVED = "reserved"  #: with a contact, set aside by a reservation
    DEBT = "debt"  #: minus what a contact owes because it was clawed back after it was spent
    REDEEMED = "redeemed"  #: spent
    CLAWED = "clawed"  #: taken back
    EXPIRED = "expired"  #: lapsed
    TRANSFERRED = "transferred"  #: handed on, minus what came in: over all contacts nothing


#: What a contact holds; the units of lots.
HELD = (Account.PENDING, Account.ACTIVE, Account.RESERVED)
#: What makes a balance.
COUNTED = (*HELD, Account.DEBT)


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
        active: how many there are, no longer on hold.
        pending: how many there are on hold.
        reserved: how many a reservation has set aside.
        expired: how many have lapsed; known only where it matters.
        active_from: from when on they may be spent.
        expires_at: before when they must be spent.
        order_id: the order that gave them, if any.
        qualifying: whether they count towards tiers.
        ends_at: before when they must be spent at the latest, where their holder's inactivity is what ends them.
    """

    id: UUID
    contact_id: UUID
    quantity: int
    active: int = 0
    pending: int = 0
    reserved: int = 0
    expired: int = 0
    active_from: datetime
    expires_at: datetime
    order_id: UUID | None = None
    qualifying: bool = True
    ends_at: datetime | None = None

    @property
    def left(self) -> int:
        """How many there are that nothing has set aside, on hold or not."""
        return self.active + self.pending

    def spendable(self, at: datetime) -> bool:
        """Whether its units may be spent at an instant."""
        return self.active_from <= at < self.expires_at

    def after(self, moved: Mapping[tuple[UUID | None, Account], int]) -> HeldLot:
        """Return the lot once sums by lot and account are added."""
        found = {name: moved.get((self.id, account), 0) for name, account in _KEPT.items()}
        if not any(found.values()):
            return self
        return attrs.evolve(self, **{name: getattr(self, name) + amount for name, amount in found.items()})


_KEPT = {account.value: account for account in (*HELD, Account.EXPIRED)}


@attrs.frozen(kw_only=True)
class Reservation:
    """Units set aside until they are spent, given up, or out of time.

    Args:
        id: of the transaction that reserved.
        key: the caller's.
        contact_id: whose.
        until: before when it must be committed.
        parts: what was set aside, each part with its lot.
    """

    id: UUID
    key: str
    contact_id: UUID
    until: datetime
    parts: tuple[Posting, ...]

    @property
    def amount(self) -> int:
        """How many units."""
        return sum(part.amount for part in self.parts)


@attrs.frozen
class Wallet:
    """What a contact holds and owes of one unit.

    Args:
        lots: with what is left of each.
        owed: units owed, by the contact id under which they are owed.
        reservations: those that nobody has ended yet.
    """

    lots: tuple[HeldLot, ...] = ()
    owed: Mapping[UUID, int] = attrs.field(factory=dict)
    reservations: tuple[Reservation, ...] = ()

    def after(self, postings: Iterable[Posting], *new: HeldLot) -> Wallet:
        """Return the wallet as it is once the postings are made; new lots begin empty."""
        moved: Counter[tuple[UUID | None, Account]] = Counter()
        owed = dict(self.owed)
        for posting in postings:
            moved[posting.lot_id, posting.account] += posting.amount
            if posting.account is Account.DEBT:
                owed[posting.contact_id] = owed.get(posting.contact_id, 0) - posting.amount
        lots = tuple(lot.after(moved) for lot in (*self.lots, *new))
        return attrs.evolve(self, lots=lots, owed={id: amount for id, amount in owed.items() if amount})

    def spendable(self, at: datetime) -> int:
        """Return how many units may be spent at an instant; what is owed comes first."""
        held = sum(lot.left for lot in self.lots if lot.spendable(at))
        return max(0, held - sum(self.owed.values()))

    def balance(self, at: datetime) -> int:
        """Return what is held in lots that have not expired, minus what is owed."""
        held = sum(lot.left + lot.reserved for lot in self.lots if at < lot.expires_at)
        return held - sum(self.owed.values())


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


def refunded_lines(order: Order, returned: Mapping[str, Returned], lines: Mapping[str, int]) -> Fraction:
    """Return how many of the units that lines earned go with what was given back of these lines.

    Args:
        order: as it stands.
        returned: what all refunds so far gave back, by line id.
        lines: units by the id of the line that earned them.
    """
    parts = (
        Fraction(done.minor * lines[id], order.shares[id])
        for id, done in returned.items()
        if lines.get(id) and order.shares.get(id)
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
