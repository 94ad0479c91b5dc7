"""What the log of consents answers: what a contact said, and whether it may be written to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from crmkit.clock import instant
from crmkit.consent import (
    CHANNEL_LIMIT,
    Allowed,
    ConsentEntry,
    ConsentState,
    RefusalReason,
    Refused,
    Standing,
    consent_to,
    known_purpose,
    may_send,
    present,
)
from crmkit.contacts import Contact, PointKind
from crmkit.contacts.keys import point_digest
from crmkit.errors import NotFound
from crmkit.purposes import Purpose
from crmkit.settings import Secret
from crmkit.sql import consents as rows
from crmkit.text import clean
from crmkit.transaction.standings import Asked, read_standings

if TYPE_CHECKING:
    from crmkit.crm import CRM
    from crmkit.transaction.unit import Transaction

#: What a contact has said where there is no consent; nothing, or nothing that holds any more, is none of these.
_STATES = {
    RefusalReason.PENDING: ConsentState.PENDING,
    RefusalReason.WITHDRAWN: ConsentState.WITHDRAWN,
}


class ConsentAnswers:
    """Answers from the log of consents.

    Args:
        tx: the transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def history(self, contact_id: UUID) -> Sequence[ConsentEntry]:
        """Return every entry about a contact and those merged into it, oldest first."""
        return rows.consents_of(self._tx.sql, self._tx.contacts.ids(contact_id))

    def state(
        self, contact_id: UUID, purpose: str, channel: str = "", at: datetime | None = None
    ) -> ConsentState | None:
        """Return what a contact's last word on a purpose is; None if there is none, or it has ended.

        Args:
            contact_id: whose.
            purpose: on what.
            channel: over which channel; empty for what was said of all.
            at: at which instant; now by default.
        """
        said = self.history(contact_id)
        when = present(Standing(entries=tuple(said)), self._tx.now) if at is None else instant(at, "at")
        found = consent_to(self._purpose(purpose).name, channel, said, when)
        return _STATES.get(found.reason) if isinstance(found, Refused) else ConsentState.GRANTED

    def may_send(
        self, contact_id: UUID, purpose: str, channel: str, at: datetime | None = None
    ) -> Allowed | Refused:
        """Return whether a contact may be written to, or why not; the answer is true or false in a condition.

        Args:
            contact_id: to whom.
            purpose: for what; one of the settings' purposes.
            channel: over which channel; suppressions are looked up for the address that it would write to.
            at: at which instant; now by default. Of an earlier one it tells what was right then.

        Raises:
            ValueRefused: if the purpose is unknown; the message says which there are.
        """
        wanted, channel = self._purpose(purpose), clean(channel, "channel", limit=CHANNEL_LIMIT)
        standing = self._standing(contact_id, channel)
        when = present(standing, self._tx.now) if at is None else instant(at, "at")
        return may_send(wanted, channel, standing, when)

    def _standing(self, contact_id: UUID, channel: str) -> Standing:
        try:
            contact = self._tx.contacts.get(contact_id)
        except NotFound:
            return Standing(gone=True)
        asked = Asked(contact_id, self._digest_of(contact, channel), consents=True)
        return read_standings(self._tx, {contact_id: asked}, lifted=True)[contact_id]

    def _digest_of(self, contact: Contact, channel: str) -> str:
        kind, scope = channel_address(self._tx, channel)
        point = contact.point(kind, scope) if kind is not None else None
        return "" if point is None else point_digest(self._secret, point)

    @property
    def _secret(self) -> Secret:
        return self._tx.crm.secret.within(self._tx.sql)

    def _purpose(self, name: str) -> Purpose:
        return known_purpose(self._tx.crm.settings.purposes, name)


def channels_of(crm: CRM) -> tuple[str, ...]:
    """Return the channels that plugins of a CRM bring, and those that its settings name."""
    return (*crm.registry.channels, *crm.settings.channels)


def channel_address(tx: Transaction, channel: str) -> tuple[PointKind | None, str]:
    """Return which points a channel writes to and of which scope; None if nobody knows."""
    owned = tx.crm.registry.channels.get(channel)
    if owned is not None:
        return PointKind(owned.value.spec.address_kind), owned.value.spec.scope
    return (PointKind.EMAIL, "") if channel == "email" else (None, "")
