"""tx.contacts.facts: dated personal facts, each with where it is from and what it may be used for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

from crmkit.contacts import PersonalFact, Privacy
from crmkit.contacts.details import day
from crmkit.errors import NotFound
from crmkit.events import FactAdded, FactRemoved, LogEntry
from crmkit.sql.details import forget_said, read_between, read_rows, remove_rows
from crmkit.transaction.details.subject import open_to

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction

_CONTENT = ("text", "on", "source", "privacy", "purpose")


class PersonalFacts:
    """Keeps personal facts about contacts.

    Args:
        tx: the transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def add(
        self,
        contact_id: UUID,
        text: str,
        *,
        on: date | str | None = None,
        source: str = "",
        privacy: Privacy | str = Privacy.ORDINARY,
        purpose: str = "",
    ) -> PersonalFact:
        """Note a fact; one that is noted already is returned as it is.

        Args:
            contact_id: about whom.
            text: the fact, such as "daughter starts school".
            on: the day it is about.
            source: how it is known.
            privacy: "ordinary", "confidential" or "special" (health, belief, origin).
            purpose: what it may be used for; a special one needs it.

        Raises:
            NotFound: if there is no such contact.
            ValueRefused: if a value is refused.
        """
        open_to(self._tx, contact_id)
        wanted = PersonalFact(
            id=self._tx.new_id(),
            contact_id=contact_id,
            text=text,
            on=on,
            source=source,
            privacy=privacy,
            purpose=purpose,
            added_at=self._tx.now,
        )
        for one in self._read([contact_id]):
            if _content(one) == _content(wanted):
                return one
        self.keep([wanted])
        return wanted

    def keep(self, facts: Sequence[PersonalFact]) -> None:
        """Write facts about anybody that are known to be new, with one statement for all of them."""
        with self._tx.sql.isolated():
            self._tx.sql.insert(self._tx.sql.tables["contact_facts"], [_row(one) for one in facts])
            self._tx.events.append_new([self._told(one) for one in facts])

    def _told(self, fact: PersonalFact) -> LogEntry:
        event = FactAdded(fact_id=fact.id, privacy=fact.privacy, text=fact.text, on=_iso(fact.on))
        return self._tx.events.entry(event, contact_id=fact.contact_id, subject_id=fact.id)

    def remove(self, contact_id: UUID, fact_id: UUID) -> None:
        """Remove a fact, of the log as well: what it said is nowhere kept.

        Raises:
            NotFound: if the contact has no such fact.
        """
        ids = open_to(self._tx, contact_id)
        found = next((one for one in self._read(ids) if one.id == fact_id), None)
        if found is None:
            raise NotFound(f"contact {contact_id} has no fact with the id {fact_id}")
        with self._tx.sql.isolated():
            for one in self._read(ids):
                if _content(one) == _content(found):
                    remove_rows(self._tx.sql, "contact_facts", ids, id=one.id)
                    forget_said(self._tx.sql, one.id)
                    event = FactRemoved(fact_id=one.id)
                    self._tx.events.append(event, contact_id=one.contact_id, subject_id=one.id)

    def of(self, contact_id: UUID) -> list[PersonalFact]:
        """Return a contact's facts, those without a day first, then by day; what two of its ids have is told once."""
        found: dict[tuple[Any, ...], PersonalFact] = {}
        for one in self._read(self._tx.contacts.ids(contact_id)):
            found.setdefault(_content(one), one)
        return list(found.values())

    def _read(self, ids: Sequence[UUID]) -> list[PersonalFact]:
        rows = read_rows(self._tx.sql, "contact_facts", ids, order=("on_date", "id"))
        return [_fact(row) for row in rows]

    def between(self, start: date | str, end: date | str, *, limit: int = 1000) -> list[PersonalFact]:
        """Return the facts of all contacts whose day is `start` or later and before `end`, by day.

        Args:
            start: the first day.
            end: the day after the last one.
            limit: at most how many.
        """
        edges = (_iso(day(start, "start")), _iso(day(end, "end")))
        return [_fact(row) for row in read_between(self._tx.sql, "contact_facts", "on_date", *edges, limit)]


def _content(fact: PersonalFact) -> tuple[Any, ...]:
    return tuple(getattr(fact, name) for name in _CONTENT)


def _iso(value: date | None) -> str:
    return value.isoformat() if value else ""


def _row(fact: PersonalFact) -> dict[str, Any]:
    return {
        "id": fact.id,
        "contact_id": fact.contact_id,
        "text": fact.text,
        "on_date": _iso(fact.on),
        "source": fact.source,
        "privacy": fact.privacy,
        "purpose": fact.purpose,
        "added_at": fact.added_at,
    }


def _fact(row: Any) -> PersonalFact:
    return PersonalFact(
        id=row.id,
        contact_id=row.contact_id,
        text=row.text,
        on=row.on_date,
        source=row.source,
        privacy=row.privacy,
        purpose=row.purpose,
        added_at=row.added_at,
    )
