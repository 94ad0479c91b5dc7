"""What one row or card says of a contact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from crmkit.contacts import Contact
from crmkit.exchange.said import SaidConsent, SaidFact, SaidNote, SaidPreference, SaidRelation


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
        notes: each with its instant, or its text alone.
        values: custom fields by name, as they are written.
        consents: words, with sources that say they were imported.
        relations: to somebody by name, or to a contact.
        preferences: likes and dislikes.
        facts: what is known, perhaps of a day.
        warnings: what should be looked at, though the row is taken.
        raw: the row as it was read.
    """

    line: int
    contact: Contact
    fields: tuple[str, ...] = ()
    named: bool = False
    tags: tuple[str, ...] = ()
    notes: tuple[SaidNote, ...] = ()
    values: Mapping[str, Any] = attrs.field(factory=dict)
    consents: tuple[SaidConsent, ...] = ()
    relations: tuple[SaidRelation, ...] = ()
    preferences: tuple[SaidPreference, ...] = ()
    facts: tuple[SaidFact, ...] = ()
    warnings: tuple[str, ...] = ()
    raw: tuple[str, ...] = ()

    @property
    def says_more(self) -> bool:
        """Whether it says anything besides fields and points."""
        said = (self.tags, self.notes, self.values, self.consents)
        return any((*said, self.relations, self.preferences, self.facts))
