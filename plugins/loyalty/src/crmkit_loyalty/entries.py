"""What the ledger answers: entries of a statement, totals, and the refusal to overspend."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import attrs

from crmkit import Conflict
from crmkit_loyalty.ledger import Kind
from crmkit_loyalty.store import Row


class InsufficientPoints(Conflict):
    """A contact may not spend as many units as asked for.

    Args:
        contact_id: whose.
        unit: of which unit.
        wanted: how many were asked for.
        spendable: how many there are.
    """

    def __init__(self, contact_id: UUID, unit: str, wanted: int, spendable: int) -> None:
        super().__init__(
            f"contact {contact_id} cannot spend {wanted} {unit}: {spendable} may be spent now; nothing was taken"
        )
        self.contact_id = contact_id
        self.unit = unit
        self.wanted = wanted
        self.spendable = spendable


class ReservationEnded(Conflict):
    """A reservation has ended already, and in another way.

    Args:
        key: the reservation's.
        kind: how it ended: spent (`Kind.COMMIT`), or given up or out of time (`Kind.RELEASE`).
        at: when.
    """

    def __init__(self, key: str, kind: Kind, at: datetime) -> None:
        how = "spent" if kind is Kind.COMMIT else "released"
        super().__init__(f"reservation {key!r} was {how} at {at.isoformat()}; a reservation ends once")
        self.key = key
        self.kind = kind
        self.at = at


@attrs.frozen(kw_only=True)
class Entry:
    """A transaction of the ledger, as a contact's statement shows it.

    Args:
        id: its id.
        key: unique in the ledger; `explain` takes it.
        kind: what it is.
        contact_id: whose.
        unit: of which unit.
        change: what it made of the balance, with its sign.
        at: when it took effect.
        recorded_at: when it was written down.
        cause_id: the event that caused it, if any.
        order_id: the order it is about, if any.
        content: what else was recorded: rule and owner, or the shop's reason.
    """

    id: UUID
    key: str
    kind: Kind
    contact_id: UUID
    unit: str
    change: int
    at: datetime
    recorded_at: datetime
    cause_id: UUID | None = None
    order_id: UUID | None = None
    content: Mapping[str, Any] = attrs.field(factory=dict, hash=False)


@attrs.frozen(kw_only=True)
class Totals:
    """Where all units are: `issued = pending + active + reserved + redeemed + clawed + expired - owed`."""

    issued: int
    pending: int
    active: int
    reserved: int
    owed: int
    redeemed: int
    clawed: int
    expired: int


def entry_of(row: Row, change: int) -> Entry:
    """Return the entry that a row and its change of the balance make."""
    return Entry(
        id=row["id"],
        key=row["key"],
        kind=Kind(row["kind"]),
        contact_id=row["contact_id"],
        unit=row["unit"],
        change=int(change),
        at=row["effective_at"],
        recorded_at=row["recorded_at"],
        cause_id=row["cause_id"],
        order_id=row["subject_id"],
        content=row["content"],
    )
