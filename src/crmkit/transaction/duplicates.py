"""tx.duplicates: contacts that may be one, found when they are entered and judged by somebody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from crmkit.clock import FOREVER
from crmkit.contacts import Contact, ContactPoint
from crmkit.contacts.merge import Merge
from crmkit.duplicates.keys import keys_of
from crmkit.duplicates.match import FieldScore, Match, score
from crmkit.duplicates.record import Record, record_of
from crmkit.duplicates.review import DuplicatePair, PairState
from crmkit.duplicates.weights import probability
from crmkit.errors import Conflict, NotFound, ValueRefused
from crmkit.events import DuplicateRejected
from crmkit.sql import duplicate_pairs as rows
from crmkit.sql.aliases import read_many_ids
from crmkit.sql.contacts import OwnContacts
from crmkit.sql.duplicates import candidate_ids, candidates, refresh_keys, secret

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction

#: Stands for a contact that is checked before it is added.
_NOBODY = UUID(int=0)


class Duplicates:
    """Finds contacts that may be one, and keeps what was judged of them.

    Args:
        tx: the transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def check(
        self,
        contact: Contact | None = None,
        *,
        points: Sequence[ContactPoint] = (),
        least: float | None = None,
        **fields: Any,
    ) -> list[Match]:
        """Return the contacts that may be the same person or organisation, the likeliest first.

        Compared are contacts that share an email or phone, the whole name, or two of name, birth date and postcode; at
        most a hundred. The weights are fixed; a search over all contacts learns its own.

        Args:
            contact: one that is there, or was made and not added.
            points: without a contact: addresses of one that may be added.
            least: the least probability; by default the setting `duplicates_review`.
            fields: without a contact: fields of one that may be added, such as name and birth_date.

        Raises:
            ValueRefused: if both a contact and fields are given, or a field is refused.
        """
        if contact is not None and (points or fields):
            raise ValueRefused("check takes a contact, or points and fields of one, not both")
        if contact is None:
            contact = _made(points, fields)
        limit = self._tx.crm.settings.duplicates_review if least is None else least
        record = record_of(contact)
        matches = []
        for id, other in self._alike(record, contact).items():
            weight, explanation = score(record, other)
            if probability(weight) >= limit:
                matches.append(Match(contact_id=id, weight=weight, explanation=explanation))
        if matches and contact.id != _NOBODY:
            apart = self._judged_distinct(contact.id)
            matches = [match for match in matches if match.contact_id not in apart]
        return sorted(matches, key=lambda match: (-match.weight, match.contact_id))

    def _alike(self, record: Record, contact: Contact) -> dict[UUID, Record]:
        """Return the contacts that share a key, those that were merged as one, without the contact itself."""
        keys, own = keys_of(record, secret(self._tx)), set(contact.ids)
        if not isinstance(self._tx.crm.store, OwnContacts):
            return self._whole(candidate_ids(self._tx.sql, keys), own)
        found, merged = candidates(self._tx.sql, keys)
        others = {id: other for id, other in found.items() if id not in own and id not in merged}
        return others | self._whole(sorted(merged), own) if merged else others

    def _whole(self, ids: Sequence[UUID], own: set[UUID]) -> dict[UUID, Record]:
        whole = {contact.id: contact for contact in self._tx.contacts.get_many(ids).values()}
        return {id: record_of(contact) for id, contact in whole.items() if not own & set(contact.ids)}

    def _judged_distinct(self, contact_id: UUID) -> set[UUID]:
        own = self._tx.contacts.ids(contact_id)
        return {id for pair in self.apart(own) for id in pair} - {own[0]}

    def queue(self, *, limit: int = 100) -> list[DuplicatePair]:
        """Return the pairs that nobody has judged yet, the likeliest first.

        Pairs whose contacts are one by now, or were judged distinct under another of their ids, are left out.

        Args:
            limit: at most how many.
        """
        found: dict[tuple[UUID, UUID], DuplicatePair] = {}
        last: Mapping[str, Any] | None = None
        while len(found) < limit:
            page = rows.read_open(self._tx.sql, last, max(limit, 100))
            for pair in self._pairs(page):
                found.setdefault(_ordered(pair.first_id, pair.second_id), pair)
            if len(page) < max(limit, 100):
                break
            last = page[-1]
        return list(found.values())[:limit]

    def get(self, one: UUID, other: UUID) -> DuplicatePair:
        """Return a pair with what speaks for it.

        Args:
            one: a contact.
            other: another one.

        Raises:
            NotFound: if no search has found the pair and nobody has judged it.
        """
        row = rows.read_pair(self._tx.sql, _ordered(one, other))
        if row is None:
            raise NotFound(f"contacts {one} and {other} were not found to be alike")
        return self._told(row, self._tx.contacts.get_many([row["first_id"], row["second_id"]]))

    def accept(self, one: UUID, other: UUID, *, into: UUID | None = None, reason: str = "") -> Merge:
        """Judge that two contacts are one, and merge them; doing it again returns the same merge.

        Args:
            one: a contact.
            other: another one, in the queue or not.
            into: which of them goes on; by default the one with the lower id.
            reason: your words.

        Raises:
            NotFound: if one of them does not exist.
            ValueRefused: if `into` is neither, or both are the same.
        """
        first, second = _ordered(one, other)
        if into not in (None, first, second):
            raise ValueRefused(f"into is {into}; must be {first} or {second}")
        survivor = into or first
        row = rows.read_pair(self._tx.sql, (first, second))
        with self._tx.sql.isolated():
            merge = self._tx.merges.merge(
                second if survivor == first else first,
                survivor,
                reason=reason or "duplicate",
                details=_details(row) if row else {},
            )
            rows.decide(self._tx.sql, (first, second), PairState.MERGED, self._tx.now, self._tx.actor)
        return merge

    def reject(self, one: UUID, other: UUID) -> None:
        """Judge that two contacts are two: the pair never returns; doing it again changes nothing.

        Args:
            one: a contact.
            other: another one, in the queue or not.

        Raises:
            NotFound: if one of them does not exist.
            Conflict: if they are one by now; the merge is to be undone first.
        """
        first, second = _ordered(one, other)
        found = self._tx.contacts.get_many([first, second])
        for id in (first, second):
            if id not in found:
                raise NotFound(f"no contact has the id {id}")
        if found[first].id == found[second].id:
            raise Conflict(f"contacts {first} and {second} are one; undo that with tx.merges.unmerge first")
        with self._tx.sql.isolated():
            if rows.read_state(self._tx.sql, (first, second)) == PairState.DISTINCT:
                return
            rows.decide(self._tx.sql, (first, second), PairState.DISTINCT, self._tx.now, self._tx.actor)
            event = DuplicateRejected(first_id=first, second_id=second)
            events = self._tx.events
            events.append_new([events.entry(event, contact_id=id, subject_id=id) for id in (first, second)])

    def refresh(self, *ids: UUID) -> int:
        """Make the keys of contacts what they should be; return how many were wrong.

        They are kept up by crmkit's own tables. Where the host's table holds the contacts, the host changes them
        without telling; `crmkit duplicates index` calls this for all of them.

        Args:
            ids: of contacts.
        """
        return refresh_keys(self._tx, list(self._tx.crm.store.get(self._tx, ids).values()))

    def _pairs(self, page: Sequence[Mapping[str, Any]]) -> list[DuplicatePair]:
        ids = dict.fromkeys(id for row in page for id in (row["first_id"], row["second_id"]))
        found = self._tx.contacts.get_many(list(ids))
        told = [
            self._told(row, found) for row in page if row["first_id"] in found and row["second_id"] in found
        ]
        apart = self.apart({id for contact in found.values() for id in contact.ids})
        two = (pair for pair in told if pair.first_id != pair.second_id)
        return [pair for pair in two if _ordered(pair.first_id, pair.second_id) not in apart]

    def apart(self, contact_ids: Iterable[UUID]) -> set[tuple[UUID, UUID]]:
        """Return the pairs that were judged distinct of any of some contacts, by whom they go on as.

        Args:
            contact_ids: every id under which the contacts are recorded.
        """
        pairs = rows.read_distinct(self._tx.sql, sorted(contact_ids))
        survivors = _survivors(self._tx, (id for pair in pairs for id in pair))
        two = ((survivors[one], survivors[other]) for one, other in pairs)
        return {_ordered(one, other) for one, other in two if one != other}

    def _told(self, row: Mapping[str, Any], found: Mapping[UUID, Contact]) -> DuplicatePair:
        sides = [found.get(row[name]) for name in ("first_id", "second_id")]
        records = [record_of(side) if side else Record() for side in sides]
        values = {said.field: said.values for said in score(records[0], records[1])[1]}
        explanation = tuple(
            FieldScore(said["field"], said["level"], said["weight"], values.get(said["field"], ("", "")))
            for said in row["explanation"]
        )
        ids = [
            side.id if side else row[name]
            for side, name in zip(sides, ("first_id", "second_id"), strict=True)
        ]
        return DuplicatePair(
            first_id=ids[0],
            second_id=ids[1],
            state=PairState(row["state"]),
            weight=row["weight"] / 1000,
            explanation=explanation,
            found_at=row["found_at"],
            decided_at=None if row["decided_at"] == FOREVER else row["decided_at"],
            decided_by=row["decided_by"],
        )


def _made(points: Sequence[ContactPoint], fields: Mapping[str, Any]) -> Contact:
    try:
        return Contact(id=_NOBODY, points=points, **fields)
    except TypeError as error:
        raise ValueRefused(f"check: {error}") from None


def _ordered(one: UUID, other: UUID) -> tuple[UUID, UUID]:
    if one == other:
        raise ValueRefused(f"contact {one} cannot be a duplicate of itself")
    return (one, other) if one < other else (other, one)


def _details(row: Mapping[str, Any]) -> dict[str, Any]:
    bits = row["weight"] / 1000
    return {
        "weight": round(bits, 2),
        "probability": round(probability(bits), 6),
        "fields": row["explanation"],
    }


def _survivors(tx: Transaction, ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """Return whom contacts go on as."""
    wanted = list(dict.fromkeys(ids))
    families = read_many_ids(tx.sql, wanted)
    return {id: families.get(id, (id,))[0] for id in wanted}
