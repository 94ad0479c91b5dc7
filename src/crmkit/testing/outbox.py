"""What is queued, held and sent, as plain values for a host's own tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import UUID

import attrs
from sqlalchemy.exc import TimeoutError

from crmkit.contacts import Contact
from crmkit.crm import CRM
from crmkit.delivery.prepare import rendered_delivery
from crmkit.errors import TransactionError
from crmkit.messages import Delivery, DeliveryState, DeliveryStatus
from crmkit.transaction import Transaction

#: More than a test queues.
_LIMIT = 10_000


@attrs.frozen(kw_only=True)
class OutboxMessage:
    """A message as it was queued, its template filled in.

    Args:
        channel: over which channel it goes.
        address: where it goes, empty if it is held for the lack of one.
        topic: what it is about.
        subject: one line.
        text: the plain text; what is wrong with the template, if it cannot be filled in.
        html: the same for mail readers that show HTML, or empty.
        state: where it stands.
        reason: why it is held, rejected or suppressed.
        key: the caller's key.
        name: whom it goes to.
        contact_id: the contact, if any.
        template: the template's name, or empty.
        data: the template's data.
    """

    channel: str
    address: str
    topic: str
    subject: str
    text: str
    html: str
    state: DeliveryState
    reason: str
    key: str
    name: str
    contact_id: UUID | None
    template: str
    data: Mapping[str, Any]

    def __str__(self) -> str:
        reason = f" ({self.reason})" if self.reason else ""
        address = self.address or "nobody"
        return f"{self.state}{reason}: {self.topic} to {address} over {self.channel}: {self.subject!r}"


@attrs.frozen(repr=False)
class Outbox:
    """Messages, the oldest first; each method gives a smaller outbox.

    Args:
        messages: all of them.
    """

    messages: tuple[OutboxMessage, ...]

    @property
    def queued(self) -> Outbox:
        """Those that wait to be sent."""
        return self._where(lambda one: one.state is DeliveryState.QUEUED)

    @property
    def held(self) -> Outbox:
        """Those that wait for somebody, each with its `reason`."""
        return self._where(lambda one: one.state is DeliveryState.HELD)

    @property
    def sent(self) -> Outbox:
        """Those that a provider took."""
        return self._where(lambda one: one.state is DeliveryState.SENT)

    def to(self, address: str) -> Outbox:
        """Return the messages to an address, whatever its case.

        Args:
            address: an address, or the id of a contact as text.
        """
        wanted = address.casefold()
        return self._where(lambda one: wanted in (one.address.casefold(), str(one.contact_id)))

    def over(self, channel: str) -> Outbox:
        """Return the messages over a channel."""
        return self._where(lambda one: one.channel == channel)

    def about(self, topic: str) -> Outbox:
        """Return the messages on a topic."""
        return self._where(lambda one: one.topic == topic)

    def only(self) -> OutboxMessage:
        """Return the one message that there is.

        Raises:
            AssertionError: if there is none or several; it lists them.
        """
        if len(self.messages) != 1:
            raise AssertionError(f"expected one message, found {self!r}")
        return self.messages[0]

    def __iter__(self) -> Iterator[OutboxMessage]:
        return iter(self.messages)

    def __len__(self) -> int:
        return len(self.messages)

    def __getitem__(self, place: int) -> OutboxMessage:
        return self.messages[place]

    def __repr__(self) -> str:
        lines = "".join(f"\n  {message}" for message in self.messages)
        return f"<Outbox of {len(self.messages)}{':' if lines else ''}{lines}>"

    def _where(self, wanted: Callable[[OutboxMessage], bool]) -> Outbox:
        return Outbox(tuple(message for message in self.messages if wanted(message)))


def outbox(source: CRM | Transaction) -> Outbox:
    """Return every message that was queued, sent ones included.

    Args:
        source: a CRM, for what is committed; a transaction, for what it sees.

    Raises:
        TransactionError: if a CRM in memory has a transaction open; give that one.
    """
    if isinstance(source, Transaction):
        return _read(source)
    try:
        with source.engine.connect() as connection:
            return _read(Transaction(source, connection, "system"))
    except TimeoutError:
        raise TransactionError(
            "the CRM's one connection is in use by an open transaction; call outbox(tx) in it, or outbox(crm) after it"
        ) from None


def _read(tx: Transaction) -> Outbox:
    statuses = tx.messages.list(*DeliveryState, limit=_LIMIT)
    wanted = [status.delivery.contact_id for status in statuses]
    contacts = tx.contacts.get_many([id for id in wanted if id is not None])
    to = [None if id is None else contacts.get(id) for id in wanted]
    return Outbox(
        tuple(_message(tx.crm, status, contact) for status, contact in zip(statuses, to, strict=True))
    )


def _message(crm: CRM, status: DeliveryStatus, contact: Contact | None) -> OutboxMessage:
    delivery, rendered = status.delivery, rendered_delivery(crm, status, contact)
    texts = rendered if isinstance(rendered, Delivery) else attrs.evolve(delivery, text=rendered.reason)
    return OutboxMessage(
        channel=delivery.channel,
        address=delivery.address,
        topic=delivery.topic,
        subject=texts.subject,
        text=texts.text,
        html=texts.html,
        state=status.state,
        reason=status.reason,
        key=delivery.key,
        name=delivery.name,
        contact_id=delivery.contact_id,
        template=status.template,
        data=status.data,
    )
