"""What one row or card says of a contact."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import attrs

from crmkit.contacts import Contact


@attrs.frozen
class Rejected:
    """A row that is not taken.

    Args:
        line: the number of the line on which it begins.
        reason: what is wrong with it, and what would be right.
        raw: the row as it was read.
    """

    line: int
    reason: str
    raw: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Incoming:
    """What one row or card says of a contact.

    Args:
        line: the number of the line on which it begins.
        contact: the contact that it would be if nobody has its points.
        fields: the fields of it that the row gives.
        named: whether the row gives the contact's id.
        tags: labels.
        notes: texts.
        values: custom fields by name, as they are written.
        consents: by purpose, or purpose and channel with a colon between: whether it was given.
        relations: what somebody is to the contact, and the name.
        facts: what is known, and of which day.
        warnings: what should be looked at, though the row is taken.
        raw: the row as it was read.
    """

    line: int
    contact: Contact
    fields: tuple[str, ...] = ()
    named: bool = False
    tags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    values: Mapping[str, Any] = attrs.field(factory=dict)
    consents: Mapping[str, bool] = attrs.field(factory=dict)
    relations: tuple[tuple[str, str], ...] = ()
    facts: tuple[tuple[str, date | None], ...] = ()
    warnings: tuple[str, ...] = ()
    raw: tuple[str, ...] = ()
