"""What somebody has refused outlives the erasure: it is kept with the digests of the addresses, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from crmkit.consent import ConsentEntry, ConsentState, Suppression, SuppressionReason, in_force
from crmkit.contacts import Contact
from crmkit.contacts.keys import point_digest
from crmkit.sql.persons import is_shared

if TYPE_CHECKING:
    from crmkit.transaction import Transaction

SOURCE = "refused before an erasure"


def keep_refusals(tx: Transaction, contact: Contact) -> None:
    """Suppress the addresses of somebody who is about to be erased for what was refused.

    Else whoever imports an old list would write again to somebody who asked for both, to be left alone and to be
    erased. Addresses that another contact has as well are left out.

    Args:
        tx: the transaction.
        contact: as it still is.
    """
    refused = list(_refused(tx.consents.history(contact.id), tx.now))
    if not refused:
        return
    secret = tx.crm.secret.within(tx.sql)
    for point in contact.points:
        if is_shared(tx.sql, point, contact.ids):
            continue
        holding = tx.suppressions.find(point)
        for one in refused:
            if not any(_covers(there, one) for there in holding):
                tx.suppressions.add_digest(
                    point_digest(secret, point),
                    SuppressionReason.UNSUBSCRIBE,
                    purpose=one.purpose,
                    channel=one.channel,
                    source=SOURCE,
                    at=one.at,
                    contact_id=contact.id,
                )


def _refused(entries: Iterable[ConsentEntry], now: datetime) -> Iterator[ConsentEntry]:
    """Yield the refusals that are the last word on what they are about, those for later included."""
    said = list(entries)
    at = max([now, *(one.at for one in said)])
    for purpose, channel in dict.fromkeys((one.purpose, one.channel) for one in said):
        counted = [
            one for one in in_force(said, purpose, channel, at) if one.state is not ConsentState.PENDING
        ]
        if counted and counted[-1].state is ConsentState.WITHDRAWN:
            last = counted[-1]
            if (last.purpose, last.channel) == (purpose, channel):
                yield last


def _covers(there: Suppression, one: ConsentEntry) -> bool:
    return (
        there.reason is SuppressionReason.UNSUBSCRIBE
        and there.purpose in ("", one.purpose)
        and there.channel in ("", one.channel)
    )
