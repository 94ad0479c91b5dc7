"""Events: immutable facts in one log, which is the timeline, the audit trail and the source of signals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar
from uuid import UUID

import attrs

from crmkit.errors import ValueRefused

ACTOR_KINDS = ("staff", "contact", "system", "plugin")


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


def texts(value: Iterable[str]) -> tuple[str, ...]:
    """Return texts as a tuple: a converter of fields."""
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
        erased: whether its personal values were erased; they read as their defaults.
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
    erased: bool = attrs.field(default=False, eq=False)

    @property
    def type(self) -> str:
        """The event type's name."""
        return self.event.type if isinstance(self.event, UnknownEvent) else type(self.event).__name__
