"""What was queued to somebody who is erased does not go, and is cleared with the next run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from crmkit.delivery.cases import Case, Verdict
from crmkit.messages import DeliveryState
from crmkit.sql.erasures import clear_again
from crmkit.sql.layout.outbox import BY_ERASURE

if TYPE_CHECKING:
    from crmkit.transaction import Transaction


def erased_deliveries(tx: Transaction, cases: Sequence[Case]) -> dict[UUID, Verdict]:
    """Return verdicts on deliveries to contacts that were erased before they were queued, or meanwhile.

    Args:
        tx: the transaction.
        cases: deliveries that are about to be tried.
    """
    ids = {case.status.delivery.contact_id for case in cases}
    erased = clear_again(tx.sql, [id for id in ids if id is not None], tx.now)
    verdict = Verdict(state=DeliveryState.SUPPRESSED, reason=BY_ERASURE)
    return {case.status.delivery.id: verdict for case in cases if case.status.delivery.contact_id in erased}
