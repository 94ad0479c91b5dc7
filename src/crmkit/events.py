"""Events: immutable facts in one log, which is the timeline, the audit trail and the source of signals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import attrs

from crmkit.errors import ValueRefused
from crmkit.money import Money
from crmkit.orders import Order, OrderState, Returned
from crmkit.rewards import Award, NoAward

ACTOR_KINDS = ("staff", "contact", "system", "plugin")

E = TypeVar("E", bound="Event")


def actor(value: str) -> str:
    """Return `value` if it names an actor: "system", or "staff:", "contact:", "plugin:" and a name.

    Raises:
        ValueRefused: if it does not, or is longer than 100 characters.
    """
    kind, _, name = value.partition(":")
    if kind not in ACTOR_KINDS or bool(name) == (kind == "system") or len(value) > 100:
        raise ValueRefused(f"actor {value!r} is not 'system', 'staff:NAME', 'contact:ID' or 'plugin:NAME'")
    return value


def personal(**arguments: Any) -> Any:
    """Return an attrs field whose value is personal: kept apart from the fact, gone after erasure.

    Args:
        arguments: as for `attrs.field`; a default is needed, it is what reads after erasure.
    """
    return attrs.field(metadata={"personal": True}, **arguments)


def _texts(value: Iterable[str]) -> tuple[str, ...]:
    return tuple(value)


def _awards(value: Iterable[Award]) -> tuple[Award, ...]:
    return tuple(value)


def _refusals(value: Iterable[NoAward]) -> tuple[NoAward, ...]:
    return tuple(value)


def _frozen(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(value))


@attrs.frozen(kw_only=True)
class Event:
    """A fact; subclasses are frozen attrs classes whose name is the event's type.

    A class that changes its fields counts `version` up and turns older data into today's in `upcast`.
    """

    version: ClassVar[int] = 1

    @classmethod
    def upcast(cls, version: int, data: dict[str, Any]) -> dict[str, Any]:
        """Return today's data for data that an older version of the class wrote.

        Args:
            version: the version that wrote it.
            data: plain data by field name.
        """
        return data


@attrs.frozen(kw_only=True)
class UnknownEvent(Event):
    """An event whose type no enabled plugin knows; kept as it is.

    Args:
        type: the type's name.
        stored_version: the version that wrote it.
        data: its plain data.
    """

    type: str
    stored_version: int
    data: Mapping[str, Any] = attrs.field(factory=dict, converter=_frozen)


@attrs.frozen(kw_only=True)
class LogEntry:
    """An event as it stands in the log.

    Args:
        id: its id.
        event: the fact.
        key: unique in the log.
        contact_id: whom it concerns, if anybody.
        subject_id: the order, ticket or other thing it concerns, if any.
        actor: who caused it.
        cause_id: the event that caused it, if any.
        occurred_at: when it happened.
        recorded_at: when it was written down.
        position: its place in the order of commits, counted from 1; None until it is numbered.
    """

    id: UUID
    event: Event
    key: str
    contact_id: UUID | None
    subject_id: UUID | None
    actor: str
    cause_id: UUID | None
    occurred_at: datetime
    recorded_at: datetime
    position: int | None = attrs.field(default=None, eq=False)

    @property
    def type(self) -> str:
        """The event type's name."""
        return self.event.type if isinstance(self.event, UnknownEvent) else type(self.event).__name__


@attrs.frozen(kw_only=True)
class ContactAdded(Event):
    """A contact was added; its name and points are personal."""

    name: str = personal(default="")
    points: tuple[str, ...] = personal(default=(), converter=_texts)


@attrs.frozen(kw_only=True)
class ContactUpdated(Event):
    """Fields of a contact were changed; the values before and after are personal."""

    fields: tuple[str, ...] = attrs.field(converter=_texts)
    before: Mapping[str, str] = personal(factory=dict)
    after: Mapping[str, str] = personal(factory=dict)


@attrs.frozen(kw_only=True)
class ContactPointsAdded(Event):
    """A contact was given further points."""

    points: tuple[str, ...] = personal(default=(), converter=_texts)


@attrs.frozen(kw_only=True)
class OrderRecorded(Event):
    """An order was recorded: what was ordered, without the buyer's addresses."""

    order: Order
    state: OrderState = OrderState.PLACED


@attrs.frozen(kw_only=True)
class OrderPaid(Event):
    """An order was paid, and the rules decided about it."""

    order_key: str
    amount: Money
    awards: tuple[Award, ...] = attrs.field(default=(), converter=_awards)
    refusals: tuple[NoAward, ...] = attrs.field(default=(), converter=_refusals)


@attrs.frozen(kw_only=True)
class OrderShipped(Event):
    """An order left the house."""

    order_key: str
    tracking: str = ""


@attrs.frozen(kw_only=True)
class OrderAmended(Event):
    """The lines of an order were replaced; if it was paid, the rules decided anew."""

    order: Order
    awards: tuple[Award, ...] = attrs.field(default=(), converter=_awards)
    refusals: tuple[NoAward, ...] = attrs.field(default=(), converter=_refusals)


@attrs.frozen(kw_only=True)
class OrderRefunded(Event):
    """Money was given back.

    Args:
        order_key: the order.
        refund_key: the shop's id of the refund.
        amount: this refund's money.
        parts: what this refund gives back, by line id.
        returned: what all refunds so far give back, by line id.
        whole: whether nothing is left after it.
        reason: the shop's words.
    """

    order_key: str
    refund_key: str
    amount: Money
    parts: Mapping[str, Returned]
    returned: Mapping[str, Returned]
    whole: bool
    reason: str = ""


@attrs.frozen(kw_only=True)
class OrderCancelled(Event):
    """An order was cancelled; what was paid for it is given back."""

    order_key: str
    reason: str = ""


@attrs.frozen(kw_only=True)
class MessageSent(Event):
    """A channel's provider took a message."""

    delivery_id: UUID
    channel: str
    topic: str
    provider_id: str = ""


@attrs.frozen(kw_only=True)
class MessageFailed(Event):
    """A message will not be sent, or nobody knows whether it was."""

    delivery_id: UUID
    channel: str
    topic: str
    state: str
    reason: str


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
