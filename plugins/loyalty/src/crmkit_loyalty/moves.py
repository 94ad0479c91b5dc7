"""What moves between accounts: pure functions from what is held to postings that add up to zero.

Whoever owes holds nothing: each function that leaves a debt or gives units back is followed by `settle`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import attrs

from crmkit_loyalty.ledger import Account, HeldLot, Posting, Wallet


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


def earn(lot: HeldLot, at: datetime) -> list[Posting]:
    """Return the postings that fill a new lot; it is pending until it becomes active."""
    account = Account.PENDING if at < lot.active_from else Account.ACTIVE
    return [
        Posting(Account.ISSUANCE, -lot.quantity, lot.contact_id, lot.id),
        Posting(account, lot.quantity, lot.contact_id, lot.id),
    ]


def spend(
    wallet: Wallet, contact_id: UUID, amount: int, at: datetime, into: Account = Account.REDEEMED
) -> list[Posting]:
    """Return the postings that spend units, each naming its lot; the caller has checked that they are there.

    Args:
        wallet: as time has made it at the instant.
        contact_id: who spends.
        amount: how many units.
        at: the instant.
        into: where they go.
    """
    parts = soonest((lot for lot in wallet.lots if lot.spendable(at)), amount)
    burns = [posting for lot, part in parts for posting in _taken(lot, part)]
    return [*burns, Posting(into, amount, contact_id)]


def reserve(wallet: Wallet, amount: int, at: datetime) -> list[Posting]:
    """Return the postings that set units aside, lot by lot; the caller has checked that they are there."""
    parts = soonest((lot for lot in wallet.lots if lot.spendable(at)), amount)
    aside = [Posting(Account.RESERVED, part, lot.contact_id, lot.id) for lot, part in parts]
    return [*(posting for lot, part in parts for posting in _taken(lot, part)), *aside]


def commit(parts: Sequence[Posting], contact_id: UUID) -> list[Posting]:
    """Return the postings that spend what was set aside."""
    gone = [attrs.evolve(part, amount=-part.amount) for part in parts]
    return [*gone, Posting(Account.REDEEMED, sum(part.amount for part in parts), contact_id)]


def release(parts: Sequence[Posting], lapsed: Container[UUID | None] = ()) -> list[Posting]:
    """Return the postings that give back what was set aside; where its lot has lapsed, it lapses as well."""
    gone = [attrs.evolve(part, amount=-part.amount) for part in parts]
    return [*gone, *(_back(part, part.amount, lapsed) for part in parts)]


def give_back(
    burn: Sequence[Posting],
    lapsed: Container[UUID | None] = (),
    fresh: Mapping[UUID, HeldLot] | None = None,
) -> list[Posting]:
    """Return the postings that undo a redemption: exactly what was spent, to the lots it came from.

    Args:
        burn: what the redemption posted.
        lapsed: the lots that have lapsed since; what comes back to these has lapsed as well,
        fresh: unless it is to fill a new lot, by the id of the one that has lapsed.
    """
    fresh, postings = fresh or {}, []
    for posting in burn:
        if posting.account is Account.REDEEMED:
            postings.append(attrs.evolve(posting, amount=-posting.amount))
        elif posting.lot_id is not None and posting.lot_id in fresh:
            new = fresh[posting.lot_id]
            postings.append(Posting(Account.ACTIVE, -posting.amount, new.contact_id, new.id))
        else:
            postings.append(_back(posting, -posting.amount, lapsed))
    return postings


def _back(posting: Posting, amount: int, lapsed: Container[UUID | None]) -> Posting:
    account = Account.EXPIRED if posting.lot_id in lapsed else Account.ACTIVE
    return Posting(account, amount, posting.contact_id, posting.lot_id)


def claw_back(lot: HeldLot, amount: int) -> list[Posting]:
    """Return the postings that take units of an award back: from its own lot, the rest becomes a debt.

    Of the lot go first those on hold, then the active ones, then those that have lapsed; what is reserved stays.

    Args:
        lot: the lot that the award filled.
        amount: how many units.
    """
    postings, rest = [Posting(Account.CLAWED, amount, lot.contact_id, lot.id)], amount
    there = {Account.PENDING: lot.pending, Account.ACTIVE: lot.active, Account.EXPIRED: lot.expired}
    for account, units in there.items():
        part = min(units, rest)
        rest -= part
        postings.append(Posting(account, -part, lot.contact_id, lot.id))
    postings.append(Posting(Account.DEBT, -rest, lot.contact_id, lot.id))
    return [posting for posting in postings if posting.amount]


def settle(wallet: Wallet, at: datetime) -> list[Posting]:
    """Return the postings that pay what is owed out of what is held, on hold or not, until either is used up."""
    postings: list[Posting] = []
    for contact_id in sorted(wallet.owed):
        held = [lot for lot in wallet.lots if at < lot.expires_at]
        parts = soonest(held, wallet.owed[contact_id])
        paid = [
            posting
            for lot, part in parts
            for posting in (*_taken(lot, part), Posting(Account.DEBT, part, contact_id, lot.id))
        ]
        wallet = wallet.after(paid)
        postings += paid
    return postings


def _taken(lot: HeldLot, part: int) -> list[Posting]:
    """The postings that take units out of a lot, those on hold last."""
    active = min(lot.active, part)
    sides = ((Account.ACTIVE, active), (Account.PENDING, part - active))
    return [Posting(account, -units, lot.contact_id, lot.id) for account, units in sides if units]
