"""tx.contacts.tags: words that contacts are marked with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from crmkit.contacts.details import tag_of
from crmkit.events import TagsChanged
from crmkit.sql.details import read_ids_with, read_rows, remove_rows
from crmkit.transaction.details.subject import open_to

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction


class Tags:
    """Marks contacts with tags; case does not matter, they are kept small.

    Args:
        tx: the transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def add(self, contact_id: UUID, *tags: str) -> tuple[str, ...]:
        """Mark a contact with tags and return all that it has; those it has are left alone.

        Args:
            contact_id: whose.
            tags: words of at most 100 characters; case and doubled spaces do not matter.

        Raises:
            NotFound: if there is no such contact.
            ValueRefused: if a tag is empty or too long; nothing changes.
        """
        wanted = sorted({tag_of(tag) for tag in tags})
        rows = read_rows(self._tx.sql, "contact_tags", open_to(self._tx, contact_id))
        own = {row.tag for row in rows if row.contact_id == contact_id}
        table, now = self._tx.sql.tables["contact_tags"], self._tx.now
        with self._tx.sql.isolated():
            added = [
                tag
                for tag in wanted
                if tag not in own
                and self._tx.sql.claim(table, {"contact_id": contact_id, "tag": tag, "added_at": now})
            ]
            if added:
                self._tx.events.append(
                    TagsChanged(added=tuple(added)), contact_id=contact_id, subject_id=contact_id
                )
        return tuple(sorted({row.tag for row in rows} | {*wanted}))

    def remove(self, contact_id: UUID, *tags: str) -> tuple[str, ...]:
        """Take tags away from a contact and return those that it still has; those it does not have are left alone.

        Raises:
            NotFound: if there is no such contact.
        """
        unwanted = {tag_of(tag) for tag in tags}
        ids = open_to(self._tx, contact_id)
        had = self._read(ids)
        gone = tuple(tag for tag in had if tag in unwanted)
        if gone:
            with self._tx.sql.isolated():
                remove_rows(self._tx.sql, "contact_tags", ids, tag=gone)
                self._tx.events.append(
                    TagsChanged(removed=gone), contact_id=contact_id, subject_id=contact_id
                )
        return tuple(tag for tag in had if tag not in unwanted)

    def of(self, contact_id: UUID) -> tuple[str, ...]:
        """Return a contact's tags in alphabetical order."""
        return self._read(self._tx.contacts.ids(contact_id))

    def having(self, tag: str, *, after: UUID | None = None, limit: int = 1000) -> list[UUID]:
        """Return the ids under which a tag was given, in their order; one that was merged reads as whom it became.

        Args:
            tag: the tag.
            after: the last id of the page before; None from the beginning.
            limit: at most how many.
        """
        return read_ids_with(self._tx.sql, "contact_tags", after=after, limit=limit, tag=tag_of(tag))

    def _read(self, ids: Sequence[UUID]) -> tuple[str, ...]:
        return tuple(sorted({row.tag for row in read_rows(self._tx.sql, "contact_tags", ids)}))
