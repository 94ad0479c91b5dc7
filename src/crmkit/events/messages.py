"""Events of messages."""

from __future__ import annotations

from uuid import UUID

import attrs

from crmkit.events.log import Event, personal


@attrs.frozen(kw_only=True)
class MessageSent(Event):
    """A channel's provider took a message."""

    delivery_id: UUID
    channel: str
    topic: str
    provider_id: str = personal(default="")


@attrs.frozen(kw_only=True)
class MessageFailed(Event):
    """A message will not be sent, or nobody knows whether it was."""

    delivery_id: UUID
    channel: str
    topic: str
    state: str
    reason: str = personal(default="")
