"""When tiers are evaluated: with what changes what qualifies, and when time has passed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from crmkit import (
    CRM,
    ContactsMerged,
    ContactsUnmerged,
    Event,
    LogEntry,
    OrderAmended,
    OrderCancelled,
    OrderPaid,
    OrderRefunded,
    Reaction,
    Transaction,
)
from crmkit_loyalty.events import PointsClawedBack, PointsEarned, PointsGranted
from crmkit_loyalty.tiers.qualifying import members
from crmkit_loyalty.tiers.service import Tiers
from crmkit_loyalty.tiers.settings import Measure, TierSettings
from crmkit_loyalty.tiers.store import TierStore

PAGE = 200

_ORDERS: tuple[type[Event], ...] = (OrderPaid, OrderAmended, OrderRefunded, OrderCancelled)
_UNITS: tuple[type[Event], ...] = (PointsEarned, PointsClawedBack, PointsGranted)


def reactions(settings: TierSettings, *more: type[Event]) -> list[Reaction]:
    """Return what evaluates tiers; it is essential, for rules ask which tier a member has.

    Args:
        settings: the tiers; without any nothing is done.
        more: further events that concern members.
    """
    if not settings.levels:
        return []
    watched = _UNITS if settings.measure is Measure.UNITS else _ORDERS
    merges = [Reaction(one, on_merge, essential=True) for one in (ContactsMerged, ContactsUnmerged)]
    return [Reaction(one, on_change, essential=True) for one in (*watched, *more)] + merges


def on_change(tx: Transaction, entry: LogEntry) -> None:
    """Evaluate whom an event concerns."""
    if entry.contact_id is not None:
        Tiers(tx).evaluate(entry.contact_id, entry)


def on_merge(tx: Transaction, entry: LogEntry) -> None:
    """Evaluate both contacts of a merge, as one or as two."""
    event = entry.event
    assert isinstance(event, (ContactsMerged, ContactsUnmerged))
    both = (event.loser_id, event.into_id)
    known = [id for id in both if TierStore(tx).standing(tx.contacts.ids(id)) is not None]
    for id in dict.fromkeys(tx.contacts.ids(id)[0] for id in known):
        Tiers(tx).evaluate(id, entry)


def evaluate_due(crm: CRM) -> int:
    """Evaluate the contacts whose tier has changed by the passing of time; return how many."""
    count, page = 0, PAGE
    while page == PAGE:
        found = crm.transact(lambda tx: TierStore(tx).due(tx.now, PAGE))
        page = _evaluate(crm, found)
        count += page
    return count


def evaluate_unmarked(crm: CRM, settings: TierSettings) -> int:
    """Evaluate the contacts that were never evaluated under these settings; return how many.

    They are those of an imported past, and all of them after the settings have changed.
    """
    count, after = 0, None
    while found := crm.transact(partial(members, settings=settings, after=after, limit=PAGE)):
        after = found[-1]
        count += _evaluate(crm, crm.transact(partial(_unmarked, ids=found, mark=settings.mark)))
    return count


def _evaluate(crm: CRM, ids: Sequence[UUID]) -> int:
    for id in ids:
        crm.transact(partial(_evaluated, id=id))
    return len(ids)


def _evaluated(tx: Transaction, id: UUID) -> None:
    Tiers(tx).evaluate(id)


def _unmarked(tx: Transaction, ids: Sequence[UUID], mark: str) -> list[UUID]:
    marked = TierStore(tx).marked(ids, mark)
    return [id for id in ids if id not in marked]
