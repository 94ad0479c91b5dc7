"""tx.contacts.notes: what was said and seen, in versions of which none is lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_OID, UUID, uuid5

import attrs

from crmkit.clock import FOREVER, ending
from crmkit.contacts import Note, NoteKind
from crmkit.errors import KeyConflict, NotFound, RetryTransaction, ValueRefused
from crmkit.events import LogEntry, NoteWritten
from crmkit.sql.details import change_rows, read_rows
from crmkit.text import clean
from crmkit.transaction.details.subject import open_to

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction

_ANSWERS = ("needs", "wanted", "strengths", "weaknesses")
_CONTENT = ("kind", "text", *_ANSWERS, "about_id")


class Notes:
    """Keeps notes, calls and interviews about contacts; they are on the timeline as `NoteWritten`.

    Args:
        tx: the transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def write(
        self,
        contact_id: UUID,
        text: str = "",
        *,
        kind: NoteKind | str = NoteKind.NOTE,
        needs: Iterable[str] = (),
        wanted: Iterable[str] = (),
        strengths: Iterable[str] = (),
        weaknesses: Iterable[str] = (),
        about: LogEntry | UUID | None = None,
        at: datetime | None = None,
        key: str = "",
    ) -> Note:
        """Write a note about a contact.

        Args:
            contact_id: about whom.
            text: what was said or seen.
            kind: "note", "call" or "interview".
            needs: of an interview: what the contact needs.
            wanted: of an interview: what the contact would like to know.
            strengths: of an interview: what the contact finds good about the shop.
            weaknesses: of an interview: what the contact finds bad about it.
            about: the event, or the id of the order or other thing, that it is about.
            at: when it happened; now by default.
            key: names this note for ever, so that a repeat returns the stored one; without one each is new.

        Raises:
            NotFound: if there is no such contact.
            KeyConflict: if the key stands for another note.
            ValueRefused: if there is nothing in it, or it is too long.
        """
        open_to(self._tx, contact_id)
        key = clean(key, "key of a note", limit=200)
        note = Note(
            id=uuid5(NAMESPACE_OID, f"crmkit note {key}") if key else self._tx.new_id(),
            contact_id=contact_id,
            kind=kind,
            text=text,
            needs=needs,
            wanted=wanted,
            strengths=strengths,
            weaknesses=weaknesses,
            about_id=about.id if isinstance(about, LogEntry) else about,
            author=self._tx.actor,
            noted_at=self._tx.now if at is None else ending(at, "at"),
            written_at=self._tx.now,
        )
        return note if self._keep(note) else self._stored(key, note)

    def amend(
        self,
        note_id: UUID,
        text: str | None = None,
        *,
        contact_id: UUID | None = None,
        **answers: Iterable[str],
    ) -> Note:
        """Put a new version in the place of a note; the earlier ones stay readable.

        Args:
            note_id: which note.
            text: the new words; None leaves them.
            contact_id: whose note it must be, if given: a guard for ids that come from a web page.
            answers: of an interview: needs, wanted, strengths or weaknesses.

        Raises:
            NotFound: if there is no such note.
            ValueRefused: if an answer is unknown, or nothing would be left.
        """
        if unknown := answers.keys() - set(_ANSWERS):
            raise ValueRefused(f"an interview has no {sorted(unknown)[0]!r}; it has {', '.join(_ANSWERS)}")
        before = self._one(note_id, locked=True)
        if contact_id is not None and before.contact_id not in self._tx.contacts.ids(contact_id):
            raise NotFound(f"contact {contact_id} has no note with the id {note_id}")
        changes: dict[str, Any] = dict(answers) | ({} if text is None else {"text": text})
        after = attrs.evolve(before, **changes)
        if after == before:
            return before
        after = attrs.evolve(after, number=before.number + 1, author=self._tx.actor, written_at=self._tx.now)
        with self._tx.sql.isolated():
            ended = {"until": self._tx.now}
            change_rows(self._tx.sql, "contact_notes", ended, note_id=note_id, number=before.number)
            if not self._keep(after):
                raise RetryTransaction(
                    f"note {note_id} was amended by a transaction that this one cannot see"
                )
        return after

    def get(self, note_id: UUID) -> Note:
        """Return a note as it stands.

        Raises:
            NotFound: if there is no such note.
        """
        return self._one(note_id)

    def of(
        self, contact_id: UUID, *, kind: NoteKind | str | None = None, limit: int | None = None
    ) -> list[Note]:
        """Return a contact's notes as they stand, the newest first.

        Args:
            contact_id: whose.
            kind: only those of this kind.
            limit: at most how many; None for all.
        """
        ids = self._tx.contacts.ids(contact_id)
        equal: dict[str, Any] = {"until": FOREVER} | ({} if kind is None else {"kind": NoteKind(kind)})
        newest = ("-noted_at", "-id")
        rows = read_rows(self._tx.sql, "contact_notes", ids, order=newest, limit=limit, **equal)
        return [_note(row) for row in rows]

    def about(self, thing: LogEntry | UUID) -> list[Note]:
        """Return the notes about an event, an order or another thing, the oldest first."""
        id = thing.id if isinstance(thing, LogEntry) else thing
        rows = read_rows(
            self._tx.sql, "contact_notes", [id], by="about_id", order=("until", "id"), until=FOREVER
        )
        return [_note(row) for row in rows]

    def versions(self, note_id: UUID) -> list[Note]:
        """Return every version of a note, the first one first."""
        rows = read_rows(self._tx.sql, "contact_notes", [note_id], by="note_id", order=("number",))
        return [_note(row) for row in rows]

    def keep(self, notes: Sequence[Note]) -> None:
        """Write notes about anybody that are known to be new, with one statement for all of them."""
        with self._tx.sql.isolated():
            self._tx.sql.insert(self._tx.sql.tables["contact_notes"], [self._row(one) for one in notes])
            self._tx.events.append_new([self._told(one) for one in notes])

    def _keep(self, note: Note) -> bool:
        with self._tx.sql.isolated():
            if not self._tx.sql.claim(self._tx.sql.tables["contact_notes"], self._row(note)):
                return False
            self._tx.events.append_new([self._told(note)])
        return True

    def _told(self, note: Note) -> LogEntry:
        event = NoteWritten(
            note_id=note.id, number=note.number, kind=note.kind, about_id=note.about_id, text=note.text
        )
        at = note.noted_at if note.number == 1 else note.written_at
        return self._tx.events.entry(event, contact_id=note.contact_id, subject_id=note.id, occurred_at=at)

    def _stored(self, key: str, given: Note) -> Note:
        rows = read_rows(
            self._tx.sql, "contact_notes", [given.id], by="note_id", order=("number",), locked=True
        )
        if not rows:
            raise RetryTransaction(f"note {key!r} was written by a transaction that this one cannot see yet")
        first = _note(rows[0])
        is_one = first.contact_id in self._tx.contacts.ids(given.contact_id)
        if not is_one or any(getattr(first, name) != getattr(given, name) for name in _CONTENT):
            raise KeyConflict(key, stored=first, given=given)
        return _note(rows[-1])

    def _one(self, note_id: UUID, *, locked: bool = False) -> Note:
        rows = read_rows(self._tx.sql, "contact_notes", [note_id], by="note_id", until=FOREVER, locked=locked)
        if not rows:
            raise NotFound(f"no note has the id {note_id}")
        return _note(rows[0])

    def _row(self, note: Note) -> dict[str, Any]:
        return {
            "id": self._tx.new_id(),
            "note_id": note.id,
            "number": note.number,
            "contact_id": note.contact_id,
            "kind": note.kind,
            "text": note.text,
            "details": {name: list(getattr(note, name)) for name in _ANSWERS if getattr(note, name)},
            "about_id": note.about_id,
            "author": note.author,
            "noted_at": note.noted_at,
            "written_at": note.written_at,
            "until": FOREVER,
        }


def _note(row: Any) -> Note:
    return Note(
        id=row.note_id,
        number=row.number,
        contact_id=row.contact_id,
        kind=row.kind,
        text=row.text,
        **row.details,
        about_id=row.about_id,
        author=row.author,
        noted_at=row.noted_at,
        written_at=row.written_at,
    )
