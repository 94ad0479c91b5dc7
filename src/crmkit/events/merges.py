"""Events of merges: who goes on as whom."""

from __future__ import annotations

from uuid import UUID

import attrs

from crmkit.events.log import Event, personal


@attrs.frozen(kw_only=True)
class ContactsMerged(Event):
    """A contact goes on as another one; nothing recorded under its id was rewritten.

    Args:
        merge_id: what `tx.merges.unmerge` takes.
        loser_id: the contact that goes on as another.
        into_id: the contact it was merged into, as it was named.
        reason: the words of whoever merged.
    """

    merge_id: UUID
    loser_id: UUID
    into_id: UUID
    reason: str = personal(default="")


@attrs.frozen(kw_only=True)
class ContactsUnmerged(Event):
    """A merge was undone: what was recorded under either id reads as that contact's again.

    Args:
        merge_id: the merge.
        loser_id: the contact that goes on as itself again.
        into_id: the contact it was merged into.
        reason: the words of whoever undid it.
    """

    merge_id: UUID
    loser_id: UUID
    into_id: UUID
    reason: str = personal(default="")
