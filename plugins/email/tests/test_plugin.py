"""What the plugin brings to a CRM."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import attrs
import pytest

from crmkit import (
    ContactAdded,
    Event,
    LogEntry,
    Message,
    Money,
    OrderPaid,
    Reaction,
)
from crmkit_email import EmailPlugin, EmailSettings, SmtpChannel

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANNA = UUID(int=1)


@attrs.define
class Queue:
    """Stands for the transaction: keeps what is queued."""

    queued: list[tuple[Message, dict[str, Any]]] = attrs.field(factory=list)

    @property
    def messages(self) -> Queue:
        """Itself, where a transaction has its messages."""
        return self

    def queue(self, message: Message, **how: Any) -> None:
        """Keep it."""
        self.queued.append((message, how))


def entry(event: Event, contact_id: UUID | None = ANNA) -> LogEntry:
    """Return an event as it stands in the log."""
    return LogEntry(
        id=UUID(int=2),
        event=event,
        key="k",
        contact_id=contact_id,
        subject_id=None,
        actor="system",
        cause_id=None,
        occurred_at=NOW,
        recorded_at=NOW,
    )


def paid(key: str = "o-1") -> OrderPaid:
    """Return the event of a paid order."""
    return OrderPaid(order_key=key, amount=Money(1250, "GBP"))


@pytest.fixture
def plugin(make_settings: Callable[..., EmailSettings]) -> EmailPlugin:
    """The plugin with its defaults."""
    return EmailPlugin(make_settings())


def test_it_brings_one_channel(plugin: EmailPlugin) -> None:
    (channel,) = plugin.crmkit_channels()
    assert isinstance(channel, SmtpChannel)


def test_it_reacts_to_paid_orders_unless_told_not_to(
    plugin: EmailPlugin, make_settings: Callable[..., EmailSettings]
) -> None:
    assert list(plugin.crmkit_reactions()) == [Reaction(OrderPaid, plugin.thank)]
    assert list(EmailPlugin(make_settings(thank_you=False)).crmkit_reactions()) == []


def test_it_thanks_under_a_key_that_the_order_gives(plugin: EmailPlugin) -> None:
    tx: Any = Queue()
    plugin.thank(tx, entry(paid("o-1")))
    ((message, how),) = tx.queued
    assert how == {"channel": "email", "key": "thank-you:o-1", "contact_id": ANNA}
    assert (message.topic, message.template) == ("thank-you", "thank-you")


@pytest.mark.parametrize("event", [entry(paid(), None), entry(ContactAdded(name="Anna"))])
def test_it_thanks_nobody_for_anything_else(event: LogEntry, plugin: EmailPlugin) -> None:
    tx: Any = Queue()
    plugin.thank(tx, event)
    assert tx.queued == []


def test_the_template_fills_in_what_the_message_brings(plugin: EmailPlugin) -> None:
    tx: Any = Queue()
    plugin.thank(tx, entry(paid("o-1")))
    (template,) = plugin.crmkit_templates()
    assert tx.queued[0][0].data == {"order": "o-1", "amount": "12.50 GBP"}
    for part in (template.text, template.html):
        assert set(re.findall(r"{{ (\w+) }}", part)) == {"order", "amount"}
