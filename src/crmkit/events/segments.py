"""Events of segments."""

from __future__ import annotations

import attrs

from crmkit.events.log import Event


@attrs.frozen(kw_only=True)
class SegmentDefined(Event):
    """A segment was defined, or its expression was changed."""

    segment: str
    expression: str


@attrs.frozen(kw_only=True)
class SegmentDropped(Event):
    """A segment was dropped."""

    segment: str


@attrs.frozen(kw_only=True)
class SegmentEntered(Event):
    """A refresh found a contact in a segment in which it was not at the refresh before."""

    segment: str


@attrs.frozen(kw_only=True)
class SegmentLeft(Event):
    """A refresh found a contact no more in a segment in which it was at the refresh before."""

    segment: str
