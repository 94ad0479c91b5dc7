"""Messages: what is queued in the transaction, and what a channel is given to send."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

import attrs

from crmkit.clock import FOREVER, instant
from crmkit.errors import ValueRefused
from crmkit.purposes import SERVICE, purpose_name
from crmkit.text import clean

BODY_LIMIT = 1_000_000


class Repeat(StrEnum):
    """What to do when a send broke off and the provider cannot tell whether it happened."""

    AT_LEAST_ONCE = "at_least_once"
    AT_MOST_ONCE = "at_most_once"


class DeliveryState(StrEnum):
    """Where a delivery stands; everything from `SENT` on is settled."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    HANDED = "handed"
    HELD = "held"
    SENT = "sent"
    PENDING = "pending"
    REJECTED = "rejected"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    DEAD = "dead"


def _frozen(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(value))


def _headers(value: Mapping[str, str]) -> Mapping[str, str]:
    checked = {
        clean(name, "header name", limit=76, empty=False): clean(text, f"header {name}", limit=998)
        for name, text in value.items()
    }
    for name in checked:
        if not name.isascii() or any(char in name for char in ": \t"):
            raise ValueRefused(f"header name {name!r} must be ASCII without colon or space")
    return _frozen(checked)


def _topic(value: str) -> str:
    return clean(value, "topic", limit=100, empty=False)


def _subject(value: str) -> str:
    return clean(value, "subject", limit=500)


def _text(value: str) -> str:
    return clean(value, "text", limit=BODY_LIMIT, multiline=True)


def _html(value: str) -> str:
    return clean(value, "html", limit=BODY_LIMIT, multiline=True)


def _template(value: str) -> str:
    return clean(value, "template", limit=100)


def _expires_at(value: datetime) -> datetime:
    return instant(value, "expires_at")


@attrs.frozen(kw_only=True)
class Message:
    """What is to be said: literal texts, or the name of a template with its data.

    Args:
        topic: what it is about ("thank-you", "receipt").
        purpose: what it is sent for, one of the settings' purposes; consent and suppression go by it.
        subject: one line; channels without subjects ignore it.
        text: the plain text.
        html: the same for mail readers that show HTML, or empty.
        template: name of a template whose rendering at sending time gives subject, text and html.
        data: plain values (text, numbers, lists, mappings) that the template reads.
        headers: further headers, for channels that have them.
        repeat: what to do when nobody can tell whether a send happened.
        expires_at: the instant from which it is dropped rather than sent late.

    Raises:
        ValueRefused: if it says nothing, or has both a template and literal texts.
    """

    topic: str = attrs.field(converter=_topic)
    purpose: str = attrs.field(default=SERVICE, converter=purpose_name)
    subject: str = attrs.field(default="", converter=_subject)
    text: str = attrs.field(default="", converter=_text)
    html: str = attrs.field(default="", converter=_html)
    template: str = attrs.field(default="", converter=_template)
    data: Mapping[str, Any] = attrs.field(factory=dict, converter=_frozen)
    headers: Mapping[str, str] = attrs.field(factory=dict, converter=_headers)
    repeat: Repeat = attrs.field(default=Repeat.AT_LEAST_ONCE, converter=Repeat)
    expires_at: datetime = attrs.field(default=FOREVER, converter=_expires_at)

    def __attrs_post_init__(self) -> None:
        literal = bool(self.text or self.html)
        if literal == bool(self.template):
            raise ValueRefused(
                f"message on topic {self.topic!r} needs either text (and html) or a template, "
                + ("not both" if literal else "it has neither")
            )


@attrs.frozen(kw_only=True)
class Delivery:
    """One message to one address over one channel, as plain data.

    Args:
        id: its id; stable over attempts, also the key that a provider may deduplicate by.
        key: the caller's key.
        channel: the channel's name.
        address: where it goes, in the channel's own form.
        name: the recipient's display name, or empty.
        contact_id: the contact it belongs to, if any.
        topic: as in the message.
        purpose: as in the message.
        subject: rendered.
        text: rendered.
        html: rendered, or empty.
        locale: the contact's language, or empty.
        headers: further headers.
        attempt: 1 at the first try.
        repeat: what to do when nobody can tell whether a send happened.
        queued_at: when it was queued.
    """

    id: UUID
    key: str
    channel: str
    address: str
    topic: str
    purpose: str = SERVICE
    name: str = ""
    contact_id: UUID | None = None
    subject: str = ""
    text: str = ""
    html: str = ""
    locale: str = ""
    headers: Mapping[str, str] = attrs.field(factory=dict, converter=_frozen)
    attempt: int = 1
    repeat: Repeat = Repeat.AT_LEAST_ONCE
    queued_at: datetime


@attrs.frozen(kw_only=True)
class DeliveryStatus:
    """What the database holds of a delivery.

    Args:
        delivery: the delivery, its templates not rendered.
        state: where it stands.
        reason: why it is held, rejected, suppressed or dead; empty else.
        due_at: the next instant at which a worker may look at it; the end of time once settled.
        expires_at: the instant from which it is dropped.
        provider_id: the provider's id of it, or empty.
        template: the template's name, or empty.
        data: the template's data.
    """

    delivery: Delivery
    state: DeliveryState
    reason: str
    due_at: datetime
    expires_at: datetime
    provider_id: str = ""
    template: str = ""
    data: Mapping[str, Any] = attrs.field(factory=dict, converter=_frozen)
