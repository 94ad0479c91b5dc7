"""Whether a contact may be written to: decided from what was said and the suppression list, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

import attrs

from crmkit.consent.said import ConsentEntry, ConsentState, Standing, Suppression, SuppressionReason
from crmkit.purposes import Basis, Purpose


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


def consent_to(
    purpose: str, channel: str | None, entries: Iterable[ConsentEntry], at: datetime
) -> Allowed | Refused:
    """Return whether there is consent to a purpose, whether it needs one or not; else why there is none.

    Args:
        purpose: to what.
        channel: over which channel; empty for what was said of all, None for what was said of any.
        entries: of one contact, in any order.
        at: when.
    """
    last, waiting = _last_word(in_force(entries, purpose, channel, at))
    return _judged(Purpose(purpose, Basis.CONSENT), channel or "", last, waiting, at)


def in_force(
    entries: Iterable[ConsentEntry], purpose: str, channel: str | None, at: datetime
) -> list[ConsentEntry]:
    """Return the entries that count for a purpose and a channel at an instant, the last word last.

    A grant that was imported does not count after a withdrawal: what a list says of a contact never takes back what
    the contact has said.

    Args:
        entries: of one contact, in any order.
        purpose: for what.
        channel: over which channel; None for any.
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


def after_grants(entries: Iterable[ConsentEntry], purpose: str, channel: str, now: datetime) -> datetime:
    """Return when somebody unsubscribes who does so now: not before consenting, whatever clock has dated that.

    Args:
        entries: of the contact.
        purpose: from what; empty for everything.
        channel: over which channel; empty for all.
        now: the present instant, as this machine's clock has it.
    """
    given = (one for one in entries if _is_personal_grant(one) and one.overlaps(purpose, channel))
    return max([now, *(one.said_at for one in given)])


def _is_personal_grant(entry: ConsentEntry) -> bool:
    return entry.state is ConsentState.GRANTED and entry.personally and not entry.is_import


def _day(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d}"
