"""What is kept: what contacts have said, which addresses are written to no more, and what is known by both."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import attrs

from crmkit.clock import FOREVER
from crmkit.purposes import Basis, Purpose


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

    def concerns(self, purpose: str, channel: str | None) -> bool:
        """Return whether it says something of a purpose over a channel, of None over any."""
        return self.purpose in ("", purpose) and (channel is None or self.channel in ("", channel))


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


def is_import(source: str) -> bool:
    """Return whether an entry of that source comes from an import."""
    return source.casefold().startswith("import")
