"""Events of duplicates: what was judged of two contacts that look like one."""

from __future__ import annotations

from uuid import UUID

import attrs

from crmkit.events.log import Event


@attrs.frozen(kw_only=True)
class DuplicateRejected(Event):
    """Somebody looked at two contacts and said that they are two; that they are one is told by `ContactsMerged`.

    Args:
        first_id: a contact.
        second_id: the other one.
    """

    first_id: UUID
    second_id: UUID
