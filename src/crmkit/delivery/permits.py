"""Whether deliveries may go as consents and suppressions stand: read for a batch at once, decided for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from crmkit.consent import NOTHING_KNOWN, Refused, Standing, may_send, present
from crmkit.contacts import Contact
from crmkit.delivery.cases import Case, Verdict
from crmkit.messages import DeliveryState
from crmkit.transaction.standings import Asked, SentDigests, read_standings

if TYPE_CHECKING:
    from crmkit.crm import CRM
    from crmkit.transaction import Transaction


def read_permits(
    tx: Transaction, cases: Sequence[Case], contacts: Mapping[UUID, Contact]
) -> dict[UUID, Standing]:
    """Return what is known of those whom deliveries go to, by the deliveries' ids.

    Args:
        tx: a transaction.
        cases: the deliveries.
        contacts: whom they go to, as just read.
    """
    if not cases:
        return {}
    digests, purposes = SentDigests(tx.crm, tx.crm.secret.within(tx.sql)), tx.crm.settings.purposes
    asked = {}
    for case in cases:
        delivery = case.status.delivery
        purpose = purposes.get(delivery.purpose)
        asked[delivery.id] = Asked(
            delivery.contact_id,
            digests.of(delivery.channel, delivery.address),
            consents=purpose is not None and purpose.is_optional,
            gone=delivery.contact_id is not None and delivery.contact_id not in contacts,
        )
    return read_standings(tx, asked)


def refusal(crm: CRM, case: Case, standing: Standing = NOTHING_KNOWN) -> Verdict | None:
    """Return the verdict on a delivery that may not go now; None if it may.

    Args:
        crm: the CRM.
        case: the delivery.
        standing: what is known of whom it goes to.
    """
    delivery = case.status.delivery
    purpose = crm.settings.purposes.get(delivery.purpose)
    if purpose is None:  # nobody can say on what ground it would go
        reason = f"no purpose {delivery.purpose!r} is in the settings any more"
        return Verdict(state=DeliveryState.HELD, reason=reason, attempt=delivery.attempt - 1)
    decision = may_send(purpose, delivery.channel, standing, present(standing, crm.clock()))
    if isinstance(decision, Refused):
        return Verdict(state=DeliveryState.SUPPRESSED, reason=f"consent: {decision.why}")
    return None
