"""Rows become contacts: a batch of them in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from crmkit.contacts import Contact, ContactPoint, PointKind
from crmkit.errors import AlreadyErased
from crmkit.exchange.details import Details
from crmkit.exchange.duplicates import matching_points, owner_of
from crmkit.exchange.incoming import Incoming, Rejected
from crmkit.exchange.policy import OnDuplicate, changes, given_points
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


def apply(tx: Transaction, rows: Sequence[Incoming | Rejected], policy: OnDuplicate) -> list[Outcome]:
    """Take rows over; return what became of each, in their order.

    No reaction runs, so that taking over customers mails nobody.

    Args:
        tx: the transaction of the batch.
        rows: rejected ones pass through.
        policy: what is done with those whose contact is there already.
    """
    with tx.reactions.only(()), tx.sql.isolated():
        return _Applying(tx, policy).apply(rows)


class _Applying:
    def __init__(self, tx: Transaction, policy: OnDuplicate) -> None:
        self._batch = batch(tx)
        self._policy = policy
        self._details = Details(tx, policy)
        self._taken: dict[int, tuple[Contact, Incoming]] = {}  # by the row's line

    def apply(self, rows: Sequence[Incoming | Rejected]) -> list[Outcome]:
        incoming = [row for row in rows if isinstance(row, Incoming)]
        self._batch.look_up(
            [point for row in incoming for point in row.contact.points],
            [row.contact.id for row in incoming if row.named],
        )
        outcomes = [self._outcome(row) for row in rows]
        self._batch.write()
        saying = {line: pair for line, pair in self._taken.items() if pair[1].says_more}
        there = [saying[one.row.line] for one in outcomes if one.what != "added" and one.row.line in saying]
        self._details.look_up([row for _, row in saying.values()], there)
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
        given = given_points(self._policy, existing, row)
        change = self._batch.change(owner, changes(self._policy, existing, row), given)
        return self._changed(row, "updated" if change.fields or change.points else "unchanged", change)

    def _changed(self, row: Incoming, what: str, change: Change) -> Outcome:
        self._taken[row.line] = (change.contact, row)
        return Outcome(row, what, (*row.warnings, *_shared(change.shared)))

    def _finished(self, one: Outcome) -> Outcome:
        if one.row.line not in self._taken:
            return one
        contact, row = self._taken[one.row.line]
        try:
            changed = self._details.add(contact, row)
        except AlreadyErased as error:
            return Outcome(Rejected(row.line, str(error), row.raw), "rejected")
        what = "updated" if changed and one.what == "unchanged" else one.what
        return attrs.evolve(one, what=what, warnings=(*one.warnings, *self._details.missing(row)))


def _shared(points: Sequence[ContactPoint]) -> list[str]:
    return [
        f"{point} is another contact's too: they may be one person"
        for point in points
        if point.kind not in _HOUSEHOLD
    ]
