"""Consents of files: which words of the log go out, and how words come in without taking anything back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import attrs

from crmkit.clock import FOREVER
from crmkit.consent import ConsentEntry, ConsentState, in_force, saying_order
from crmkit.contacts import Contact
from crmkit.events import ConsentGranted, ConsentWithdrawn, Event
from crmkit.exchange.said import SaidConsent
from crmkit.purposes import Basis
from crmkit.sql.consents import consents_of
from crmkit.transaction import Transaction


def words(entries: Sequence[ConsentEntry], now: datetime) -> tuple[SaidConsent, ...]:
    """Return what of a contact's log holds now or will: words that no later one of as much or more has replaced.

    A request that waits for its answer is none of them.

    Args:
        entries: of one contact.
        now: the present instant.
    """
    present = max([now, *(one.recorded_at for one in entries)])
    instants = {present, *(one.at for one in entries if one.at > present)}
    scopes = {(one.purpose, one.channel) for one in entries}
    last = {id for at in instants for scope in scopes for id in _last(entries, *scope, at)}
    return tuple(dict.fromkeys(_said(one) for one in entries if one.id in last))


def _last(entries: Sequence[ConsentEntry], purpose: str, channel: str, at: datetime) -> list[UUID]:
    """Return the last word on exactly this, unless that is one on more than this."""
    counted = in_force(entries, purpose, channel, at)
    spoken = [one for one in counted if one.state is not ConsentState.PENDING]
    return [one.id for one in spoken[-1:] if (one.purpose, one.channel) == (purpose, channel)]


def _said(entry: ConsentEntry) -> SaidConsent:
    return SaidConsent(
        purpose=entry.purpose,
        channel=entry.channel,
        state=entry.state,
        source=entry.source,
        text_version=entry.text_version,
        at=entry.at,
        until=None if entry.until == FOREVER else entry.until,
    )


class Consenting:
    """Takes over what rows say of consents.

    The words of somebody of whom the log says nothing yet are written together; what comes to an older word is the
    log's own to decide, so that no rule stands in two places.

    Args:
        tx: the transaction of the batch.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._said: dict[UUID, list[ConsentEntry]] = {}
        self._new: list[ConsentEntry] = []

    def look_up(self, contacts: Iterable[Contact]) -> None:
        """Read what the log says of contacts."""
        whose = {id: contact.id for contact in contacts for id in contact.ids}
        for entry in consents_of(self._tx.sql, whose):
            self._said.setdefault(whose[entry.contact_id], []).append(entry)

    def add(self, contact: Contact, given: Sequence[SaidConsent]) -> bool:
        """Take words over; return whether any was new."""
        said = self._said.setdefault(contact.id, [])
        new = [word for word in given if not self._is_known(contact, said, word)]
        if new and (said or contact.merged):
            self.write()
            entries = [self._told(contact.id, word) for word in new]
        else:
            entries = [self._entry(contact.id, word) for word in new]
            self._new += entries
        known = {one.id for one in said}
        said += [one for one in entries if one.id not in known]
        return len(said) > len(known)

    def write(self) -> None:
        """Write what was put off."""
        events, table = self._tx.events, self._tx.sql.tables["consents"]
        self._tx.sql.insert(table, [_row(one) for one in self._new])
        events.append_new(
            [
                events.entry(
                    _event(one),
                    contact_id=one.contact_id,
                    subject_id=one.id,
                    occurred_at=min(one.at, one.recorded_at),
                )
                for one in self._new
            ]
        )
        self._new = []

    def _is_known(self, contact: Contact, said: Sequence[ConsentEntry], word: SaidConsent) -> bool:
        if word.at is not None:
            return any(_is_told(one, word) for one in said)
        return not contact.merged and _is_repeated(said, self._entry(contact.id, word))

    def _told(self, contact_id: UUID, word: SaidConsent) -> ConsentEntry:
        """Tell the log itself, which compares with what was said before."""
        consents, scope = self._tx.consents, (contact_id, word.purpose, word.channel)
        if word.state is ConsentState.WITHDRAWN:
            return consents.withdraw(*scope, source=word.source, at=word.at)
        until = word.until or FOREVER
        return consents.grant(
            *scope, source=word.source, text_version=word.text_version, at=word.at, until=until
        )

    def _entry(self, contact_id: UUID, word: SaidConsent) -> ConsentEntry:
        purposes, now = self._tx.crm.settings.purposes, self._tx.now
        return ConsentEntry(
            id=self._tx.new_id(),
            contact_id=contact_id,
            purpose=word.purpose,
            channel=word.channel,
            state=word.state,
            basis=purposes[word.purpose].basis if word.purpose else Basis.CONSENT,
            source=word.source,
            text_version=word.text_version,
            actor=self._tx.actor,
            personally=False,
            at=word.at or now,
            until=word.until or FOREVER,
            recorded_at=now,
        )


def _is_told(entry: ConsentEntry, word: SaidConsent) -> bool:
    """Whether a dated word stands in the log already, perhaps as what it was exported from."""
    names = ("purpose", "channel", "state", "text_version", "at")
    return (
        all(getattr(entry, name) == getattr(word, name) for name in names)
        and entry.until == (word.until or FOREVER)
        and word.source in (entry.source, f"import:{entry.source}"[:100])
    )


def _is_repeated(said: Sequence[ConsentEntry], entry: ConsentEntry) -> bool:
    """Whether the last word on what an entry is about says the same in everything; else the log is asked."""
    about = [one for one in said if one.overlaps(entry.purpose, entry.channel)]
    last = max(about, key=saying_order, default=None)
    names = ("purpose", "channel", "state", "basis", "source", "text_version", "until", "personally")
    same = last is not None and all(getattr(last, name) == getattr(entry, name) for name in names)
    return same and last is not None and last.at <= entry.at


def _row(entry: ConsentEntry) -> Mapping[str, object]:
    return attrs.asdict(entry) | {"key": str(entry.id), "personally": 0, "digest": ""}


def _event(entry: ConsentEntry) -> Event:
    said = {"purpose": entry.purpose, "channel": entry.channel, "source": entry.source}
    if entry.state is ConsentState.WITHDRAWN:
        return ConsentWithdrawn(**said)
    return ConsentGranted(**said, basis=entry.basis.value, text_version=entry.text_version, until=entry.until)
