"""What is to become of a delivery: pure decisions, without clock, database or luck of their own."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import attrs

from crmkit.channels import (
    Accepted,
    AuthLost,
    ChannelSpec,
    Dedup,
    Deferred,
    Outcome,
    Pending,
    Rejected,
    Scope,
    Unknown,
)
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

_SECOND = timedelta(seconds=1)
_PROVIDER_ID = 300


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
    return max(timedelta(seconds=seconds), _SECOND)


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


def admit(case: Case, *, now: datetime, policy: Policy, hold: str) -> Verdict | None:
    """Return what becomes of a due delivery without sending it, or None if it may be tried.

    Args:
        case: the delivery.
        now: the present instant.
        policy: how often and how long it is tried.
        hold: why nothing is sent at all, or empty.
    """
    over = _over(case, now, policy)
    absent = "" if case.spec else f"no channel {case.status.delivery.channel!r} is enabled"
    if case.waiting is DeliveryState.QUEUED:
        if hold or absent:
            return Verdict(
                state=DeliveryState.HELD, reason=hold or absent, attempt=case.status.delivery.attempt - 1
            )
        return over
    if over and not (case.spec and case.spec.dedup is Dedup.LOOKUP and case.uncertain):
        return Verdict(
            state=DeliveryState.UNKNOWN, reason=f"{over.reason}, and how its last try went is unknown"
        )
    if hold or absent:
        return put_back(case, now + LOOK_AGAIN, hold or absent)
    if case.uncertain and not case.repeatable:
        reason = "a worker ended after the hand-off and before the answer, and it is sent at most once"
        return Verdict(state=DeliveryState.UNKNOWN, reason=reason)
    return None


def _over(case: Case, now: datetime, policy: Policy) -> Verdict | None:
    status, delivery = case.status, case.status.delivery
    pending = status.state is DeliveryState.PENDING
    if status.expires_at <= now and not pending:
        return Verdict(state=DeliveryState.EXPIRED, reason=f"it expired at {status.expires_at.isoformat()}")
    if now - delivery.queued_at > policy.max_age:
        return Verdict(state=DeliveryState.DEAD, reason=f"it is older than {policy.max_age}")
    if delivery.attempt > policy.attempts and not pending:
        return Verdict(state=DeliveryState.DEAD, reason=f"it was tried {policy.attempts} times")
    return None


def after(case: Case, outcome: Outcome, *, now: datetime, policy: Policy, luck: float) -> Verdict:
    """Return what is written of a delivery after a try.

    Args:
        case: the delivery.
        outcome: what its channel answered.
        now: the present instant.
        policy: how often and with what pauses it is tried.
        luck: from 0 up to, not including, 1.
    """
    match outcome:
        case Accepted(id):
            return Verdict(state=DeliveryState.SENT, provider_id=str(id)[:_PROVIDER_ID])
        case Pending(state):
            return _pending(case, state, now, policy, luck)
        case Rejected(reason, code):
            return Verdict(state=DeliveryState.REJECTED, reason=f"{code}: {reason}" if code else reason)
        case Deferred():
            return _deferred(case, outcome, now, policy, luck)
        case AuthLost(reason):
            said = f"the provider refused the account: {reason}"
            pause = attrs.evolve(_pause(case, Scope.ACCOUNT, now + AUTH_PAUSE, said), alert=True)
            return attrs.evolve(put_back(case, resume_at(pause, now, luck), pause.reason), pause=pause)
        case Unknown(reason):
            return _unknown(case, reason, now, policy, luck)


def _pending(case: Case, state: str, now: datetime, policy: Policy, luck: float) -> Verdict:
    wait = backoff(policy, case.status.delivery.attempt, luck)
    due_at = now + wait if case.polls else FOREVER
    return Verdict(state=DeliveryState.PENDING, due_at=due_at, provider_id=state)


def _deferred(case: Case, outcome: Deferred, now: datetime, policy: Policy, luck: float) -> Verdict:
    attempt = case.status.delivery.attempt
    asked = outcome.retry_after
    wait = backoff(policy, attempt, luck) if asked is None else min(max(asked, _SECOND), policy.max_age)
    state, kept = case.waiting, case.status.provider_id
    if outcome.scope is not Scope.ADDRESS:
        # not this delivery's fault: an outage ends it by its age, never by the number of tries
        uncounted = min(attempt, policy.attempts - 1)
        pause = _pause(case, outcome.scope, now + wait, outcome.reason)
        return Verdict(
            state=state,
            due_at=pause.until,
            reason=outcome.reason,
            provider_id=kept,
            attempt=uncounted,
            pause=pause,
        )
    if attempt >= policy.attempts and state is not DeliveryState.PENDING:
        dead = DeliveryState.UNKNOWN if case.uncertain else DeliveryState.DEAD
        return Verdict(state=dead, reason=f"tried {attempt} times; the last: {outcome.reason}")
    return Verdict(state=state, due_at=now + wait, reason=outcome.reason, provider_id=kept)


def _unknown(case: Case, reason: str, now: datetime, policy: Policy, luck: float) -> Verdict:
    attempt = case.status.delivery.attempt
    pending = case.status.state is DeliveryState.PENDING
    if not pending and (not case.repeatable or attempt >= policy.attempts):
        return Verdict(state=DeliveryState.UNKNOWN, reason=reason)
    return Verdict(
        state=DeliveryState.PENDING if pending else DeliveryState.HANDED,
        due_at=now + backoff(policy, attempt, luck),
        reason=reason,
        provider_id=case.status.provider_id,
    )


def _pause(case: Case, scope: Scope, until: datetime, reason: str) -> Pause:
    delivery = case.status.delivery
    value = scope_value(scope, delivery.address)
    return Pause(channel=delivery.channel, scope=scope, value=value, until=until, reason=reason)


def fault_of(outcome: Any) -> str:
    """Return what is wrong with an answer of a channel, or empty text."""
    asked: Any = getattr(outcome, "retry_after", None)
    state: Any = getattr(outcome, "state", "")
    if not isinstance(outcome, Outcome):
        kinds = "Accepted, Pending, Deferred, Rejected, AuthLost, Unknown"
        return f"it answered {type(outcome).__name__}, which is none of {kinds}"
    if asked is not None and not isinstance(asked, timedelta):
        return f"it answered Deferred with retry_after={asked!r}; that must be a timedelta or None"
    if not isinstance(state, str) or len(state) > _PROVIDER_ID:
        return f"it answered Pending with a state that is no text of at most {_PROVIDER_ID} characters"
    return ""
