"""tx.messages: what is queued to be sent once the transaction has committed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from crmkit.clock import FOREVER
from crmkit.contacts import Contact, ContactPoint
from crmkit.errors import KeyConflict, NotFound, ValueRefused
from crmkit.messages import Delivery, DeliveryState, DeliveryStatus, Message
from crmkit.sql import deliveries as rows
from crmkit.text import clean

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction

KEY_LIMIT = 200


class Messages:
    """Queues messages as deliveries and tells what became of them.

    Args:
        tx: the transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def queue(
        self,
        message: Message,
        *,
        channel: str,
        key: str,
        contact_id: UUID | None = None,
        to: ContactPoint | None = None,
    ) -> DeliveryStatus:
        """Queue a message; a replay returns the stored delivery.

        A delivery that cannot go for now (no such channel, no address) is held with that reason.

        Args:
            message: what to say.
            channel: over which channel.
            key: names this message for ever; at most one delivery is queued for a key, channel and recipient.
            contact_id: to whom.
            to: to which address, by default the contact's first of the channel's kind.

        Raises:
            KeyConflict: if the key stands for another message.
            ValueRefused: if neither a contact nor an address is given.
        """
        status = self._status(message, channel, key, contact_id, to)
        recipient = to.key if to is not None else str(contact_id)
        if rows.claim_delivery(self._tx.sql, status, recipient):
            return status
        stored = rows.claimed_delivery(self._tx.sql, status.delivery.key, channel, recipient)
        if not rows.same_message(stored, status):
            raise KeyConflict(key, stored=stored, given=status)
        return stored

    def queue_many(
        self, message: Message, *, channel: str, key: str, contact_ids: Sequence[UUID]
    ) -> Sequence[UUID]:
        """Queue one message to many contacts in bulk, all of them new under this key; return the deliveries' ids.

        Args:
            message: what to say.
            channel: over which channel.
            key: names this message for ever; each delivery's key is this one and the contact's id.
            contact_ids: to whom.

        Raises:
            NotFound: if one of the contacts does not exist; then nothing is queued.
            KeyConflict: if a contact was queued under the key before; then nothing is queued.
        """
        contacts = self._tx.contacts.get_many(contact_ids)
        for id in contact_ids:
            if id not in contacts:
                raise NotFound(f"no contact has the id {id}")
        if not contacts:
            return []
        keys = {id: f"{key}:{id.hex}" for id in contact_ids}
        first = next(iter(keys))
        shared = rows.shared_columns(
            self._status(message, channel, keys[first], first, None, contacts[first]), str(first)
        )
        queued = [
            shared | self._own_columns(channel, key, id, contacts[id], shared["queued_at"])
            for id, key in keys.items()
        ]
        if not rows.insert_deliveries(self._tx.sql, queued):
            given = f"{len(queued)} deliveries"
            raise KeyConflict(key, stored="a delivery to one of the contacts", given=given)
        return [row["id"] for row in queued]

    def get(self, id: UUID) -> DeliveryStatus:
        """Return what became of a delivery.

        Raises:
            NotFound: if there is none with that id.
        """
        found = rows.read_deliveries(self._tx.sql, [id]).get(id)
        if found is None:
            raise NotFound(f"no delivery has the id {id}")
        return found

    def list(self, *states: DeliveryState | str, limit: int = 100) -> Sequence[DeliveryStatus]:
        """Return deliveries in some states, oldest first.

        Args:
            states: which; all when none is named.
            limit: at most how many of each state.
        """
        wanted: Iterable[DeliveryState] = [DeliveryState(state) for state in states] or list(DeliveryState)
        return rows.list_deliveries(self._tx.sql, wanted, limit)

    def counts(self) -> dict[tuple[DeliveryState, str], int]:
        """Return how many deliveries stand in each state, for each reason."""
        return rows.count_deliveries(self._tx.sql)

    def _status(
        self,
        message: Message,
        channel: str,
        key: str,
        contact_id: UUID | None,
        to: ContactPoint | None,
        contact: Contact | None = None,
    ) -> DeliveryStatus:
        if contact_id is None and to is None:
            raise ValueRefused(f"message {key!r} goes to nobody; give contact_id or to")
        if contact is None and contact_id is not None:
            contact = self._tx.contacts.get(contact_id)
        address, problem = self._address(channel, contact, to)
        now = self._tx.now
        delivery = Delivery(
            id=self._tx.new_id(),
            key=clean(key, "message key", limit=KEY_LIMIT, empty=False),
            channel=clean(channel, "channel", limit=30, empty=False),
            address=address,
            name=contact.name if contact else "",
            contact_id=contact_id,
            topic=message.topic,
            subject=message.subject,
            text=message.text,
            html=message.html,
            locale=contact.locale if contact else "",
            headers=message.headers,
            attempt=0,
            repeat=message.repeat,
            queued_at=now,
        )
        return DeliveryStatus(
            delivery=delivery,
            state=DeliveryState.HELD if problem else DeliveryState.QUEUED,
            reason=problem,
            due_at=FOREVER if problem else now,
            expires_at=message.expires_at,
            template=message.template,
            data=message.data,
        )

    def _own_columns(
        self, channel: str, key: str, contact_id: UUID, contact: Contact, now: datetime
    ) -> dict[str, Any]:
        address, problem = self._address(channel, contact, None)
        return {
            "id": self._tx.new_id(),
            "key": key,
            "recipient": str(contact_id),
            "address": address,
            "contact_id": contact_id,
            "name": contact.name,
            "locale": contact.locale,
            "state": DeliveryState.HELD if problem else DeliveryState.QUEUED,
            "reason": problem,
            "due_at": FOREVER if problem else now,
        }

    def _address(self, channel: str, contact: Contact | None, to: ContactPoint | None) -> tuple[str, str]:
        owned = self._tx.crm.registry.channels.get(channel)
        if owned is None:
            return (to.value if to else ""), f"no channel {channel!r} is enabled"
        spec = owned.value.spec
        if to is not None:
            if to.kind is not spec.address_kind:
                raise ValueRefused(f"channel {channel!r} writes to {spec.address_kind} points, not to {to}")
            return to.value, ""
        point = contact.point(spec.address_kind, spec.scope) if contact else None
        return (point.value, "") if point else ("", f"the contact has no {spec.address_kind} point")
