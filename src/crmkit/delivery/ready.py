"""Up to the hand-off: leases kept, contacts fresh, open fates asked about, checks made, texts filled in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import attrs

from crmkit.channels import Dedup, Deferred, Outcome, Unknown
from crmkit.consent import Standing
from crmkit.contacts import Contact
from crmkit.delivery.cases import Case, Verdict
from crmkit.delivery.claim import Claim, read_contacts
from crmkit.delivery.decide import admit, fault_of
from crmkit.delivery.notes import Notes, said
from crmkit.delivery.permits import read_permits
from crmkit.delivery.prepare import prepare
from crmkit.errors import DeliveryError
from crmkit.hooks import SuppressionFailed
from crmkit.messages import Delivery, DeliveryState
from crmkit.sql import outbox
from crmkit.transaction import Transaction

#: After so long contacts are read anew before the next delivery: somebody may have unsubscribed meanwhile.
FRESH = timedelta(seconds=10)


class Desk:
    """Where the deliveries of one channel within one claim are made ready.

    Args:
        notes: takes what came of those that are not sent.
        claim: the claim.
        lease: how long a claim holds, and at least two sends.
    """

    def __init__(self, notes: Notes, claim: Claim, lease: timedelta) -> None:
        self._notes = notes
        self._claim = claim
        self._lease = lease
        self._leased_until = claim.until
        self._stale_at = claim.at + min(lease / 2, FRESH)
        self._contacts: Mapping[UUID, Contact] = claim.contacts
        self._standings: Mapping[UUID, Standing] = claim.standings

    def keep(self) -> None:
        """Before leases or contacts are too old: write what is known, renew the leases, read contacts and consents."""
        now = self._notes.crm.clock()
        if now < self._stale_at:
            return
        self._notes.settler.flush()
        self._contacts, self._standings = self._notes.crm.transact(self._renew)
        self._stale_at = now + min(self._lease / 2, FRESH)

    def lease(self, needed: timedelta) -> datetime | None:
        """Return when the lease of a delivery that is handed off now is to end; None if it is long enough."""
        now = self._notes.crm.clock()
        return None if self._leased_until >= now + needed else now + self._lease

    def _renew(self, tx: Transaction) -> tuple[Mapping[UUID, Contact], Mapping[UUID, Standing]]:
        ids = self._notes.settler.open
        self._leased_until = tx.now + self._lease
        outbox.renew(tx.sql, list(ids), self._claim.token, self._leased_until)
        cases = [case for case in self._claim.tried if case.status.delivery.id in ids]
        contacts = read_contacts(tx, cases)
        return contacts, read_permits(tx, cases, contacts)

    def ready(self, case: Case) -> tuple[Case, Delivery] | None:
        """Return a delivery as it is to be sent, or None if something else came of it, which is noted."""
        if self._notes.waits(case):
            return None
        found: Outcome | Verdict | Delivery | None
        try:
            found = self._asked(case)
            if found is None:
                case = self._certain(case)
                found = self._prepared(case)
        except SuppressionFailed as error:
            self._notes.blame("crmkit_suppress_delivery", case.status.delivery, error, owner=error.owner)
            found = Deferred(reason=str(error))
        except (Exception, SystemExit) as error:
            self._notes.blame("before sending", case.status.delivery, error)
            found = Deferred(reason=f"the channel failed: {said(error)}")
        if isinstance(found, Delivery):
            return case, found
        self._notes.note(case, found)
        return None

    def _asked(self, case: Case) -> Outcome | None:
        """Return what the provider knows of a delivery whose fate is open; None if it is to be sent."""
        channel: Any = self._notes.channel
        if case.status.state is DeliveryState.PENDING:
            if not case.polls:
                return Unknown("its channel has no poll any more")
            return _proper(channel.poll(case.status.provider_id, self._notes.context()))
        if not self._can_look_up(case):
            return None
        answer = channel.lookup(case.status.delivery, self._notes.context())
        return None if answer is None else _proper(answer)

    def _can_look_up(self, case: Case) -> bool:
        return case.uncertain and self._notes.spec.dedup is Dedup.LOOKUP

    def _certain(self, case: Case) -> Case:
        """Return the case as it stands now that the provider has said that it knows nothing of it."""
        return attrs.evolve(case, uncertain=False) if self._can_look_up(case) else case

    def _prepared(self, case: Case) -> Delivery | Verdict:
        notes, contact_id = self._notes, case.status.delivery.contact_id
        over = admit(case, now=notes.crm.clock(), policy=notes.policy, hold="")
        contact = self._contacts.get(contact_id) if contact_id else None
        standing = self._standings[case.status.delivery.id]
        return over or prepare(notes.crm, notes.channel, case, contact, standing)


def _proper(outcome: Outcome) -> Outcome:
    fault = fault_of(outcome)
    if fault:
        raise DeliveryError(fault)
    return outcome
