"""Rows become contacts: a batch of them in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import attrs

from crmkit.contacts import ContactPoint, PointKind
from crmkit.errors import AlreadyErased
from crmkit.exchange.details import Details
from crmkit.exchange.duplicates import matching_points, owner_of
from crmkit.exchange.incoming import Incoming, Rejected
from crmkit.exchange.policy import OnDuplicate, changes
from crmkit.exchange.rows import Row
from crmkit.transaction import Transaction
from crmkit.transaction.bulk import Change, batch

#: Points that several people share as a matter of course.
_HOUSEHOLD = (PointKind.PHONE, PointKind.POSTAL)


@attrs.frozen
class Outcome:
    """What became of a row.

    Args:
        row: the row, or why it was not taken.
        what: "added", "updated", "unchanged" or "rejected".
        warnings: what should be looked at.
    """

    row: Incoming | Row | Rejected
    what: str
    warnings: tuple[str, ...] = ()


def apply(
    tx: Transaction, rows: Sequence[Incoming | Rejected], policy: OnDuplicate, source: str
) -> list[Outcome]:
    """Take rows over; return what became of each, in their order.

    No reaction runs, so that taking over customers mails nobody.

    Args:
        tx: the transaction of the batch.
        rows: rejected ones pass through.
        policy: what is done with those whose contact is there already.
        source: where details are said to come from.
    """
    with tx.reactions.only(()), tx.sql.isolated():
        return _Applying(tx, policy, source).apply(rows)


class _Applying:
    def __init__(self, tx: Transaction, policy: OnDuplicate, source: str) -> None:
        self._batch = batch(tx)
        self._policy = policy
        self._details = Details(tx, policy, source)
        self._owners: dict[int, UUID] = {}  # by the row's line

    def apply(self, rows: Sequence[Incoming | Rejected]) -> list[Outcome]:
        incoming = [row for row in rows if isinstance(row, Incoming)]
        self._batch.look_up(
            [point for row in incoming for point in row.contact.points],
            [row.contact.id for row in incoming if row.named],
        )
        outcomes = [self._outcome(row) for row in rows]
        self._batch.write()
        self._details.look_up(
            self._owners[one.row.line] for one in outcomes if one.row.line in self._owners and _tagged(one)
        )
        finished = [self._finished(one) for one in outcomes]
        self._details.write()
        return finished

    def _outcome(self, row: Incoming | Rejected) -> Outcome:
        try:
            return Outcome(row, "rejected") if isinstance(row, Rejected) else self._decided(row)
        except AlreadyErased as error:
            return Outcome(Rejected(row.line, str(error), row.raw), "rejected")

    def _decided(self, row: Incoming) -> Outcome:
        owner = owner_of(self._batch, row)
        if owner is None:
            return self._changed(row, "added", self._batch.add(row.contact))
        if self._policy is OnDuplicate.REJECT:
            points = matching_points(row)
            known = next((str(one) for one in points if self._batch.owner(one) == owner), f"id {owner}")
            return Outcome(Rejected(row.line, f"{known} is a contact already", row.raw), "rejected")
        existing = self._batch.get(owner)
        if self._policy is OnDuplicate.SKIP or existing is None:
            return Outcome(row, "unchanged", row.warnings)
        change = self._batch.change(owner, changes(self._policy, existing, row), row.contact.points)
        return self._changed(row, "updated" if change.fields or change.points else "unchanged", change)

    def _changed(self, row: Incoming, what: str, change: Change) -> Outcome:
        self._owners[row.line] = change.contact.id
        return Outcome(row, what, (*row.warnings, *_shared(change.shared)))

    def _finished(self, one: Outcome) -> Outcome:
        row = one.row
        if not isinstance(row, Incoming) or row.line not in self._owners:
            return one
        id = self._owners[row.line]
        contact = self._batch.get(id)
        merged = contact is not None and bool(contact.merged)
        changed = self._details.add(id, row, new=one.what == "added", merged=merged)
        return attrs.evolve(one, what="updated") if changed and one.what == "unchanged" else one


def _tagged(one: Outcome) -> bool:
    """Whether the row's contact may have tags beside those of the rows."""
    return one.what != "added" and isinstance(one.row, Incoming) and bool(one.row.tags)


def _shared(points: Sequence[ContactPoint]) -> list[str]:
    return [
        f"{point} is another contact's too: they may be one person"
        for point in points
        if point.kind not in _HOUSEHOLD
    ]
