"""tx.suppressions: which addresses are written to no more, known by digests that outlive an erasure."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import attrs

from crmkit.clock import instant
from crmkit.consent import Suppression, SuppressionReason, after_grants, known_channel, known_purpose
from crmkit.contacts import ContactPoint
from crmkit.contacts.keys import point_digest
from crmkit.errors import AlreadyErased, Conflict, NotFound, ValueRefused
from crmkit.events import AddressSuppressed, SuppressionLifted
from crmkit.events import actor as check_actor
from crmkit.sql import suppressions as rows
from crmkit.text import clean
from crmkit.transaction.consent_answers import channels_of

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction

PAGE_LIMIT = 10_000


class Suppressions:
    """Keeps the list; nothing that is imported takes an address off it.

    Args:
        tx: the transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def add(
        self,
        point: ContactPoint,
        reason: SuppressionReason | str = SuppressionReason.MANUAL,
        *,
        purpose: str = "",
        channel: str = "",
        source: str = "",
        at: datetime | None = None,
    ) -> Suppression:
        """Suppress an address; where that holds already, it is returned and marked as reported again.

        Args:
            point: the address; of whom it is does not matter.
            reason: why: "complaint", "hard_bounce", "unsubscribe" or "manual".
            purpose: for which purpose; empty for all.
            channel: over which channel; empty for all.
            source: where it comes from, such as "postmaster".
            at: from when; now by default.

        Raises:
            ValueRefused: if a purpose, a channel or a reason is unknown.
        """
        digest, channel = self._digest(point), known_channel(channels_of(self._tx.crm), channel)
        if purpose:
            known_purpose(self._tx.crm.settings.purposes, purpose)
        return self.add_digest(
            digest,
            suppression_reason(reason),
            purpose=purpose,
            channel=channel,
            source=source,
            at=at,
            contact_id=self._owner(point),
        )

    def report(
        self,
        point: ContactPoint,
        reason: SuppressionReason | str,
        *,
        source: str,
        at: datetime | None = None,
    ) -> Suppression:
        """Take what a provider reports of an address: everything to it stops, at once.

        A complaint counts as a refusal of everything by the contact that has the address as well: another address
        of the same person is no way around it.

        Args:
            point: the address.
            reason: "complaint" or "hard_bounce".
            source: who reports it, such as "feedback loop" or "smtp 550 5.1.1".
            at: when it happened; now by default.
        """
        found = suppression_reason(reason)
        if found not in (SuppressionReason.COMPLAINT, SuppressionReason.HARD_BOUNCE):
            raise ValueRefused(f"a provider reports 'complaint' or 'hard_bounce', not {found!r}; use add")
        with self._tx.sql.isolated():
            suppression = self.add(point, found, source=source, at=at)
            owner = self._owner(point)
            if found is SuppressionReason.COMPLAINT and owner is not None:
                with suppress(AlreadyErased):  # the host's own table may still name the address
                    self._tx.consents.withdraw(owner, source="complaint", at=at)
        return suppression

    def lift(
        self,
        point: ContactPoint,
        *,
        by: str,
        reason: str,
        of: SuppressionReason | str | None = None,
        purpose: str = "",
        channel: str = "",
        force: bool = False,
    ) -> tuple[Suppression, ...]:
        """Let an address be written to again, and return what was lifted.

        Args:
            point: the address.
            by: who answers for it: "staff:NAME" or "contact:ID".
            reason: why, such as "typo at the provider, confirmed by phone".
            of: only what was suppressed for this reason; by default for any.
            purpose: the scope that was suppressed; wider and narrower ones stay.
            channel: the same.
            force: whether a complaint is lifted as well.

        Raises:
            NotFound: if nothing of that scope holds.
            Conflict: if it was a complaint and `force` is false; nothing is lifted then.
            ValueRefused: if nobody answers for it.
        """
        if check_actor(by).partition(":")[0] not in ("staff", "contact"):
            raise ValueRefused(f"by is {by!r}; somebody must answer for it: 'staff:NAME' or 'contact:ID'")
        reason = clean(reason, "reason", limit=100, empty=False)
        wanted = None if of is None else suppression_reason(of)
        holding = [
            one
            for one in self.find(point)
            if (one.purpose, one.channel) == (purpose, channel) and wanted in (None, one.reason)
        ]
        if not holding:
            raise NotFound("the address is not suppressed in that scope")
        if not force and any(one.reason is SuppressionReason.COMPLAINT for one in holding):
            raise Conflict(
                "the address complained; whoever writes to it again is reported as a spammer. "
                "If a person there really asked for it, pass force=True"
            )
        owner = self._owner(point)
        with self._tx.sql.isolated():
            return tuple(self._lift(one, by, reason, owner) for one in holding)

    def find(self, point: ContactPoint) -> tuple[Suppression, ...]:
        """Return what holds of an address, oldest first."""
        return self._read(point, lifted=False)

    def history(self, point: ContactPoint) -> tuple[Suppression, ...]:
        """Return what ever held of an address, oldest first."""
        return self._read(point, lifted=True)

    def list(
        self,
        reason: SuppressionReason | str | None = None,
        *,
        after: Suppression | None = None,
        limit: int = 100,
    ) -> Sequence[Suppression]:
        """Return what holds, oldest first; addresses are not told, for they are not known.

        Args:
            reason: only what was suppressed for this reason.
            after: the last one of the page before.
            limit: at most how many.
        """
        if type(limit) is not int or not 1 <= limit <= PAGE_LIMIT:
            raise ValueRefused(f"limit is {limit!r}; must be a number from 1 to {PAGE_LIMIT}")
        wanted = "" if reason is None else suppression_reason(reason).value
        return rows.list_suppressions(self._tx.sql, reason=wanted, after=after, limit=limit)

    def add_digest(
        self,
        digest: str,
        reason: SuppressionReason,
        *,
        purpose: str = "",
        channel: str = "",
        source: str = "",
        at: datetime | None = None,
        contact_id: UUID | None = None,
    ) -> Suppression:
        """Suppress an address that is known by its digest only.

        Args:
            digest: of the address.
            reason: and all others as for `add`.
            contact_id: whose the address is, if that is known.
        """
        since = self._tx.now if at is None else instant(at, "at")
        again_at = min(since, self._tx.now)
        if at is None and contact_id is not None and reason is SuppressionReason.UNSUBSCRIBE:
            again_at = after_grants(self._tx.consents.history(contact_id), purpose, channel, again_at)
        one = Suppression(
            id=self._tx.new_id(),
            digest=digest,
            reason=reason,
            purpose=purpose,
            channel=clean(channel, "channel", limit=30),
            source=clean(source, "source", limit=100),
            actor=self._tx.actor,
            since=since,
            again_at=again_at,
        )
        with self._tx.sql.isolated():
            found = rows.claim_suppression(self._tx.sql, one)
            if found.id != one.id:
                return found
            event = AddressSuppressed(
                reason=reason.value, purpose=purpose, channel=one.channel, source=one.source
            )
            self._tx.events.append(event, contact_id=contact_id, subject_id=one.id)
        return one

    def _lift(self, one: Suppression, by: str, reason: str, contact_id: UUID | None) -> Suppression:
        lifted = attrs.evolve(one, until=self._tx.now, lifted_by=by, lift_reason=reason)
        if not rows.lift_suppression(self._tx.sql, lifted, self._tx.new_id()):
            return lifted  # somebody else did, at the same moment
        event = SuppressionLifted(
            reason=one.reason.value,
            purpose=one.purpose,
            channel=one.channel,
            lifted_by=by,
            lift_reason=reason,
        )
        self._tx.events.append(event, contact_id=contact_id, subject_id=one.id)
        return lifted

    def _digest(self, point: ContactPoint) -> str:
        return point_digest(self._tx.crm.secret.within(self._tx.sql), point)

    def _owner(self, point: ContactPoint) -> UUID | None:
        found = self._tx.contacts.find(point)
        return None if found is None else found.id

    def _read(self, point: ContactPoint, *, lifted: bool) -> tuple[Suppression, ...]:
        digest = self._digest(point)
        return tuple(rows.suppressions_of(self._tx.sql, [digest], lifted=lifted))


def suppression_reason(value: SuppressionReason | str) -> SuppressionReason:
    """Return the reason of that name.

    Raises:
        ValueRefused: naming those that there are.
    """
    if value not in list(SuppressionReason):
        raise ValueRefused(f"reason {value!r} is none of {', '.join(SuppressionReason)}")
    return SuppressionReason(value)
