"""A delivery in a worker's hands, what may be written of it, and how long things wait."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import attrs

from crmkit.channels import ChannelSpec, Dedup, Scope
from crmkit.clock import FOREVER
from crmkit.messages import DeliveryState, DeliveryStatus, Repeat
from crmkit.settings import CoreSettings

#: How long an account whose credentials no longer work is left alone.
AUTH_PAUSE = timedelta(minutes=15)
#: How long a delivery whose fate is open waits for a channel that is absent or on hold.
LOOK_AGAIN = timedelta(hours=1)
#: What ends a delivery with no further try.
FAILED = frozenset(DeliveryState(name) for name in "rejected suppressed expired unknown dead".split())
#: Channels of these classes are handed a whole batch by its claim: a repeat has no second effect.
HARMLESS = frozenset({Dedup.KEY, Dedup.NATURAL})

#: The shortest pause.
SHORTEST = timedelta(seconds=1)


@attrs.frozen(kw_only=True)
class Pause:
    """Until when no worker writes to a channel, an account or a domain.

    Args:
        channel: the channel's name.
        scope: how much of it has to wait.
        value: the address or the domain, if the scope is one of these.
        until: the instant at which it goes on.
        reason: why.
        alert: whether somebody has to mend something.
    """

    channel: str
    scope: Scope
    value: str
    until: datetime
    reason: str
    alert: bool = False

    def covers(self, channel: str, address: str) -> bool:
        """Return whether a delivery over a channel to an address has to wait."""
        return self.channel == channel and self.value == scope_value(self.scope, address)


@attrs.frozen(kw_only=True)
class Case:
    """A delivery in a worker's hands.

    Args:
        status: as it was read; its attempt counts this one.
        spec: its channel's, or None if the channel is absent.
        uncertain: whether an earlier try may have had its effect.
        polls: whether its channel can be asked how a pending delivery went.
    """

    status: DeliveryStatus
    spec: ChannelSpec | None
    uncertain: bool
    polls: bool = False

    @property
    def repeatable(self) -> bool:
        """Whether a try whose answer is unknown may be followed by another."""
        dedup = self.spec.dedup if self.spec else Dedup.NONE
        return dedup is not Dedup.NONE or self.status.delivery.repeat is Repeat.AT_LEAST_ONCE

    @property
    def waiting(self) -> DeliveryState:
        """The state in which it waits for another look, so that what is open stays open."""
        if self.status.state is DeliveryState.PENDING:
            return DeliveryState.PENDING
        return DeliveryState.HANDED if self.uncertain else DeliveryState.QUEUED


@attrs.frozen(kw_only=True)
class Verdict:
    """What is written of a delivery.

    Args:
        state: where it stands then.
        due_at: when a worker may look at it again.
        reason: why.
        provider_id: the provider's id of it, or what `poll` needs.
        attempt: the number of tries so far if this one does not count, else None.
        pause: what has to wait besides this delivery.
    """

    state: DeliveryState
    due_at: datetime = FOREVER
    reason: str = ""
    provider_id: str = ""
    attempt: int | None = None
    pause: Pause | None = None


@attrs.frozen(kw_only=True)
class Policy:
    """How often, how long and with what pauses deliveries are tried; the settings of the same names."""

    attempts: int
    max_age: timedelta
    backoff: timedelta
    backoff_limit: timedelta

    @classmethod
    def of(cls, settings: CoreSettings) -> Policy:
        """Return the policy that the settings ask for."""
        return cls(
            attempts=settings.attempts,
            max_age=settings.max_delivery_age,
            backoff=settings.backoff,
            backoff_limit=settings.backoff_limit,
        )


def scope_value(scope: Scope, address: str) -> str:
    """Return what a scope names for an address: the address, its domain, or nothing for wider scopes."""
    if scope is Scope.ADDRESS:
        return address
    return address.rpartition("@")[2].casefold() if scope is Scope.DOMAIN else ""


def backoff(policy: Policy, attempt: int, luck: float) -> timedelta:
    """Return the pause after a try: full jitter under a limit that doubles, never below a second.

    Args:
        policy: the first pause and the longest one.
        attempt: the number of the try, from 1.
        luck: from 0 up to, not including, 1.
    """
    # https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter ("full jitter")
    ceiling = policy.backoff.total_seconds() * 2.0 ** min(max(attempt, 1) - 1, 60)
    seconds = luck * min(ceiling, policy.backoff_limit.total_seconds())
    return max(timedelta(seconds=seconds), SHORTEST)


def resume_at(pause: Pause, now: datetime, luck: float) -> datetime:
    """Return when a delivery that a pause holds up goes on: a little after it, not all at the same instant."""
    return pause.until + (pause.until - now) * luck * 0.1


def pause_for(pauses: Iterable[Pause], case: Case, now: datetime) -> Pause | None:
    """Return the longest of the pauses that hold up a delivery now, or None."""
    delivery = case.status.delivery
    found = [one for one in pauses if one.until > now and one.covers(delivery.channel, delivery.address)]
    return max(found, key=lambda one: one.until, default=None)


def put_back(case: Case, due_at: datetime, reason: str = "") -> Verdict:
    """Return the verdict on a delivery that was claimed and not tried: the try does not count."""
    status = case.status
    return Verdict(
        state=case.waiting,
        due_at=due_at,
        reason=reason or status.reason,
        provider_id=status.provider_id,
        attempt=status.delivery.attempt - 1,
    )
