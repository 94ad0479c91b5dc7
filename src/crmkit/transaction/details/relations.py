"""tx.contacts.relations: family, employers, referrers, readable from both sides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs

from crmkit.clock import FOREVER, ending
from crmkit.contacts import Relation
from crmkit.contacts.details import inverse
from crmkit.errors import NotFound, ValueRefused
from crmkit.events import LogEntry, RelationAdded, RelationEnded
from crmkit.sql.aliases import read_many_ids
from crmkit.sql.details import change_rows, read_rows
from crmkit.transaction.details.subject import open_to

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction

#: Stands where the other side is no contact.
NOBODY = UUID(int=0)


class Relations:
    """Keeps how contacts stand to one another and to people who are none.

    Args:
        tx: the transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def add(
        self,
        contact_id: UUID,
        kind: str,
        other: UUID | str,
        *,
        source: str = "",
        began_on: date | str | None = None,
    ) -> Relation:
        """Note that the `kind` of a contact is somebody; a relation that stands already is returned as it is.

        `add(ann, "employer", acme)` says that Acme is Ann's employer; read from Acme's side Ann is its employee.

        Args:
            contact_id: whose.
            kind: what the other side is to the contact: "parent", "spouse", "employer", "referrer", or any word.
            other: a contact's id, or just a name.
            source: how it is known.
            began_on: since when.

        Raises:
            NotFound: if one of the contacts does not exist.
            ValueRefused: if a contact would be related to itself, or a value is refused.
        """
        mine = open_to(self._tx, contact_id)
        other_id = other if isinstance(other, UUID) else None
        wanted = Relation(
            id=self._tx.new_id(),
            kind=kind,
            other_id=other_id,
            other_name="" if isinstance(other, UUID) else other,
            source=source,
            began_on=began_on,
        )
        theirs = self._tx.contacts.get(other_id).ids if other_id else ()
        if set(mine) & set(theirs):
            raise ValueRefused(f"contact {contact_id} cannot be its own {wanted.kind}")
        for one in self._sides([contact_id], ended=False):
            same_other = one.other_id in theirs if theirs else one.other_name == wanted.other_name
            if one.kind == wanted.kind and same_other:
                return one
        self.keep([(contact_id, wanted)])
        return wanted

    def keep(self, relations: Sequence[tuple[UUID, Relation]]) -> None:
        """Write relations of anybody that are known to be new, with one statement for all of them."""
        rows = [self._row(id, one) for id, one in relations]
        with self._tx.sql.isolated():
            self._tx.sql.insert(self._tx.sql.tables["contact_relations"], rows)
            self._tx.events.append_new([entry for one in relations for entry in self._told(*one)])

    def end(self, relation_id: UUID, *, at: datetime | None = None) -> None:
        """Note that a relation has ended, whichever of a contact's ids it was noted for; one that has ended stays so.

        Args:
            relation_id: which.
            at: when; now by default.

        Raises:
            NotFound: if there is no such relation.
        """
        at = self._tx.now if at is None else ending(at, "at")
        rows = read_rows(self._tx.sql, "contact_relations", [relation_id], by="id", locked=True)
        if not rows:
            raise NotFound(f"no relation has the id {relation_id}")
        with self._tx.sql.isolated():
            for row in self._twins(rows[0]):
                event = RelationEnded(relation_id=row.id, kind=row.kind)
                change_rows(self._tx.sql, "contact_relations", {"ended_at": at}, id=row.id)
                for contact_id in _sides(row.contact_id, row.other_id):
                    self._tx.events.append(event, contact_id=contact_id, subject_id=row.id, occurred_at=at)

    def of(self, contact_id: UUID, *, kind: str = "", ended: bool = False) -> list[Relation]:
        """Return how others stand to a contact, noted from either side.

        Args:
            contact_id: whose.
            kind: only this kind, as it reads from this contact's side.
            ended: whether those that have ended are told as well.
        """
        found = self._read(self._tx.contacts.ids(contact_id), ended=ended)
        return [one for one in found if not kind or one.kind == kind.casefold()]

    def _twins(self, row: Any) -> list[Any]:
        """Return the rows that read as one relation that stands, noted from either side for any id of both."""
        if row.ended_at != FOREVER:
            return []
        ids = self._tx.contacts.ids(row.contact_id)
        theirs = (NOBODY,) if row.other_id == NOBODY else self._tx.contacts.ids(row.other_id)
        standing: dict[str, Any] = {"ended_at": FOREVER, "locked": True}
        found = read_rows(
            self._tx.sql,
            "contact_relations",
            ids,
            kind=row.kind,
            other_id=theirs,
            other_name=row.other_name,
            **standing,
        )
        if row.other_id != NOBODY:
            turned = read_rows(self._tx.sql, "contact_relations", theirs, other_id=ids, **standing)
            found += [one for one in turned if inverse(one.kind) == row.kind]
        return found

    def _read(self, ids: Sequence[UUID], *, ended: bool) -> list[Relation]:
        return list(_distinct(self._sides(ids, ended=ended)))

    def _sides(self, ids: Sequence[UUID], *, ended: bool) -> Iterable[Relation]:
        """Yield the relations that were noted for ids, from their side."""
        equal: dict[str, Any] = {} if ended else {"ended_at": FOREVER}
        sql, order = self._tx.sql, ("ended_at", "id")
        own = [_own(row) for row in read_rows(sql, "contact_relations", ids, order=order, **equal)]
        others = read_rows(sql, "contact_relations", ids, by="other_id", order=order, **equal)
        return self._today([*own, *(_turned(row) for row in others)], ids)

    def _today(self, found: Sequence[Relation], ids: Sequence[UUID]) -> Iterable[Relation]:
        """Name the other sides by whom they go on as; leave out those who go on as the contact itself."""
        others = [one.other_id for one in found if one.other_id is not None]
        families = read_many_ids(self._tx.sql, others)
        for one in found:
            if one.other_id is None:
                yield one
            elif one.other_id not in ids:
                yield attrs.evolve(one, other_id=families.get(one.other_id, (one.other_id,))[0])

    def _told(self, contact_id: UUID, wanted: Relation) -> Iterable[LogEntry]:
        sides = [(contact_id, wanted.kind, wanted.other_id)]
        if wanted.other_id is not None:
            sides.append((wanted.other_id, inverse(wanted.kind), contact_id))
        entry = partial(self._tx.events.entry, subject_id=wanted.id)
        for whose, kind, other_id in sides:
            event = RelationAdded(
                relation_id=wanted.id, kind=kind, other_id=other_id, other_name=wanted.other_name
            )
            yield entry(event, contact_id=whose)
            if wanted.ended_at is not None:
                ended = RelationEnded(relation_id=wanted.id, kind=wanted.kind)
                yield entry(ended, contact_id=whose, occurred_at=wanted.ended_at)

    def _row(self, contact_id: UUID, wanted: Relation) -> dict[str, Any]:
        return {
            "id": wanted.id,
            "contact_id": contact_id,
            "kind": wanted.kind,
            "other_id": wanted.other_id or NOBODY,
            "other_name": wanted.other_name,
            "source": wanted.source,
            "began_on": wanted.began_on.isoformat() if wanted.began_on else "",
            "added_at": self._tx.now,
            "ended_at": wanted.ended_at or FOREVER,
        }


def _sides(contact_id: UUID, other_id: UUID) -> tuple[UUID, ...]:
    return (contact_id,) if other_id == NOBODY else (contact_id, other_id)


def _own(row: Any) -> Relation:
    other_id = None if row.other_id == NOBODY else row.other_id
    return _relation(row, row.kind, other_id)


def _turned(row: Any) -> Relation:
    return _relation(row, inverse(row.kind), row.contact_id)


def _relation(row: Any, kind: str, other_id: UUID | None) -> Relation:
    return Relation(
        id=row.id,
        kind=kind,
        other_id=other_id,
        other_name=row.other_name if other_id is None else "",
        source=row.source,
        began_on=row.began_on,
        ended_at=None if row.ended_at == FOREVER else row.ended_at,
    )


def _distinct(found: Iterable[Relation]) -> Iterable[Relation]:
    """Leave out what was noted twice: from both sides, or by two at the same moment."""
    seen = set()
    for one in found:
        mark = (one.kind, one.other_id, one.other_name, one.ended_at)
        if mark not in seen:
            seen.add(mark)
            yield one
