"""What is known of contacts already, read for a whole batch, so that a row adds only what is new."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from crmkit.clock import FOREVER
from crmkit.contacts import Contact, Note, PersonalFact, Preference, Relation
from crmkit.contacts.details import inverse
from crmkit.errors import AlreadyErased
from crmkit.exchange.incoming import Incoming
from crmkit.sql.aliases import read_many_ids
from crmkit.sql.consents import pages
from crmkit.sql.details import read_many
from crmkit.sql.erasures import erased_among, lock_contacts, read_erasures
from crmkit.transaction import Transaction
from crmkit.transaction.details.relations import NOBODY

#: What tells something that is known from other things: what it is, and its content.
Mark = tuple[Any, ...]

_ANSWERS = ("needs", "wanted", "strengths", "weaknesses")


class Known:
    """Knows what stands of the contacts of a batch, under any of their ids.

    Args:
        tx: the transaction of the batch.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._marks: set[tuple[UUID, Mark]] = set()
        self._erased: dict[UUID, datetime] = {}
        self._others: dict[UUID, UUID] = {}
        self.preferences: dict[tuple[UUID, Mark], Mark] = {}

    def look_up(self, pairs: Sequence[tuple[Contact, Incoming]]) -> None:
        """Read what stands of contacts of the kinds of which their rows say something.

        Args:
            pairs: contacts that were there before, with their rows.
        """
        for page in pages(contact.id for contact, _ in pairs):
            lock_contacts(self._tx.sql, page)
            found = read_erasures(self._tx.sql, page, locked=True)
            self._erased |= {row["contact_id"]: row["erased_at"] for row in found}
        for said, table, marks in _READ:
            whose = _whose(contact for contact, row in pairs if getattr(row, said))
            for row in read_many(self._tx.sql, table, whose, latest=True):
                self._marks |= {(whose[row.contact_id], mark) for mark in marks(row)}
        self._read_preferences(_whose(contact for contact, row in pairs if row.preferences))
        self._read_relations(_whose(contact for contact, row in pairs if row.relations))

    def look_up_others(self, rows: Iterable[Incoming]) -> None:
        """Read which of the contacts are there that rows tell relations to."""
        wanted = {one.other for row in rows for one in row.relations} - {None}
        found = self._tx.contacts.get_many(sorted(id for id in wanted if id is not None))
        erased = erased_among(self._tx.sql, found) if found else set()
        self._others |= {id: contact.id for id, contact in found.items() if id not in erased}

    def other(self, id: UUID) -> UUID | None:
        """Return as whom a contact goes on that a relation is told to; None if it is not there."""
        return self._others.get(id)

    def refuse_erased(self, contact_id: UUID) -> None:
        """Refuse to give somebody who was erased anything new.

        Raises:
            AlreadyErased: naming when.
        """
        if contact_id in self._erased:
            raise AlreadyErased(contact_id, self._erased[contact_id])

    def is_new(self, contact_id: UUID, mark: Mark) -> bool:
        """Return whether something is not known of a contact; from now on it is."""
        if (contact_id, mark) in self._marks:
            return False
        self._marks.add((contact_id, mark))
        return True

    def is_new_relation(self, contact_id: UUID, relation: Relation) -> bool:
        """Return whether a relation is not known from either side; from now on it is."""
        return self._add_relation(contact_id, relation.other_id, _relation_mark(relation))

    def _add_relation(self, contact_id: UUID, other_id: UUID | None, mark: Mark) -> bool:
        kind, _, name, ended_at = mark
        new = self.is_new(contact_id, ("relation", *mark))
        if other_id is not None:
            self.is_new(other_id, ("relation", inverse(kind), contact_id, name, ended_at))
        return new

    def _read_preferences(self, whose: Mapping[UUID, UUID]) -> None:
        rows = read_many(self._tx.sql, "contact_preferences", whose, latest=True)
        for row in sorted(rows, key=lambda row: (row.set_at, row.contact_id)):  # the last word counts
            about = (whose[row.contact_id], (row.kind, row.value))
            self.preferences[about] = (row.liking, row.source, row.confidence)

    def _read_relations(self, whose: Mapping[UUID, UUID]) -> None:
        sql = self._tx.sql
        rows = [
            row
            for by in ("contact_id", "other_id")
            for row in read_many(sql, "contact_relations", whose, by=by, latest=True)
        ]
        ids = {id for row in rows for id in (row.contact_id, row.other_id)}
        families = read_many_ids(sql, ids) if rows else {}
        today = {id: families.get(id, (id,))[0] for id in ids}
        for row in rows:
            other_id = None if row.other_id == NOBODY else today[row.other_id]
            mark = (row.kind, other_id, row.other_name, row.ended_at)
            self._add_relation(today[row.contact_id], other_id, mark)


def note_mark(note: Note) -> Mark:
    """Return what tells a note from others of the same words."""
    return ("note", note.kind, note.text, note.noted_at, *(getattr(note, name) for name in _ANSWERS))


def fact_mark(fact: PersonalFact) -> Mark:
    """Return what tells a fact from others."""
    on = fact.on.isoformat() if fact.on else ""
    return ("fact", fact.text, on, fact.source, fact.privacy, fact.purpose)


def preference_marks(one: Preference) -> tuple[Mark, Mark]:
    """Return what a preference is about, and what it says of that."""
    return (one.kind, one.value), (one.liking, one.source, one.confidence)


def _relation_mark(one: Relation) -> Mark:
    return (one.kind, one.other_id, one.other_name, one.ended_at or FOREVER)


def _tags(row: Any) -> Iterator[Mark]:
    yield ("tag", row.tag)


def _notes(row: Any) -> Iterator[Mark]:
    if row.until == FOREVER:
        answers = (tuple(row.details.get(name, ())) for name in _ANSWERS)
        yield ("text", row.text)
        yield ("note", row.kind, row.text, row.noted_at, *answers)


def _facts(row: Any) -> Iterator[Mark]:
    yield ("fact", row.text, row.on_date, row.source, row.privacy, row.purpose)


#: What of a row is compared with which table, and how.
_READ = (
    ("tags", "contact_tags", _tags),
    ("notes", "contact_notes", _notes),
    ("facts", "contact_facts", _facts),
)


def _whose(contacts: Iterable[Contact]) -> dict[UUID, UUID]:
    return {id: contact.id for contact in contacts for id in contact.ids}
