"""Whose a link to unsubscribe is: the contact that it names, or whose the address is that it was sent to."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from crmkit.contacts import ContactPoint
from crmkit.contacts.keys import address_key
from crmkit.sql.deliveries import read_deliveries
from crmkit.tokens import Token
from crmkit.transaction.consent_answers import channel_address

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction


def addressee(tx: Transaction, said: Token) -> UUID | None:
    """Return whose a link is, if there is somebody; of one that names nobody, who has the address by now.

    Args:
        tx: the transaction.
        said: what the link says.
    """
    id = said.contact_id if said.contact_id is not None else _owner(tx, said.nonce)
    if id is None or not tx.contacts.get_many([id]):
        return None
    return id if tx.privacy.erased(id) is None else None


def _owner(tx: Transaction, delivery_id: UUID) -> UUID | None:
    sent = read_deliveries(tx.sql, [delivery_id]).get(delivery_id)
    if sent is None or not sent.delivery.address:
        return None
    kind, scope = channel_address(tx, sent.delivery.channel)
    if kind is None:
        return None
    address = sent.delivery.address
    owner = tx.contacts.find(ContactPoint(kind, scope, address_key(kind, address), address))
    return None if owner is None else owner.id
