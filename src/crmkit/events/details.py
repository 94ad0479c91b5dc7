"""Events of what is known about a contact besides its fields and points."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import attrs

from crmkit.events.log import Event, personal, texts


@attrs.frozen(kw_only=True)
class TagsChanged(Event):
    """Tags of a contact were added or removed."""

    added: tuple[str, ...] = personal(default=(), converter=texts)
    removed: tuple[str, ...] = personal(default=(), converter=texts)


@attrs.frozen(kw_only=True)
class NoteWritten(Event):
    """A note was written, or amended by a further version of it.

    Args:
        note_id: the note.
        number: the version.
        kind: note, call or interview.
        about_id: what it is about, if anything.
        text: its words; they are personal.
    """

    note_id: UUID
    number: int = 1
    kind: str = "note"
    about_id: UUID | None = None
    text: str = personal(default="")


@attrs.frozen(kw_only=True)
class PreferenceSet(Event):
    """A preference of a contact was set; `before` and `after` hold its liking, source and confidence."""

    kind: str
    value: str = personal(default="")
    before: Mapping[str, str] = personal(factory=dict)
    after: Mapping[str, str] = personal(factory=dict)


@attrs.frozen(kw_only=True)
class PreferenceDropped(Event):
    """A preference of a contact was dropped."""

    kind: str
    value: str = personal(default="")


@attrs.frozen(kw_only=True)
class RelationAdded(Event):
    """Somebody is something to a contact."""

    relation_id: UUID
    kind: str
    other_id: UUID | None = None
    other_name: str = personal(default="")


@attrs.frozen(kw_only=True)
class RelationEnded(Event):
    """A relation has ended."""

    relation_id: UUID
    kind: str


@attrs.frozen(kw_only=True)
class FactAdded(Event):
    """A personal fact was noted."""

    fact_id: UUID
    privacy: str = "ordinary"
    text: str = personal(default="")
    on: str = personal(default="")


@attrs.frozen(kw_only=True)
class FactRemoved(Event):
    """A personal fact was removed; what it said is nowhere kept."""

    fact_id: UUID


@attrs.frozen(kw_only=True)
class ValuesSet(Event):
    """Custom fields of a contact were set; a text that is empty stands for no value."""

    fields: tuple[str, ...] = attrs.field(converter=texts)
    before: Mapping[str, str] = personal(factory=dict)
    after: Mapping[str, str] = personal(factory=dict)


@attrs.frozen(kw_only=True)
class ContactPointChanged(Event):
    """Details of a contact point were changed: its label, verification or preference."""

    fields: tuple[str, ...] = attrs.field(converter=texts)
    point: str = personal(default="")
    before: Mapping[str, str] = personal(factory=dict)
    after: Mapping[str, str] = personal(factory=dict)


@attrs.frozen(kw_only=True)
class ContactPointRemoved(Event):
    """A contact point was taken away from a contact."""

    kind: str
    point: str = personal(default="")


@attrs.frozen(kw_only=True)
class StageChanged(Event):
    """A contact came to another stage of its life as a customer.

    Args:
        before: the stage until then; empty if it had none.
        after: the stage from then on.
        why: "rule" or "staff".
        reason: what decided, in words; staff's may be personal.
    """

    before: str
    after: str
    why: str
    reason: str = personal(default="")


@attrs.frozen(kw_only=True)
class StageReleased(Event):
    """A stage that staff had set is the rule's to decide again."""


@attrs.frozen(kw_only=True)
class OrderRelated(Event):
    """A contact has a role in an order besides that of its buyer."""

    order_key: str
    role: str


@attrs.frozen(kw_only=True)
class OrderUnrelated(Event):
    """A contact no longer has a role in an order."""

    order_key: str
    role: str
