"""tx.messages: what is queued to be sent once the transaction has committed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import attrs

from crmkit.clock import FOREVER
from crmkit.consent import Allowed, Refused, known_purpose, may_send, present
from crmkit.contacts import Contact, ContactPoint
from crmkit.errors import KeyConflict, NotFound, RetryTransaction, ValueRefused
from crmkit.messages import Delivery, DeliveryState, DeliveryStatus, Message
from crmkit.purposes import Purpose
from crmkit.sql import deliveries as rows
from crmkit.sql.erasures import clear_again
from crmkit.text import clean
from crmkit.transaction.standings import Asked, SentDigests, read_standings

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction

KEY_LIMIT = 200

Asker = TypeVar("Asker", UUID, UUID | None)


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

        A delivery that cannot go for now (no such channel, no address) is held with that reason. One that the
        contact has not allowed is suppressed with that reason; what is allowed now is asked again before it is sent.

        Args:
            message: what to say.
            channel: over which channel.
            key: names this message for ever; at most one delivery is queued for a key, channel and recipient.
            contact_id: to whom.
            to: to which address, by default the contact's first of the channel's kind.

        Raises:
            KeyConflict: if the key stands for another message.
            ValueRefused: if neither a contact nor an address is given, or the purpose is unknown.
        """
        contact = self._tx.contacts.get(contact_id) if contact_id is not None else None
        status = self._status(message, channel, key, contact_id, to, contact)
        recipient = to.key if to is not None else str(contact_id)
        ids = contact.ids if to is None and contact is not None and contact.merged else ()
        if ids and (twin := self._queued_before_merge(status, ids)):
            return twin
        if rows.claim_delivery(self._tx.sql, status, recipient):
            if status.state is not DeliveryState.QUEUED and contact_id is not None:
                clear_again(self._tx.sql, [contact_id], self._tx.now)  # no worker will see that it was erased
            return status
        stored = rows.claimed_delivery(self._tx.sql, status.delivery.key, channel, recipient)
        if not rows.same_message(stored, status):
            raise KeyConflict(key, stored=stored, given=status)
        return stored

    def queue_many(
        self, message: Message, *, channel: str, key: str, contact_ids: Sequence[UUID]
    ) -> Sequence[UUID]:
        """Queue one message to many contacts in bulk and return the deliveries' ids, in the order of the contacts.

        To whom it was queued before under this key it is not queued again; a replay returns the stored ids.

        Args:
            message: what to say.
            channel: over which channel.
            key: names this message for ever; each delivery's key is this one and the contact's id.
            contact_ids: to whom.

        Raises:
            NotFound: if one of the contacts does not exist; then nothing is queued.
            KeyConflict: if another message was queued under the key; then nothing is queued.
        """
        contacts = self._tx.contacts.get_many(contact_ids)
        for id in contact_ids:
            if id not in contacts:
                raise NotFound(f"no contact has the id {id}")
        if not contacts:
            return []
        people = {
            contacts[id].id: id for id in reversed(contact_ids)
        }  # one delivery a person, to the first id
        keys = {id: f"{key}:{id.hex}" for id in dict.fromkeys(contact_ids) if people[contacts[id].id] == id}
        first = next(iter(keys))
        start = self._status(message, channel, keys[first], first, None, contacts[first])
        shared = rows.shared_columns(start, str(first))
        answers = self._answers(message, channel, {id: contacts[id] for id in keys})
        queued = {
            id: shared | self._own_columns(channel, key, id, contacts[id], answers[id], start)
            for id, key in keys.items()
        }
        unsent = [id for id, row in queued.items() if row["state"] is not DeliveryState.QUEUED]
        clear_again(self._tx.sql, unsent, self._tx.now)
        if rows.insert_deliveries(self._tx.sql, list(queued.values())):
            return [row["id"] for row in queued.values()]
        return self._queue_rest(key, channel, start, queued)

    def _queue_rest(
        self, key: str, channel: str, given: DeliveryStatus, queued: Mapping[UUID, dict[str, Any]]
    ) -> Sequence[UUID]:
        """Queue a message to those of many contacts to whom it was not queued before, if it is the same message."""
        stored = rows.deliveries_by_key(self._tx.sql, [row["key"] for row in queued.values()], channel)
        for stored_key, status in stored.items():
            there = attrs.evolve(given.delivery, key=stored_key, contact_id=status.delivery.contact_id)
            like = attrs.evolve(given, delivery=there)
            if not rows.same_message(status, like):
                raise KeyConflict(key, stored=status, given=like)
        rest = [row for row in queued.values() if row["key"] not in stored]
        if not rows.insert_deliveries(self._tx.sql, rest):
            raise RetryTransaction(f"messages under {key!r} were queued by a transaction not visible yet")
        return [
            stored[row["key"]].delivery.id if row["key"] in stored else row["id"] for row in queued.values()
        ]

    def _answers(
        self, message: Message, channel: str, contacts: Mapping[UUID, Contact]
    ) -> Mapping[UUID, Allowed | Refused]:
        """Return whether a message may go to each of many contacts; what nobody can refuse is asked when it is sent."""
        purpose = known_purpose(self._tx.crm.settings.purposes, message.purpose)
        if not purpose.is_optional:
            return dict.fromkeys(contacts, Allowed(basis=purpose.basis))
        addresses = {id: self._address(channel, contact, None)[0] for id, contact in contacts.items()}
        return self._asked(purpose, channel, addresses)

    def _answer(
        self, message: Message, channel: str, contact_id: UUID | None, address: str
    ) -> Allowed | Refused:
        purpose = known_purpose(self._tx.crm.settings.purposes, message.purpose)
        if not purpose.is_optional:
            return Allowed(basis=purpose.basis)
        return self._asked(purpose, channel, {contact_id: address})[contact_id]

    def _asked(
        self, purpose: Purpose, channel: str, addresses: Mapping[Asker, str]
    ) -> dict[Asker, Allowed | Refused]:
        digests, now = SentDigests(self._tx.crm, self._tx.crm.secret.within(self._tx.sql)), self._tx.now
        asked = {
            id: Asked(id, digests.of(channel, address), consents=True) for id, address in addresses.items()
        }
        standings = read_standings(self._tx, asked)
        return {
            id: may_send(purpose, channel, standings[id], present(standings[id], now)) for id in addresses
        }

    def _queued_before_merge(self, status: DeliveryStatus, ids: Sequence[UUID]) -> DeliveryStatus | None:
        """Return the delivery of the same message to another id of the contact, if this one has none."""
        given = status.delivery
        names = [(given.key, str(id)) for id in ids]
        twins = {one.delivery.contact_id: one for one in rows.read_twins(self._tx.sql, given.channel, names)}
        if given.contact_id in twins:
            return None
        for twin in twins.values():
            same = attrs.evolve(twin, delivery=attrs.evolve(twin.delivery, contact_id=given.contact_id))
            if rows.same_message(same, status):
                return twin
        return None

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
        state, problem = _first_state(problem, self._answer(message, channel, contact_id, address))
        now = self._tx.now
        delivery = Delivery(
            id=self._tx.new_id(),
            key=clean(key, "message key", limit=KEY_LIMIT, empty=False),
            channel=clean(channel, "channel", limit=30, empty=False),
            address=address,
            name=contact.name if contact else "",
            contact_id=contact_id,
            topic=message.topic,
            purpose=message.purpose,
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
            state=state,
            reason=problem,
            due_at=FOREVER if problem else now,
            expires_at=message.expires_at,
            template=message.template,
            data=message.data,
        )

    def _own_columns(
        self,
        channel: str,
        key: str,
        contact_id: UUID,
        contact: Contact,
        answer: Allowed | Refused,
        like: DeliveryStatus,
    ) -> dict[str, Any]:
        address, problem = self._address(channel, contact, None)
        state, problem = _first_state(problem, answer)
        return {
            "id": self._tx.new_id(),
            "key": key,
            "recipient": str(contact_id),
            "address": address,
            "contact_id": contact_id,
            "name": contact.name,
            "locale": contact.locale,
            "state": state,
            "reason": problem,
            "due_at": FOREVER if problem else like.delivery.queued_at,
        }

    def _address(self, channel: str, contact: Contact | None, to: ContactPoint | None) -> tuple[str, str]:
        owned = self._tx.crm.registry.channels.get(channel)
        if owned is None:
            return (to.value if to else ""), f"no channel {channel!r} is enabled"
        spec = owned.value.spec
        if to is not None:
            if to.kind is not spec.address_kind or spec.scope not in ("", to.scope):
                kind = f"{spec.address_kind} {spec.scope}".strip()
                raise ValueRefused(f"channel {channel!r} writes to {kind} points, not to {to}")
            return to.value, ""
        point = contact.point(spec.address_kind, spec.scope) if contact else None
        return (point.value, "") if point else ("", f"the contact has no {spec.address_kind} point")


def _first_state(problem: str, answer: Allowed | Refused) -> tuple[DeliveryState, str]:
    """Return in which state a delivery begins, and why it does not begin queued."""
    if isinstance(answer, Refused):
        return DeliveryState.SUPPRESSED, f"consent: {answer.why}"
    return (DeliveryState.HELD, problem) if problem else (DeliveryState.QUEUED, "")
