"""The decisions about a delivery, without a database: what an outcome, an age, a lost worker lead to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import attrs
import pytest

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
from crmkit.contacts import PointKind
from crmkit.delivery.cases import (
    AUTH_PAUSE,
    LOOK_AGAIN,
    Case,
    Pause,
    Policy,
    backoff,
    pause_for,
    put_back,
    resume_at,
)
from crmkit.delivery.decide import admit, after, fault_of
from crmkit.delivery.handoff import Handoff, no_handoff
from crmkit.delivery.report import Tally
from crmkit.errors import DeliveryError
from crmkit.messages import Delivery, DeliveryState, DeliveryStatus, Repeat
from crmkit.transaction.reactions import Failure

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
POLICY = Policy(attempts=3, max_age=timedelta(days=3), backoff=30 * SECOND, backoff_limit=6 * HOUR)
S = DeliveryState


def case(
    state: DeliveryState = S.QUEUED,
    *,
    dedup: Dedup | None = Dedup.NONE,
    attempt: int = 1,
    repeat: Repeat = Repeat.AT_LEAST_ONCE,
    age: timedelta = timedelta(0),
    expires_at: datetime = FOREVER,
    polls: bool = False,
) -> Case:
    delivery = Delivery(
        id=UUID(int=1),
        key="k",
        channel="fake",
        address="ann@X.example",
        topic="t",
        attempt=attempt,
        repeat=repeat,
        queued_at=NOW - age,
    )
    return Case(
        status=DeliveryStatus(
            delivery=delivery, state=state, reason="", due_at=NOW, expires_at=expires_at, provider_id="p"
        ),
        spec=ChannelSpec(name="fake", address_kind=PointKind.EMAIL, dedup=dedup) if dedup else None,
        uncertain=state is S.HANDED,
        polls=polls,
    )


def answered(outcome: Outcome, one: Case | None = None, luck: float = 0.5) -> Any:
    return after(one or case(), outcome, now=NOW, policy=POLICY, luck=luck)


def admitted(one: Case, hold: str = "") -> Any:
    return admit(one, now=NOW, policy=POLICY, hold=hold)


@pytest.mark.parametrize(
    "outcome, state, reason",
    [
        (Accepted("7"), S.SENT, ""),
        (Rejected("no such user", "bad_address"), S.REJECTED, "bad_address: no such user"),
        (Rejected("no"), S.REJECTED, "no"),
        (Pending("job 7"), S.PENDING, ""),
        (Deferred(reason="busy"), S.QUEUED, "busy"),
        (AuthLost("expired"), S.QUEUED, "the provider refused the account: expired"),
        (Unknown("reset"), S.HANDED, "reset"),
    ],
)
def test_each_outcome_leads_to_its_state(outcome: Outcome, state: DeliveryState, reason: str) -> None:
    verdict = answered(outcome)
    assert (verdict.state, verdict.reason) == (state, reason)


def test_a_pending_delivery_is_asked_about_later_if_its_channel_can_be_asked() -> None:
    assert answered(Pending("job 7")).due_at == FOREVER
    verdict = answered(Pending("job 7"), case(polls=True))
    assert verdict.due_at == NOW + 15 * SECOND and verdict.provider_id == "job 7"


@pytest.mark.parametrize(
    "outcome",
    [Deferred(), Deferred(scope="channel"), Unknown(), AuthLost()],
    ids=repr,
)
def test_a_poll_without_an_answer_leaves_a_pending_delivery_pending(outcome: Outcome) -> None:
    """Kills: queueing it again, which would send what the provider has already."""
    verdict = answered(outcome, case(S.PENDING, attempt=99, polls=True, dedup=Dedup.NONE))
    assert verdict.state is S.PENDING and verdict.provider_id == "p" and verdict.due_at > NOW


@pytest.mark.parametrize("dedup", Dedup)
@pytest.mark.parametrize("repeat", Repeat)
def test_law_05_an_unknown_outcome_ends_only_what_must_not_be_repeated(dedup: Dedup, repeat: Repeat) -> None:
    ends = dedup is Dedup.NONE and repeat is Repeat.AT_MOST_ONCE
    verdict = answered(Unknown("reset"), case(dedup=dedup, repeat=repeat))
    assert verdict.state is (S.UNKNOWN if ends else S.HANDED)
    lost = admitted(case(S.HANDED, dedup=dedup, repeat=repeat))
    assert (lost.state if lost else None) is (S.UNKNOWN if ends else None)


def test_a_worker_lost_before_the_hand_off_costs_nothing() -> None:
    assert admitted(case(S.CLAIMED, repeat=Repeat.AT_MOST_ONCE)) is None


def test_what_is_open_stays_open_when_a_further_try_is_deferred() -> None:
    """Kills: going back to `queued`, from which a lost worker's LOOKUP delivery would be sent unasked."""
    for outcome in (Deferred(), Deferred(scope="account"), AuthLost()):
        assert answered(outcome, case(S.HANDED, dedup=Dedup.LOOKUP)).state is S.HANDED
    assert put_back(case(S.HANDED), NOW).state is S.HANDED
    assert put_back(case(S.CLAIMED), NOW).state is S.QUEUED


def test_law_22_backoff_is_full_jitter_under_a_doubling_limit() -> None:
    assert [backoff(POLICY, attempt, 0.999999).seconds for attempt in (1, 2, 3)] == [29, 59, 119]
    assert backoff(POLICY, 3, 0.25) == 30 * SECOND
    assert backoff(POLICY, 1000, 0.5) == 3 * HOUR
    assert backoff(POLICY, 1, 0.0) == SECOND


def test_law_22_tries_are_bounded_in_number() -> None:
    assert answered(Deferred(reason="busy"), case(attempt=2)).state is S.QUEUED
    assert answered(Deferred(reason="busy"), case(attempt=3)).state is S.DEAD
    assert answered(Unknown("reset"), case(attempt=3)).state is S.UNKNOWN
    assert admitted(case(S.CLAIMED, attempt=4)).state is S.DEAD


def test_law_22_tries_are_bounded_in_age() -> None:
    assert admitted(case(age=timedelta(days=3))) is None
    assert admitted(case(age=timedelta(days=3, seconds=1))).state is S.DEAD
    assert admitted(case(S.PENDING, age=timedelta(days=4))).state is S.UNKNOWN
    assert answered(Deferred(retry_after=timedelta(days=9999))).due_at == NOW + POLICY.max_age


def test_an_outage_of_the_provider_ends_a_delivery_by_age_and_never_by_number() -> None:
    verdict = answered(Deferred(scope="channel", reason="down"), case(attempt=3))
    assert (verdict.state, verdict.attempt) == (S.QUEUED, 2)


def test_a_provider_is_asked_again_when_it_says_and_not_at_once() -> None:
    assert answered(Deferred(retry_after=90 * SECOND)).due_at == NOW + 90 * SECOND
    assert answered(Deferred(retry_after=-HOUR)).due_at == NOW + SECOND


def test_law_23_what_has_expired_is_not_sent() -> None:
    assert admitted(case(expires_at=NOW)).state is S.EXPIRED
    assert admitted(case(expires_at=NOW + timedelta(microseconds=1))) is None
    open_fate = admitted(case(S.HANDED, dedup=Dedup.KEY, expires_at=NOW))
    assert open_fate.state is S.UNKNOWN and "expired" in open_fate.reason
    assert admitted(case(S.HANDED, dedup=Dedup.LOOKUP, expires_at=NOW)) is None, "it can still be asked about"


def test_without_its_channel_a_delivery_is_held_and_an_open_one_waits() -> None:
    assert admitted(case(dedup=None)).reason == "no channel 'fake' is enabled"
    assert admitted(case(dedup=None)).state is S.HELD
    for state in (S.HANDED, S.PENDING):
        verdict = admitted(case(state, dedup=None))
        assert (verdict.state, verdict.due_at, verdict.attempt) == (state, NOW + LOOK_AGAIN, 0)


def test_on_hold_nothing_is_sent_and_nothing_expires() -> None:
    verdict = admitted(case(expires_at=NOW), hold="a copy")
    assert (verdict.state, verdict.reason, verdict.attempt) == (S.HELD, "a copy", 0)


def test_wide_scopes_pause_more_than_the_delivery() -> None:
    assert answered(Deferred()).pause is None
    pause = answered(Deferred(retry_after=HOUR, scope="domain", reason="slow down")).pause
    assert pause == Pause(
        channel="fake", scope=Scope.DOMAIN, value="x.example", until=NOW + HOUR, reason="slow down"
    )
    assert pause.covers("fake", "bob@x.EXAMPLE") and not pause.covers("fake", "bob@y.example")
    assert not pause.covers("other", "bob@x.example")


def test_law_08_a_lost_account_pauses_and_the_try_does_not_count() -> None:
    verdict = answered(AuthLost("expired"), case(attempt=2))
    assert verdict.attempt == 1 and verdict.pause.alert and verdict.pause.scope is Scope.ACCOUNT
    assert verdict.pause.until == NOW + AUTH_PAUSE and verdict.due_at > verdict.pause.until


def test_the_longest_pause_counts_and_its_end_is_not_a_stampede() -> None:
    short = Pause(channel="fake", scope=Scope.CHANNEL, value="", until=NOW + HOUR, reason="")
    long = attrs.evolve(short, scope=Scope.DOMAIN, value="x.example", until=NOW + 2 * HOUR)
    assert pause_for([short, long], case(), NOW) == long
    assert pause_for([short, long], case(), NOW + 2 * HOUR) is None
    assert {resume_at(short, NOW, luck) for luck in (0.0, 0.5)} == {
        NOW + HOUR,
        NOW + HOUR + timedelta(minutes=3),
    }


@pytest.mark.parametrize(
    "answer",
    [None, True, "ok", Deferred(retry_after=30), Pending(state="x" * 301), Pending(state=None)],  # type: ignore[arg-type]
)
def test_an_answer_that_is_no_outcome_is_named(answer: Any) -> None:
    assert fault_of(answer).startswith("it answered ")


@pytest.mark.parametrize(
    "answer", [Accepted(), Pending("x"), Deferred(), Rejected("x"), AuthLost(), Unknown()]
)
def test_an_outcome_is_none_the_worse(answer: Outcome) -> None:
    assert fault_of(answer) == ""


def test_a_second_hand_off_writes_nothing() -> None:
    marks: list[int] = []
    handoff = Handoff(lambda: marks.append(1))
    handoff()
    handoff()
    assert marks == [1] and handoff.called


def test_a_hand_off_that_failed_goes_on_failing() -> None:
    """Kills: a channel that catches the error of its hand-off and tries it again gets through."""

    def mark() -> None:
        raise OSError("disk full")

    handoff = Handoff(mark)
    for _ in range(2):
        with pytest.raises(OSError, match="disk full"):
            handoff()
    assert not handoff.called


def test_the_ctx_of_open_hands_nothing_off() -> None:
    with pytest.raises(DeliveryError, match="ctx that send"):
        no_handoff()


def test_a_report_tells_each_distinct_failure_once() -> None:
    tally = Tally()
    failures = [Failure(owner="p", what="w", subject=str(i), error=ValueError("x")) for i in range(3)]
    assert [tally.is_new(one) for one in failures] == [True, False, False]
    tally.settled(S.HANDED)
    tally.settled(S.SENT)
    report = tally.report()
    assert (report.deferred, report.sent, len(report.failures)) == (1, 1, 1)
