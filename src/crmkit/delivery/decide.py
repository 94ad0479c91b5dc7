"""What is to become of a delivery: pure decisions, without clock, database or luck of their own."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import attrs

from crmkit.channels import Accepted, AuthLost, Dedup, Deferred, Outcome, Pending, Rejected, Scope, Unknown
from crmkit.clock import FOREVER
from crmkit.delivery.cases import (
    AUTH_PAUSE,
    LOOK_AGAIN,
    SHORTEST,
    Case,
    Pause,
    Policy,
    Verdict,
    backoff,
    put_back,
    resume_at,
    scope_value,
)
from crmkit.messages import DeliveryState

_PROVIDER_ID = 300


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
    wait = backoff(policy, attempt, luck) if asked is None else min(max(asked, SHORTEST), policy.max_age)
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
