"""What time does to a wallet: reservations run out, holds end, lots lapse. Pure; reads and writes both go by it.

So a wallet reads the same whether or not anybody has posted what time has done.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import attrs

from crmkit_loyalty.ledger import Account, HeldLot, Kind, Posting, Reservation, Wallet
from crmkit_loyalty.moves import release, settle


@attrs.frozen(kw_only=True)
class Passed:
    """One thing that time has done.

    Args:
        kind: a hold that ended, a lot that lapsed, or a reservation that ran out.
        key: of its transaction.
        id: of the lot, or of the transaction that reserved: the timer's.
        contact_id: whose.
        at: when.
        amount: how many units.
        postings: what it moves.
        name: the reservation's key; else empty.
        order_id: the order that gave the lot, if any.
    """

    kind: Kind
    key: str
    id: UUID
    contact_id: UUID
    at: datetime
    amount: int
    postings: tuple[Posting, ...]
    name: str = ""
    order_id: UUID | None = None


def passing(wallet: Wallet, at: datetime) -> list[Passed]:
    """Return what time has done to a wallet by an instant and nobody has posted, in the order in which it did.

    Args:
        wallet: as the postings have it.
        at: the instant.
    """
    done: list[Passed] = []
    for reservation in sorted(wallet.reservations, key=lambda one: (one.until, one.id)):
        if reservation.until <= at:
            done.append(_run_out(wallet, reservation))
            wallet = wallet.after(done[-1].postings)
    done += [_lapsed(lot) for lot in wallet.lots if lot.expires_at <= at and lot.left]
    done += [_active(lot) for lot in wallet.lots if lot.active_from <= at < lot.expires_at and lot.pending]
    return sorted(done, key=lambda one: (one.at, one.id))


def passed(wallet: Wallet, done: Iterable[Passed]) -> Wallet:
    """Return the wallet as time has made it."""
    over = {one.id for one in done if one.kind is Kind.RELEASE}
    open_ = tuple(one for one in wallet.reservations if one.id not in over)
    return attrs.evolve(wallet.after(p for one in done for p in one.postings), reservations=open_)


def lapsed(lots: Iterable[HeldLot], at: datetime) -> set[UUID | None]:
    """Return the ids of the lots that have lapsed by an instant."""
    return {lot.id for lot in lots if lot.expires_at <= at}


def unused(lots: Sequence[HeldLot], active_at: datetime | None, days: int | None) -> tuple[HeldLot, ...]:
    """Return lots that lapse after some days in which their holder did nothing that counts.

    Args:
        lots: as they were given.
        active_at: when the holder last did something that counts, if ever.
        days: how many; None for no such rule.
    """
    if days is None:
        return tuple(lots)
    return tuple(_shortened(lot, active_at or lot.active_from, timedelta(days=days)) for lot in lots)


def _shortened(lot: HeldLot, active_at: datetime, idle: timedelta) -> HeldLot:
    ends = max(active_at, lot.active_from) + idle
    return attrs.evolve(lot, expires_at=ends, ends_at=lot.expires_at) if ends < lot.expires_at else lot


def ended(reservation: str) -> str:
    """Return the key of the one transaction that ends a reservation: nothing can end it twice."""
    return f"end:{reservation}"


def _run_out(wallet: Wallet, reservation: Reservation) -> Passed:
    until = reservation.until
    back = release(reservation.parts, lapsed(wallet.lots, until))
    return Passed(
        kind=Kind.RELEASE,
        key=ended(reservation.key),
        id=reservation.id,
        contact_id=reservation.contact_id,
        at=until,
        amount=reservation.amount,
        postings=(*back, *settle(wallet.after(back), until)),
        name=reservation.key,
    )


def _lapsed(lot: HeldLot) -> Passed:
    # the instant is part of the key: what came back to a lot may lapse later, where its holder did something
    postings = (*_out(lot), Posting(Account.EXPIRED, lot.left, lot.contact_id, lot.id))
    return _of_lot(
        Kind.EXPIRE, f"expire:{lot.id}:{lot.expires_at.isoformat()}", lot, lot.expires_at, postings
    )


def _active(lot: HeldLot) -> Passed:
    postings = (
        Posting(Account.PENDING, -lot.pending, lot.contact_id, lot.id),
        Posting(Account.ACTIVE, lot.pending, lot.contact_id, lot.id),
    )
    return _of_lot(Kind.ACTIVATE, f"activate:{lot.id}", lot, lot.active_from, postings)


def _out(lot: HeldLot) -> list[Posting]:
    kept = {Account.PENDING: lot.pending, Account.ACTIVE: lot.active}
    return [Posting(account, -units, lot.contact_id, lot.id) for account, units in kept.items() if units]


def _of_lot(kind: Kind, key: str, lot: HeldLot, at: datetime, postings: Sequence[Posting]) -> Passed:
    amount = sum(posting.amount for posting in postings if posting.amount > 0)
    return Passed(
        kind=kind,
        key=key,
        id=lot.id,
        contact_id=lot.contact_id,
        at=at,
        amount=amount,
        postings=tuple(postings),
        order_id=lot.order_id,
    )
