"""Events: immutable facts in one log, which is the timeline, the audit trail and the source of signals."""

from __future__ import annotations

from crmkit.events.contacts import ContactAdded, ContactPointsAdded, ContactUpdated
from crmkit.events.log import ACTOR_KINDS, Event, LogEntry, UnknownEvent, actor, personal
from crmkit.events.messages import MessageFailed, MessageSent
from crmkit.events.orders import (
    OrderAmended,
    OrderCancelled,
    OrderPaid,
    OrderRecorded,
    OrderRefunded,
    OrderShipped,
)

#: The event types of the core.
CORE_EVENTS: tuple[type[Event], ...] = (
    ContactAdded,
    ContactPointsAdded,
    ContactUpdated,
    MessageFailed,
    MessageSent,
    OrderAmended,
    OrderCancelled,
    OrderPaid,
    OrderRecorded,
    OrderRefunded,
    OrderShipped,
)

__all__ = [
    "ACTOR_KINDS",
    "CORE_EVENTS",
    "ContactAdded",
    "ContactPointsAdded",
    "ContactUpdated",
    "Event",
    "LogEntry",
    "MessageFailed",
    "MessageSent",
    "OrderAmended",
    "OrderCancelled",
    "OrderPaid",
    "OrderRecorded",
    "OrderRefunded",
    "OrderShipped",
    "UnknownEvent",
    "actor",
    "personal",
]
