"""Tiers(tx): what a member has reached, since when and until when, and what is missing to the next tier."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import attrs

from crmkit import LogEntry, Transaction
from crmkit_loyalty.configured import settings_of
from crmkit_loyalty.locks import lock
from crmkit_loyalty.periods import local_day
from crmkit_loyalty.tiers.events import TierChanged
from crmkit_loyalty.tiers.qualifying import qualifying
from crmkit_loyalty.tiers.settings import Tier, Window
from crmkit_loyalty.tiers.store import TierStore
from crmkit_loyalty.tiers.timeline import Span, amount_at, span_at, timeline
from crmkit_loyalty.triggers import tell


@attrs.frozen(kw_only=True)
class Standing:
    """The tier that a member has for a time.

    Args:
        tier: which one, or None.
        since: from when on.
        until: until before when, if nothing more is earned.
    """

    tier: Tier | None
    since: datetime
    until: datetime


@attrs.frozen(kw_only=True)
class Progress:
    """How far it is to the next tier.

    Args:
        amount: what qualifies now.
        next: the tier after the one that this amount qualifies for, or None.
        missing: how much more it takes.
    """

    amount: int
    next: Tier | None
    missing: int


class Tiers:
    """Answers which tier a member has; each evaluation gives the same, however often and in whatever order.

    Args:
        tx: a transaction of a CRM that has the loyalty plugin.

    Raises:
        ConfigError: if it has not.
    """

    def __init__(self, tx: Transaction) -> None:
        settings = settings_of(tx, "Tiers")
        self._settings, self._zone = settings.tiers, settings.zone
        self._tx = tx
        self._store = TierStore(tx)

    def of(self, contact_id: UUID, at: datetime | None = None) -> Tier | None:
        """Return the tier that a contact has, or None.

        Args:
            contact_id: whose.
            at: when; now by default.
        """
        standing = self.standing(contact_id, at)
        return standing.tier if standing else None

    def standing(self, contact_id: UUID, at: datetime | None = None) -> Standing | None:
        """Return the tier that a contact has with its dates; None for whoever was never evaluated."""
        _, spans = self._store.spans(self._tx.contacts.ids(contact_id))
        return self._standing(span_at(spans, at or self._tx.now)) if spans else None

    def history(self, contact_id: UUID) -> list[Standing]:
        """Return the tiers that a contact had, has and will have if nothing more is earned, the earliest first."""
        _, spans = self._store.spans(self._tx.contacts.ids(contact_id))
        return [self._standing(span) for span in spans]

    def progress(self, contact_id: UUID) -> Progress:
        """Return how much qualifies now, and what is missing to the next tier."""
        found = qualifying(self._tx, self._tx.contacts.ids(contact_id), self._settings)
        amount = amount_at(found, self._settings, self._zone, self._tx.now)
        above = [level for level in self._settings.levels if level.threshold > amount]
        missing = above[0].threshold - amount if above else 0
        return Progress(amount=amount, next=above[0] if above else None, missing=missing)

    def evaluate(self, contact_id: UUID, cause: LogEntry | None = None) -> Tier | None:
        """Find out which tier a contact has, and tell the log and the rules if it is another one than before.

        Args:
            contact_id: whose.
            cause: the event that caused it, if any.
        """
        ids = self._tx.contacts.ids(contact_id)
        with self._tx.sql.isolated():
            lock(self._tx, *(f"tier:{id}" for id in ids))
            found = qualifying(self._tx, ids, self._settings, locked=True)
            spans, store = timeline(found, self._settings, self._zone), TierStore(self._tx, locked=True)
            number, before = store.spans(ids)
            standing = store.standing(ids) or {"told": "", "mark": ""}
            if spans != before or standing["mark"] != self._settings.mark:
                store.write(ids[0], number + 1, spans, self._settings)
            present = span_at(spans, self._tx.now)
            told, name = standing["told"], self._settings.name(present.rank)
            store.stand(ids, self._settings.mark, name, present.until_at)
            if told != name:
                self._tell(ids, told, present, cause)
        return self._standing(present).tier

    def _tell(self, ids: Sequence[UUID], before: str, present: Span, cause: LogEntry | None) -> None:
        after = self._settings.name(present.rank)
        event = TierChanged(before=before, after=after, since=present.from_at)
        self._tx.events.append(event, contact_id=ids[0], subject_id=ids[0], cause=cause)
        names = ["", *(level.name for level in self._settings.levels)]
        is_up = before not in names or names.index(after) > names.index(before)
        way = "up" if is_up else "down"
        payload = {"before": before, "after": after, "way": way}
        tell(self._tx, "tier.changed", ids[0], key=f"{way} to {after}:{self._period()}", payload=payload)

    def _period(self) -> str:
        """What a tier is rewarded once in: a year, unless it is reached for a lifetime."""
        lifetime = self._settings.window is Window.LIFETIME
        return "ever" if lifetime else str(local_day(self._tx.now, self._zone).year)

    def _standing(self, span: Span) -> Standing:
        tier = self._settings.levels[span.rank] if 0 <= span.rank < len(self._settings.levels) else None
        return Standing(tier=tier, since=span.from_at, until=span.until_at)
