"""Taking due deliveries: in one short transaction a worker makes them its own for the time of a lease."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs

from crmkit.channels import Scope
from crmkit.consent import Standing
from crmkit.contacts import Contact
from crmkit.delivery.cases import HARMLESS, Case, Pause, Policy, Verdict, pause_for, resume_at
from crmkit.delivery.decide import admit
from crmkit.delivery.erased import erased_deliveries
from crmkit.delivery.permits import read_permits
from crmkit.delivery.twins import suppressed_twins
from crmkit.messages import DeliveryState
from crmkit.sql import outbox
from crmkit.sql.deliveries import read_delivery

if TYPE_CHECKING:
    from crmkit.crm import CRM
    from crmkit.transaction import Transaction

FIRST_SIZE = 100
#: After so many claims that ended without an answer a delivery is claimed alone: it may be what ends workers.
SUSPECT = 2


@attrs.frozen(kw_only=True)
class Claim:
    """Deliveries that are one worker's until its lease is over.

    Args:
        token: stands in each row; what is written later is written only where it still stands.
        at: when they were claimed.
        until: when the lease is over.
        tried: those that may be tried.
        decided: those of which it is known already what becomes of them.
        contacts: whom they go to, by id.
        standings: what is known of consents and suppressions, by the deliveries' ids.
        postponed: how many due deliveries a pause held up instead.
    """

    token: UUID
    at: datetime
    until: datetime
    tried: tuple[Case, ...] = ()
    decided: tuple[tuple[Case, Verdict], ...] = ()
    contacts: Mapping[UUID, Contact] = attrs.field(factory=dict)
    standings: Mapping[UUID, Standing] = attrs.field(factory=dict)
    postponed: int = 0

    @property
    def size(self) -> int:
        """How many deliveries it holds."""
        return len(self.tried) + len(self.decided)


class Claimer:
    """Claims batch after batch, each as large as the channels that were met last take.

    Args:
        crm: the CRM.
        lease: how long a claim holds.
        hold: why nothing is sent at all, or empty.
    """

    def __init__(self, crm: CRM, lease: timedelta, hold: str) -> None:
        self._crm = crm
        self._lease = lease
        self._hold = hold
        self._policy = Policy.of(crm.settings)
        self._size = FIRST_SIZE

    def next(self, limit: int) -> Claim | None:
        """Claim at most `limit` deliveries; None if none is due."""
        size = min(self._size, limit)
        return self._crm.transact(lambda tx: self._claim(tx, size))

    def _claim(self, tx: Transaction, size: int) -> Claim | None:
        now, token = tx.now, tx.new_id()
        rows = outbox.lock_due(tx.sql, now, size)
        if not rows:
            return None
        cases, later = self._unpaused(tx, [self._case(row) for row in rows], now)
        outbox.postpone(tx.sql, later)
        alone = {row.id for row in rows if row.claim is not None and row.attempt - 1 >= SUSPECT}
        cases = self._within_batches(_suspects_apart(cases, alone))
        verdicts = [admit(case, now=now, policy=self._policy, hold=self._hold) for case in cases]
        contacts = read_contacts(tx, [case for case, over in zip(cases, verdicts, strict=True) if not over])
        needless = suppressed_twins(tx, cases, contacts) | erased_deliveries(tx, cases)
        verdicts = [
            over or needless.get(case.status.delivery.id) for case, over in zip(cases, verdicts, strict=True)
        ]
        pairs = list(zip(cases, verdicts, strict=True))
        for state, ids in _states(pairs).items():
            outbox.claim(tx.sql, ids, state, token, now + self._lease)
        tried = tuple(case for case, verdict in pairs if verdict is None)
        return Claim(
            token=token,
            at=now,
            until=now + self._lease,
            tried=tried,
            decided=tuple((case, verdict) for case, verdict in pairs if verdict is not None),
            contacts=contacts,
            standings=read_permits(tx, tried, contacts),
            postponed=len(later),
        )

    def _case(self, row: Any) -> Case:
        status = read_delivery(row)
        owned = self._crm.registry.channels.get(status.delivery.channel)
        return Case(
            status=status,
            spec=owned.value.spec if owned else None,
            uncertain=status.state is DeliveryState.HANDED,
            polls=owned is not None and hasattr(owned.value, "poll"),
        )

    def _unpaused(
        self, tx: Transaction, cases: Sequence[Case], now: datetime
    ) -> tuple[Sequence[Case], dict[UUID, datetime]]:
        rows = outbox.read_pauses(tx.sql, {case.status.delivery.channel for case in cases}, now)
        if not rows or self._hold:
            return cases, {}
        pauses = [
            Pause(
                channel=row.channel,
                scope=Scope(row.scope),
                value=row.value,
                until=row.until,
                reason=row.reason,
            )
            for row in rows
        ]
        going, later = [], {}
        for case in cases:
            pause = pause_for(pauses, case, now)
            if pause is None:
                going.append(case)
            else:
                later[case.status.delivery.id] = resume_at(pause, now, random.random())
        return going, later

    def _within_batches(self, cases: Sequence[Case]) -> Sequence[Case]:
        """Leave what exceeds its channel's batch; ask next time for as many as the channels seen now take."""
        taken: Counter[str] = Counter()
        batches: dict[str, int] = {}
        chosen = []
        for case in cases:
            channel = case.status.delivery.channel
            batches[channel] = case.spec.batch if case.spec else FIRST_SIZE
            if taken[channel] < batches[channel]:
                taken[channel] += 1
                chosen.append(case)
        self._size = sum(batches.values()) or FIRST_SIZE
        return chosen


def _suspects_apart(cases: Sequence[Case], alone: set[UUID]) -> Sequence[Case]:
    if not alone or not cases:
        return cases
    if cases[0].status.delivery.id in alone:
        return cases[:1]
    return [case for case in cases if case.status.delivery.id not in alone]


def _states(pairs: Sequence[tuple[Case, Verdict | None]]) -> dict[DeliveryState, list[UUID]]:
    """Return the states that claimed rows get: one that is lost must tell whether it may have been sent."""
    found: dict[DeliveryState, list[UUID]] = {}
    for case, verdict in pairs:
        state = case.waiting if case.waiting is not DeliveryState.QUEUED else DeliveryState.CLAIMED
        if verdict is None and case.spec and case.spec.dedup in HARMLESS and state is DeliveryState.CLAIMED:
            state = DeliveryState.HANDED
        found.setdefault(state, []).append(case.status.delivery.id)
    return found


def read_contacts(tx: Transaction, cases: Sequence[Case]) -> Mapping[UUID, Contact]:
    """Return the contacts that deliveries go to, by id; those that do not exist are left out."""
    ids = {case.status.delivery.contact_id for case in cases} - {None}
    return tx.contacts.get_many(sorted(id for id in ids if id)) if ids else {}
