"""Whether a contact may be written to: decided from the log of consents and the suppression list, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import attrs

from crmkit.clock import FOREVER
from crmkit.errors import ValueRefused
from crmkit.purposes import Basis, Purpose
from crmkit.settings import did_you_mean


class ConsentState(StrEnum):
    """What an entry of the log says."""

    GRANTED = "granted"
    WITHDRAWN = "withdrawn"
    PENDING = "pending"


class SuppressionReason(StrEnum):
    """Why an address is written to no more."""

    COMPLAINT = "complaint"
    HARD_BOUNCE = "hard_bounce"
    UNSUBSCRIBE = "unsubscribe"
    MANUAL = "manual"


@attrs.frozen(kw_only=True)
class ConsentEntry:
    """One entry of the log of consents.

    Args:
        id: its id.
        contact_id: under which contact it was recorded.
        purpose: for what; empty for every purpose, which only a withdrawal can be.
        channel: over which channel; empty for all.
        state: granted, withdrawn or pending.
        basis: the ground on which the purpose rested then.
        source: where it comes from, such as "checkout", "double opt-in" or "import:2026-03".
        text_version: which wording the contact saw.
        actor: who recorded it.
        personally: whether the contact did it, and not somebody who says so.
        at: from when it holds.
        until: when it ends by itself; the end of time if it does not.
        recorded_at: when it was written down.
    """

    id: UUID
    contact_id: UUID
    purpose: str
    channel: str
    state: ConsentState
    basis: Basis
    source: str
    text_version: str
    actor: str
    personally: bool
    at: datetime
    until: datetime = FOREVER
    recorded_at: datetime

    @property
    def is_import(self) -> bool:
        """Whether it comes from an import, which can never take back what a contact has said."""
        return is_import(self.source)

    @property
    def said_at(self) -> datetime:
        """Where it stands in the order of what was said.

        A grant for later is said now, so that a refusal in between voids it; a refusal counts from when it holds.
        """
        return min(self.at, self.recorded_at) if self.state is ConsentState.GRANTED else self.at

    def overlaps(self, purpose: str, channel: str) -> bool:
        """Return whether it and a purpose over a channel, each perhaps empty for all, have something in common."""
        return ("" in (purpose, self.purpose) or purpose == self.purpose) and (
            "" in (channel, self.channel) or channel == self.channel
        )

    def concerns(self, purpose: str, channel: str) -> bool:
        """Return whether it says something of a purpose over a channel."""
        return self.purpose in ("", purpose) and self.channel in ("", channel)


@attrs.frozen(kw_only=True)
class Suppression:
    """An address that is written to no more; the address itself is known as a digest only.

    Args:
        id: its id.
        digest: of the address.
        reason: why.
        purpose: for which purpose; empty for all.
        channel: over which channel; empty for all.
        source: where it comes from.
        actor: who recorded it.
        since: from when it holds.
        again_at: when the same was reported last; of one for later, when it was written down.
        until: when it was lifted; the end of time while it holds.
        lifted_by: who lifted it, or empty.
        lift_reason: why, or empty.
    """

    id: UUID
    digest: str = attrs.field(repr=False)
    reason: SuppressionReason
    purpose: str = ""
    channel: str = ""
    source: str = ""
    actor: str = "system"
    since: datetime
    again_at: datetime
    until: datetime = FOREVER
    lifted_by: str = ""
    lift_reason: str = ""

    @property
    def scope(self) -> str:
        """How much of what goes to the address it stops: "all", or the purpose and the channel."""
        parts = [
            f"{name}:{value}"
            for name, value in (("purpose", self.purpose), ("channel", self.channel))
            if value
        ]
        return " ".join(parts) or "all"

    def stops(self, purpose: Purpose, channel: str, at: datetime) -> bool:
        """Return whether it stops a purpose over a channel at an instant, whatever the contact said since."""
        if not self.since <= at < self.until:
            return False
        if self.purpose not in ("", purpose.name) or self.channel not in ("", channel):
            return False
        # whoever wants no more news still gets the receipt
        return purpose.is_optional or self.reason is not SuppressionReason.UNSUBSCRIBE

    def last_before(self, at: datetime) -> datetime:
        """Return when it was last reported, as far as that was known at an instant."""
        return max(self.again_at, self.since) if self.again_at <= at else self.since


class RefusalReason(StrEnum):
    """Why a contact may not be written to."""

    GONE = "gone"
    SUPPRESSED = "suppressed"
    NO_CONSENT = "no_consent"
    PENDING = "pending"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


@attrs.frozen(kw_only=True)
class Allowed:
    """The contact may be written to; true in a condition.

    Args:
        basis: the ground on which.
        since: from when the consent holds; None where none is needed.
    """

    basis: Basis
    since: datetime | None = None

    def __bool__(self) -> bool:
        return True


@attrs.frozen(kw_only=True)
class Refused:
    """The contact may not be written to; false in a condition.

    Args:
        reason: why not.
        since: from when; None where there is no such instant.
        why: the same as a sentence without any personal value.
    """

    reason: RefusalReason
    since: datetime | None = None
    why: str

    def __bool__(self) -> bool:
        return False

    def __str__(self) -> str:
        return self.why


@attrs.frozen(kw_only=True)
class Standing:
    """What is known of a contact and an address, as facts to decide by.

    Args:
        entries: of the log, of every contact that was merged into this one.
        suppressions: of the address, lifted ones included.
        gone: whether the contact was erased.
    """

    entries: tuple[ConsentEntry, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    gone: bool = False


NOTHING_KNOWN = Standing()


def present(standing: Standing, now: datetime) -> datetime:
    """Return the instant at which to ask what may be sent now: never before what is known was written down.

    Clocks differ between machines, and go back: a refusal that another clock has dated holds at once all the same.

    Args:
        standing: what is known.
        now: the present instant, as this machine's clock has it.
    """
    said = [one.recorded_at for one in standing.entries]
    return max([now, *said, *(one.again_at for one in standing.suppressions)])


#: Of entries that hold from the same instant, the strictest has the last word.
_ORDER = {ConsentState.PENDING: 0, ConsentState.GRANTED: 1, ConsentState.WITHDRAWN: 2}


def saying_order(entry: ConsentEntry) -> tuple[datetime, int]:
    """Return by what entries are sorted: when it was said, a refusal after a grant of the same instant."""
    return entry.said_at, _ORDER[entry.state]


def may_send(purpose: Purpose, channel: str, standing: Standing, at: datetime) -> Allowed | Refused:
    """Return whether a purpose may be pursued over a channel at an instant, or why not.

    Args:
        purpose: for what.
        channel: over which channel.
        standing: what is known.
        at: when; for an earlier instant the answer is what was right then.
    """
    if standing.gone:
        return Refused(reason=RefusalReason.GONE, why="the contact is gone")
    entries = in_force(standing.entries, purpose.name, channel, at)
    stopped = _stopped(purpose, channel, standing.suppressions, entries, at)
    if stopped is not None:
        why = f"the address is suppressed ({stopped.scope}) since {_day(stopped.since)}: {stopped.reason}"
        return Refused(reason=RefusalReason.SUPPRESSED, since=stopped.since, why=why)
    if not purpose.is_optional:
        return Allowed(basis=purpose.basis)
    last, waiting = _last_word(entries)
    if last is None and not purpose.needs_consent:
        return Allowed(basis=purpose.basis)
    return _judged(purpose, channel, last, waiting, at)


def in_force(entries: Iterable[ConsentEntry], purpose: str, channel: str, at: datetime) -> list[ConsentEntry]:
    """Return the entries that count for a purpose and a channel at an instant, the last word last.

    A grant that was imported does not count after a withdrawal: what a list says of a contact never takes back what
    the contact has said.

    Args:
        entries: of one contact, in any order.
        purpose: for what.
        channel: over which channel.
        at: when.
    """
    concerned = [one for one in entries if one.at <= at and one.concerns(purpose, channel)]
    concerned.sort(key=saying_order)
    counted: list[ConsentEntry] = []
    withdrawn = False
    for one in concerned:
        if one.state is ConsentState.GRANTED and one.is_import and withdrawn:
            continue
        if one.state is not ConsentState.PENDING:
            withdrawn = one.state is ConsentState.WITHDRAWN
        counted.append(one)
    return counted


def _last_word(entries: Iterable[ConsentEntry]) -> tuple[ConsentEntry | None, ConsentEntry | None]:
    """Return the last entry that says yes or no, and the request that came after it, if any."""
    last, waiting = None, None
    for one in entries:
        if one.state is ConsentState.PENDING:
            waiting = one
        else:
            last, waiting = one, None
    return last, waiting


def _judged(
    purpose: Purpose, channel: str, last: ConsentEntry | None, waiting: ConsentEntry | None, at: datetime
) -> Allowed | Refused:
    what = f"{purpose.name} over {channel}" if channel else purpose.name
    if last is not None and last.state is ConsentState.GRANTED and at < last.until:
        return Allowed(basis=purpose.basis, since=last.at)
    if waiting is not None and at < waiting.until:
        why = f"consent to {what} was asked for on {_day(waiting.at)} and is not confirmed yet"
        return Refused(reason=RefusalReason.PENDING, since=waiting.at, why=why)
    if last is None:
        return Refused(reason=RefusalReason.NO_CONSENT, why=f"the contact never consented to {what}")
    if last.state is ConsentState.WITHDRAWN:
        why = f"{what} was refused on {_day(last.at)}"
        return Refused(reason=RefusalReason.WITHDRAWN, since=last.at, why=why)
    if not purpose.needs_consent:
        return Allowed(basis=purpose.basis)
    why = f"consent to {what} ended on {_day(last.until)}"
    return Refused(reason=RefusalReason.EXPIRED, since=last.until, why=why)


def _stopped(
    purpose: Purpose,
    channel: str,
    suppressions: Iterable[Suppression],
    entries: Iterable[ConsentEntry],
    at: datetime,
) -> Suppression | None:
    """Return the oldest suppression that holds.

    Of unsubscribing alone the contact may think again: consent that the contact gave later, and in person, counts.
    """
    given = max((one.said_at for one in entries if _is_personal_grant(one)), default=None)
    holding = [
        one
        for one in suppressions
        if one.stops(purpose, channel, at)
        and not (
            one.reason is SuppressionReason.UNSUBSCRIBE and given is not None and given > one.last_before(at)
        )
    ]
    return min(holding, key=lambda one: one.since, default=None)


def _is_personal_grant(entry: ConsentEntry) -> bool:
    return entry.state is ConsentState.GRANTED and entry.personally and not entry.is_import


def known_purpose(purposes: Mapping[str, Purpose], name: str) -> Purpose:
    """Return a purpose of the settings by its name.

    Raises:
        ValueRefused: if there is none of that name; the message says which there are.
    """
    found = purposes.get(name)
    if found is None:
        raise ValueRefused(
            f"no purpose is named {name!r}{did_you_mean(str(name), list(purposes))}; "
            "add it to settings['core']['purposes']"
        )
    return found


def is_import(source: str) -> bool:
    """Return whether an entry of that source comes from an import."""
    return source.casefold().startswith("import")


def _day(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d}"
