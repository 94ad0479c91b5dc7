"""tx.merges: one person under several ids. A merge rewrites no row: an alias says who that contact is now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs

from crmkit.contacts.merge import Merge
from crmkit.contacts.merged import edge_towards, survivor_of
from crmkit.errors import MergeRefused, NotFound, ValueRefused
from crmkit.events import ContactsMerged, ContactsUnmerged, Event
from crmkit.sql import merges as rows
from crmkit.sql.aliases import write_aliases
from crmkit.text import clean

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction

REASON_LIMIT = 200


class Merges:
    """Merges contacts that are one person, and undoes it.

    Args:
        tx: the transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def merge(
        self, loser_id: UUID, into: UUID, *, reason: str = "", details: Mapping[str, Any] | None = None
    ) -> Merge:
        """Let a contact, and all that go on as it or as it goes on, go on as another one.

        Every read by either id answers for both from now on; nothing that was recorded is rewritten. A merge of
        two that are one already returns the merge that made them so.

        Args:
            loser_id: the contact that goes on as the other.
            into: the contact that it goes on as.
            reason: your words.
            details: what else is to be kept, such as the score of a duplicate; plain data.

        Raises:
            NotFound: if there is no such contact.
            ValueRefused: if both are the same contact.
            MergeRefused: if the other one goes on as `loser_id` already, so that the merge would be a circle.
            AlreadyErased: if one of them was erased: what the other one has would be cleared with it.
        """
        self._check(loser_id, into)
        reason = clean(reason, "reason", limit=REASON_LIMIT)
        with self._tx.sql.isolated():
            rows.lock_merges(self._tx.sql)
            holding = rows.holding(self._tx.sql, (loser_id, into))
            up = {merge.loser_id: merge.into_id for merge in holding.values()}
            first = survivor_of(up, loser_id)
            if first == survivor_of(up, into):
                return self._already(holding, up, loser_id, into)
            for id in (loser_id, into):
                self._tx.privacy.refuse_erased(id)
            merge = Merge(
                id=self._tx.new_id(),
                loser_id=first,
                into_id=into,
                merged_at=self._tx.now,
                actor=self._tx.actor,
                reason=reason,
                details=dict(details or {}),
            )
            rows.add_merge(self._tx.sql, merge)
            self._rewrite({*up, *up.values(), loser_id, into}, up | {first: into})
            self._append(ContactsMerged, merge, reason)
        return merge

    def unmerge(self, merge_id: UUID, *, reason: str = "") -> Merge:
        """Undo a merge: each contact reads as it did before, with what was recorded under its own id since.

        Undoing it again changes nothing.

        Args:
            merge_id: as `merge` and `history` tell it.
            reason: your words.

        Raises:
            NotFound: if there was no such merge.
        """
        reason = clean(reason, "reason", limit=REASON_LIMIT)
        with self._tx.sql.isolated():
            rows.lock_merges(self._tx.sql)
            merge = rows.read_merge(self._tx.sql, merge_id, locked=True)
            if merge is None:
                raise NotFound(f"no merge has the id {merge_id}")
            if not merge.holds:
                return merge
            members = rows.holding(self._tx.sql, (merge.loser_id, merge.into_id)).values()
            up = {one.loser_id: one.into_id for one in members if one.id != merge_id}
            rows.end_merge(self._tx.sql, merge_id, self._tx.now)
            self._rewrite({id for one in members for id in (one.loser_id, one.into_id)}, up)
            self._append(ContactsUnmerged, merge, reason)
        return attrs.evolve(merge, until=self._tx.now)

    def get(self, merge_id: UUID) -> Merge:
        """Return a merge.

        Raises:
            NotFound: if there was no such merge.
        """
        found = rows.read_merge(self._tx.sql, merge_id)
        if found is None:
            raise NotFound(f"no merge has the id {merge_id}")
        return found

    def history(self, contact_id: UUID, *, limit: int = 100) -> Sequence[Merge]:
        """Return the merges in which a contact took part under any of its ids, the latest first.

        Args:
            contact_id: any of its ids.
            limit: at most how many.
        """
        return rows.merges_of(self._tx.sql, self._tx.contacts.ids(contact_id), limit)

    def latest(self, *, limit: int = 100) -> Sequence[Merge]:
        """Return everybody's merges, the latest first.

        Args:
            limit: at most how many.
        """
        return rows.latest_merges(self._tx.sql, limit)

    def _check(self, loser_id: UUID, into: UUID) -> None:
        if loser_id == into:
            raise ValueRefused(f"contact {into} cannot be merged into itself")
        found = self._tx.contacts.get_many([loser_id, into])
        for id in (loser_id, into):
            if id not in found:
                raise NotFound(f"no contact has the id {id}")

    def _already(
        self, holding: Mapping[UUID, Merge], up: Mapping[UUID, UUID], loser_id: UUID, into: UUID
    ) -> Merge:
        edge = edge_towards(up, loser_id, into)
        if edge is None:
            merge = holding[edge_towards(up, into, loser_id) or into]
            raise MergeRefused(loser_id, into, merge.id)
        return holding[edge]

    def _rewrite(self, members: Iterable[UUID], up: Mapping[UUID, UUID]) -> None:
        write_aliases(self._tx.sql, {id: survivor_of(up, id) for id in sorted(members)})
        self._tx.contacts.refresh()

    def _append(self, event: type[ContactsMerged | ContactsUnmerged], merge: Merge, reason: str) -> None:
        told: Event = event(merge_id=merge.id, loser_id=merge.loser_id, into_id=merge.into_id, reason=reason)
        self._tx.events.append(told, contact_id=merge.loser_id, subject_id=merge.id)
