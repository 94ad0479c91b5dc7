"""Events of contacts: who they are."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from crmkit.events.log import Event, personal, texts


@attrs.frozen(kw_only=True)
class ContactAdded(Event):
    """A contact was added; its name and points are personal."""

    name: str = personal(default="")
    points: tuple[str, ...] = personal(default=(), converter=texts)


@attrs.frozen(kw_only=True)
class ContactUpdated(Event):
    """Fields of a contact were changed; the values before and after are personal."""

    fields: tuple[str, ...] = attrs.field(converter=texts)
    before: Mapping[str, str] = personal(factory=dict)
    after: Mapping[str, str] = personal(factory=dict)


@attrs.frozen(kw_only=True)
class ContactPointsAdded(Event):
    """A contact was given further points."""

    points: tuple[str, ...] = personal(default=(), converter=texts)
