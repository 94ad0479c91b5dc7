"""tx.contacts.preferences: what contacts like and dislike, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs

from crmkit.contacts import Liking, Preference, PreferenceKind
from crmkit.contacts.details import one_of
from crmkit.errors import RetryTransaction
from crmkit.events import LogEntry, PreferenceDropped, PreferenceSet
from crmkit.sql.details import add_rows, change_rows, read_ids_with, read_rows, remove_rows
from crmkit.sql.layout.details import latest_preferences
from crmkit.transaction.details.subject import just_after, open_to

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction


class Preferences:
    """Keeps what contacts prefer; every change is on the timeline.

    Args:
        tx: the transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def set(
        self,
        contact_id: UUID,
        kind: PreferenceKind | str,
        value: str,
        *,
        liking: Liking | str = Liking.LIKES,
        source: str = "",
        confidence: int = 100,
    ) -> Preference:
        """Set what a contact thinks of something; of one kind and value the last word counts.

        Args:
            contact_id: whose.
            kind: "topic", "product", "channel" or "language".
            value: which one, such as "tea", "sms" or "ka".
            liking: "likes" or "dislikes".
            source: how it is known, such as "asked" or "orders".
            confidence: how sure that is, 0 to 100.

        Raises:
            NotFound: if there is no such contact.
            ValueRefused: if a value is refused; nothing changes.
        """
        wanted = Preference(
            kind=kind,
            value=value,
            liking=liking,
            source=source,
            confidence=confidence,
            set_at=self._tx.now,
        )
        ids = open_to(self._tx, contact_id)
        before, own = (
            next((one for one in self._read(some) if _same(one, wanted)), None)
            for some in (ids, [contact_id])
        )
        if before is not None and before == own == wanted:
            return before
        with self._tx.sql.isolated():
            self._write(contact_id, ids, wanted)
            self._tx.events.append_new([self._told(contact_id, wanted, before)])
        return wanted

    def keep(self, preferences: Sequence[tuple[UUID, Preference]]) -> None:
        """Write preferences of anybody that are known to be new, with one statement for all of them.

        Raises:
            RetryTransaction: if another transaction has set one of them.
        """
        rows = [{"contact_id": id} | attrs.asdict(one) for id, one in preferences]
        with self._tx.sql.isolated():
            add_rows(self._tx.sql, "contact_preferences", rows)
            self._tx.events.append_new([self._told(id, one) for id, one in preferences])

    def _told(self, contact_id: UUID, wanted: Preference, before: Preference | None = None) -> LogEntry:
        event = PreferenceSet(kind=wanted.kind, value=wanted.value, before=_said(before), after=_said(wanted))
        return self._tx.events.entry(event, contact_id=contact_id, subject_id=contact_id)

    def drop(self, contact_id: UUID, kind: PreferenceKind | str, value: str) -> bool:
        """Forget what a contact thinks of something; say whether anything was known.

        Raises:
            NotFound: if there is no such contact.
        """
        ids = open_to(self._tx, contact_id)
        wanted = Preference(kind=kind, value=value, set_at=self._tx.now)
        if not any(_same(one, wanted) for one in self._read(ids)):
            return False
        event = PreferenceDropped(kind=wanted.kind, value=wanted.value)
        with self._tx.sql.isolated():
            remove_rows(self._tx.sql, "contact_preferences", ids, kind=wanted.kind, value=wanted.value)
            self._tx.events.append(event, contact_id=contact_id, subject_id=contact_id)
        return True

    def of(self, contact_id: UUID, kind: PreferenceKind | str | None = None) -> list[Preference]:
        """Return a contact's preferences by kind and value.

        Args:
            contact_id: whose.
            kind: only those of this kind.
        """
        wanted = None if kind is None else one_of(PreferenceKind, kind, "kind of a preference")
        found = self._read(self._tx.contacts.ids(contact_id))
        return [one for one in found if wanted in (None, one.kind)]

    def history(self, contact_id: UUID, *, limit: int = 1000) -> list[LogEntry]:
        """Return how a contact's preferences changed, the newest change first."""
        types = ("PreferenceDropped", "PreferenceSet")
        return self._tx.events.timeline(contact_id, limit=limit, types=types)

    def having(
        self, kind: PreferenceKind | str, value: str, *, after: UUID | None = None, limit: int = 1000
    ) -> list[UUID]:
        """Return the ids under which a preference for something was set, likes and dislikes, in their order."""
        return read_ids_with(
            self._tx.sql,
            "contact_preferences",
            after=after,
            limit=limit,
            kind=one_of(PreferenceKind, kind, "kind of a preference"),
            value=value,
        )

    def _read(self, ids: Sequence[UUID]) -> list[Preference]:
        rows = latest_preferences(read_rows(self._tx.sql, "contact_preferences", ids))
        return [_preference(row) for row in sorted(rows, key=lambda row: (row.kind, row.value))]

    def _write(self, contact_id: UUID, ids: Sequence[UUID], wanted: Preference) -> None:
        table = self._tx.sql.tables["contact_preferences"]
        others = [id for id in ids if id != contact_id]
        about: dict[str, Any] = {"kind": wanted.kind, "value": wanted.value}
        rivals = read_rows(self._tx.sql, "contact_preferences", others, **about) if others else []
        said = {
            "liking": wanted.liking,
            "confidence": wanted.confidence,
            "source": wanted.source,
            "set_at": just_after(wanted.set_at, rivals),
        }
        key = {"contact_id": contact_id} | about
        if self._tx.sql.claim(table, key | said):
            return
        change_rows(self._tx.sql, "contact_preferences", said, **key)
        if not read_rows(self._tx.sql, "contact_preferences", [contact_id], **about):
            raise RetryTransaction("a preference was set by a transaction that this one cannot see yet")


def _preference(row: Any) -> Preference:
    return Preference(
        kind=row.kind,
        value=row.value,
        liking=row.liking,
        source=row.source,
        confidence=row.confidence,
        set_at=row.set_at,
    )


def _same(one: Preference, other: Preference) -> bool:
    return (one.kind, one.value) == (other.kind, other.value)


def _said(preference: Preference | None) -> dict[str, str]:
    if preference is None:
        return {}
    said = {"liking": preference.liking.value, "source": preference.source}
    return said | {"confidence": str(preference.confidence)}
