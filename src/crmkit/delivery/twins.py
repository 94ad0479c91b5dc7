"""The same message queued to two contacts that are one person by now goes once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from crmkit.contacts import Contact
from crmkit.delivery.cases import Case, Verdict
from crmkit.messages import Delivery, DeliveryState, DeliveryStatus
from crmkit.sql.deliveries import read_twins

if TYPE_CHECKING:
    from crmkit.transaction import Transaction

#: The provider has it: whatever else was queued of the message is one too many.
_GONE = (DeliveryState.SENT, DeliveryState.PENDING)
#: It may still go: of several the one with the least id does.
_ALIVE = (DeliveryState.QUEUED, DeliveryState.CLAIMED, DeliveryState.HANDED)


def suppressed_twins(
    tx: Transaction, cases: Sequence[Case], contacts: Mapping[UUID, Contact]
) -> dict[UUID, Verdict]:
    """Return verdicts on deliveries whose message reaches the same person under another of the person's ids.

    Args:
        tx: the transaction.
        cases: deliveries that are about to be tried.
        contacts: whom they go to, by the ids under which they were queued.
    """
    verdicts: dict[UUID, Verdict] = {}
    for case in cases:
        delivery = case.status.delivery
        contact = contacts.get(delivery.contact_id) if delivery.contact_id else None
        if contact is None or not contact.merged or case.uncertain:
            continue
        twins = read_twins(tx.sql, delivery.channel, names_of(delivery, contact.ids))
        if first := next((one for one in twins if _comes_first(one, delivery)), None):
            reason = f"merged: the contact has this message as delivery {first.delivery.id}"
            verdicts[delivery.id] = Verdict(state=DeliveryState.SUPPRESSED, reason=reason)
    return verdicts


def names_of(delivery: Delivery, ids: Sequence[UUID]) -> list[tuple[str, str]]:
    """Return under which keys and recipients the same message may have been queued to other ids of the contact.

    Args:
        delivery: to a contact.
        ids: all ids of that contact.
    """
    assert delivery.contact_id is not None
    own = delivery.contact_id.hex  # ends the key of what was queued to many at once
    begin = delivery.key.removesuffix(own)
    many = begin != delivery.key
    return [(begin + id.hex if many else delivery.key, str(id)) for id in ids if id != delivery.contact_id]


def _comes_first(twin: DeliveryStatus, delivery: Delivery) -> bool:
    return twin.state in _GONE or (twin.state in _ALIVE and twin.delivery.id < delivery.id)
