"""The log of consents: what contacts allow and refuse is written down."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import attrs

from crmkit.clock import FOREVER, instant
from crmkit.consent import (
    CHANNEL_LIMIT,
    ConsentEntry,
    ConsentState,
    is_import,
    known_channel,
    saying_order,
)
from crmkit.errors import KeyConflict, ValueRefused
from crmkit.events import ConsentGranted, ConsentRequested, ConsentWithdrawn, Event
from crmkit.purposes import Basis, Purpose
from crmkit.sql import consents as rows
from crmkit.text import clean
from crmkit.transaction.consent_answers import ConsentAnswers, channels_of
from crmkit.transaction.details.subject import open_to

if TYPE_CHECKING:
    pass

KEY_LIMIT = 150

#: Stands for every purpose that a contact can refuse.
EVERYTHING = Purpose("", Basis.CONSENT)


class ConsentLog(ConsentAnswers):
    """Records consents and refusals, and answers from them.

    Args:
        tx: the transaction.
    """

    def grant(
        self,
        contact_id: UUID,
        purpose: str,
        channel: str = "",
        *,
        source: str,
        text_version: str = "",
        at: datetime | None = None,
        until: datetime = FOREVER,
        key: str = "",
    ) -> ConsentEntry:
        """Record that a contact consents; the same again changes nothing and returns the stored entry.

        A grant whose source begins with "import" counts only where the contact has not refused before, whatever its
        instant. Where the transaction's actor is the contact, it counts as given in person: only that takes back
        having unsubscribed.

        Args:
            contact_id: who consents.
            purpose: to what; one of the settings' purposes.
            channel: over which channel; empty for all.
            source: where it comes from, such as "checkout" or "import:2026-03".
            text_version: which wording the contact saw.
            at: from when; now by default.
            until: when it ends by itself.
            key: names this entry for ever; without one the last entry is compared.

        Raises:
            NotFound: if there is no such contact.
            AlreadyErased: if the contact was erased.
            ValueRefused: if the purpose or the channel is unknown, or a value is refused.
            KeyConflict: if the key stands for another entry.
        """
        open_to(self._tx, contact_id)
        until, channel = instant(until, "until"), known_channel(channels_of(self._tx.crm), channel)
        entry = self._entry(contact_id, self._purpose(purpose), channel, ConsentState.GRANTED, source, at)
        if until <= entry.at:
            raise ValueRefused(f"until is {until.isoformat()}; a consent must end after it begins")
        text_version = clean(text_version, "text version", limit=60)
        entry = attrs.evolve(entry, text_version=text_version, until=until)
        return self._grant(entry, key, dated=at is not None)

    def pending(
        self,
        contact_id: UUID,
        purpose: str,
        channel: str = "",
        *,
        source: str,
        text_version: str = "",
        until: datetime = FOREVER,
    ) -> ConsentEntry:
        """Record that a contact was asked, by a question that you send yourself; it allows nothing and refuses nothing.

        Args:
            contact_id: who was asked.
            purpose: for what.
            channel: over which channel; empty for all.
            source: where it comes from.
            text_version: which wording the contact saw.
            until: when nobody waits for the answer any more.

        Raises:
            NotFound: if there is no such contact.
            AlreadyErased: if the contact was erased.
            ValueRefused: if the purpose or the channel is unknown.
        """
        open_to(self._tx, contact_id)
        channel = known_channel(channels_of(self._tx.crm), channel)
        entry = self._entry(contact_id, self._purpose(purpose), channel, ConsentState.PENDING, source, None)
        text_version = clean(text_version, "text version", limit=60)
        entry = attrs.evolve(entry, text_version=text_version, until=instant(until, "until"))
        with self._tx.sql.isolated():
            rows.claim_consent(self._tx.sql, entry, str(entry.id))
            self._tell_asked(entry)
        return entry

    def withdraw(
        self,
        contact_id: UUID,
        purpose: str = "",
        channel: str = "",
        *,
        source: str = "",
        at: datetime | None = None,
    ) -> ConsentEntry:
        """Record that a contact refuses; the same again changes nothing and returns the stored entry.

        It is recorded under every id of a contact that was merged, so that it outlives an unmerge.

        Args:
            contact_id: who refuses.
            purpose: what; empty for everything that can be refused.
            channel: over which channel; empty for all.
            source: where it comes from, such as "phone".
            at: from when; now by default.

        Raises:
            NotFound: if there is no such contact.
            AlreadyErased: if the contact was erased.
            ValueRefused: if the purpose or the channel is unknown, or the purpose cannot be refused.
        """
        open_to(self._tx, contact_id)
        wanted = self._purpose(purpose) if purpose else EVERYTHING
        if not wanted.is_optional:
            raise ValueRefused(
                f"purpose {purpose!r} rests on {wanted.basis}, which needs no consent and cannot be refused; "
                "to stop messages to an address use tx.suppressions.add"
            )
        channel = known_channel(channels_of(self._tx.crm), channel)
        return self._withdraw(contact_id, wanted, channel, source, at)

    def _entry(
        self,
        contact_id: UUID,
        purpose: Purpose,
        channel: str,
        state: ConsentState,
        source: str,
        at: datetime | None,
    ) -> ConsentEntry:
        now = self._tx.now
        source = clean(source, "source of a consent", limit=100, empty=state is ConsentState.WITHDRAWN)
        return ConsentEntry(
            id=self._tx.new_id(),
            contact_id=contact_id,
            purpose=purpose.name,
            channel=clean(channel, "channel", limit=CHANNEL_LIMIT),
            state=state,
            basis=purpose.basis,
            source=source,
            text_version="",
            actor=self._tx.actor,
            personally=not is_import(source) and self._is_contact(contact_id),
            at=now if at is None else instant(at, "at"),
            recorded_at=now,
        )

    def _is_contact(self, contact_id: UUID) -> bool:
        kind, _, name = self._tx.actor.partition(":")
        return kind == "contact" and name in {str(id) for id in self._tx.contacts.ids(contact_id)}

    def _grant(self, entry: ConsentEntry, key: str, *, dated: bool) -> ConsentEntry:
        if not key:
            said = self.history(entry.contact_id)
            own = _last([one for one in said if one.contact_id == entry.contact_id], entry)
            if own is not None and all(
                _says_same(one, entry, dated=dated) for one in (own, _last(said, entry)) if one
            ):
                return own
        key = clean(key, "consent key", limit=KEY_LIMIT)
        with self._tx.sql.isolated():
            if not rows.claim_consent(self._tx.sql, entry, f"grant:{key}" if key else str(entry.id)):
                stored = rows.claimed_consent(self._tx.sql, f"grant:{key}")
                if not _says_same(stored, entry, dated=dated) or stored.contact_id != entry.contact_id:
                    raise KeyConflict(key, stored=stored, given=entry)
                return stored
            self._tell_granted(entry)
        return entry

    def _withdraw(
        self, contact_id: UUID, purpose: Purpose, channel: str, source: str, at: datetime | None
    ) -> ConsentEntry:
        entry = self._entry(contact_id, purpose, channel, ConsentState.WITHDRAWN, source, at)
        ids = self._tx.contacts.ids(contact_id)
        said = rows.consents_of(self._tx.sql, ids)
        if at is None:  # the last word is last, also where a clock that is ahead has dated what it takes back
            spoken = [one.said_at for one in _about(said, entry) if one.state is not ConsentState.WITHDRAWN]
            entry = attrs.evolve(entry, at=max([entry.at, *spoken]))
        found: dict[UUID, ConsentEntry] = {}
        with self._tx.sql.isolated():
            for id in ids:
                last = _last([one for one in said if one.contact_id == id], entry)
                if last is not None and _says_same(last, entry, dated=at is not None):
                    found[id] = last
                else:
                    found[id] = attrs.evolve(entry, id=self._tx.new_id(), contact_id=id)
                    rows.claim_consent(self._tx.sql, found[id], str(found[id].id))
            if not set(found.values()) <= set(said):
                self._tell_withdrawn(entry)
        return found.get(contact_id) or found[ids[0]]

    def _tell_withdrawn(self, entry: ConsentEntry) -> None:
        event = ConsentWithdrawn(purpose=entry.purpose, channel=entry.channel, source=entry.source)
        self._tell(event, entry)

    def _tell_asked(self, entry: ConsentEntry) -> None:
        event = ConsentRequested(
            purpose=entry.purpose,
            channel=entry.channel,
            source=entry.source,
            text_version=entry.text_version,
        )
        self._tell(event, entry)

    def _tell_granted(self, entry: ConsentEntry) -> None:
        event = ConsentGranted(
            purpose=entry.purpose,
            channel=entry.channel,
            basis=entry.basis.value,
            source=entry.source,
            text_version=entry.text_version,
            until=entry.until,
        )
        self._tell(event, entry)

    def _tell(self, event: Event, entry: ConsentEntry) -> None:
        # what is for later is a fact of today: the log has no events of tomorrow
        occurred_at = min(entry.at, entry.recorded_at)
        self._tx.events.append(
            event, contact_id=entry.contact_id, subject_id=entry.id, occurred_at=occurred_at
        )


def _last(entries: Sequence[ConsentEntry], like: ConsentEntry) -> ConsentEntry | None:
    """Return the last entry that has anything to do with what another is about."""
    return max(_about(entries, like), key=saying_order, default=None)


def _about(entries: Sequence[ConsentEntry], like: ConsentEntry) -> list[ConsentEntry]:
    return [one for one in entries if one.overlaps(like.purpose, like.channel)]


def _says_same(stored: ConsentEntry, given: ConsentEntry, *, dated: bool) -> bool:
    names: tuple[str, ...] = ("purpose", "channel", "state")
    if given.state is ConsentState.GRANTED:
        names += ("basis", "source", "text_version", "until", "personally")
    if not all(getattr(stored, name) == getattr(given, name) for name in names):
        return False
    return stored.at == given.at if dated else stored.at <= given.at
