"""What follows a commit besides sending: positions, signals at least once, jobs one at a time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

import crmkit.delivery.relay
import crmkit.delivery.run
from crmkit import (
    CRM,
    ContactAdded,
    ContactPoint,
    Event,
    Job,
    LogEntry,
    Message,
    MessageSent,
    RetryTransaction,
)
from crmkit.testing import FakeClock
from sql.channels import Killed, Plugin, Post

HOUR = timedelta(hours=1)
HELLO = Message(topic="test", text="Hello")


def listener(crm: CRM, event: type[Event] = Event) -> list[str]:
    """Connect a receiver; return the list of keys to which it adds what it hears."""
    heard: list[str] = []
    crm.signals.connect(event, lambda entry: heard.append(entry.key))
    return heard


def append(crm: CRM, *keys: str) -> None:
    """Commit an event under each key."""
    with crm.begin() as tx:
        for key in keys:
            tx.events.append(ContactAdded(name=key), key=key)


def position(crm: CRM, relay: str = "default") -> int:
    """Return the place that is stored for a relay."""
    cursors = crm.tables["cursors"]
    with crm.engine.connect() as connection:
        found: int = connection.execute(
            select(cursors.c.position).where(cursors.c.name == f"relay:{relay}")
        ).scalar_one()
    return found


@pytest.fixture
def post() -> Post:
    """A CRM in memory."""
    return Post("sqlite://")


def test_a_host_transaction_that_rolls_back_sends_and_tells_nothing(database_url: str) -> None:
    post = Post(database_url)
    heard = listener(post.crm)
    with Session(create_engine(database_url)) as session:
        tx = post.crm.join(session)
        ann = tx.contacts.find_or_add([ContactPoint.email("ann@x.example")])
        tx.messages.queue(HELLO, channel="fake", key="k", contact_id=ann.id)
        session.rollback()
    report = post.run()
    assert (report.numbered, report.relayed, report.sent, heard) == (0, 0, 0, [])


def test_a_savepoint_released_inside_a_rolled_back_transaction_sends_nothing(database_url: str) -> None:
    """The host's engine is stock: on SQLite its driver begins at the first write unless somebody joins first."""
    post = Post(database_url)
    heard = listener(post.crm)
    with Session(create_engine(database_url)) as session:
        post.crm.join(session)
        with session.begin_nested():
            tx = post.crm.join(session)
            ann = tx.contacts.find_or_add([ContactPoint.email("ann@x.example")])
            tx.messages.queue(HELLO, channel="fake", key="k", contact_id=ann.id)
        session.rollback()
    assert post.run().sent == 0 and heard == [] and post.all() == []


@pytest.mark.parametrize("database", ["postgresql", "mariadb"])
def test_a_transaction_that_began_earlier_and_commits_later_is_relayed_once(
    database: str, request: pytest.FixtureRequest
) -> None:
    """Kills: relaying by id or by time. SQLite has one writer at a time, so there it cannot happen."""
    url = request.getfixturevalue(f"{database}_url")
    post = Post(url)
    heard = listener(post.crm)
    engine = create_engine(url)
    with engine.connect() as a, engine.connect() as b, a.begin(), b.begin():
        post.crm.join(a).events.append(ContactAdded(), key="A")
        post.crm.join(b).events.append(ContactAdded(), key="B")
        b.commit()
        assert post.run().relayed == 1 and heard == ["B"]
        a.commit()
    assert post.run().relayed == 1 and post.run().relayed == 0
    assert heard == ["B", "A"]


def test_events_are_told_once_in_the_order_of_positions(database_url: str) -> None:
    post = Post(database_url)
    heard = listener(post.crm, ContactAdded)
    append(post.crm, *"abc")
    assert (post.run().relayed, post.run().relayed) == (3, 0)
    append(post.crm, "d")
    post.run()
    assert heard == list("abcd") and position(post.crm) == 4


def test_a_new_name_begins_where_the_log_stands_and_default_at_its_start(post: Post) -> None:
    append(post.crm, "a")
    post.run(relay="web")
    heard = listener(post.crm)
    append(post.crm, "b")
    assert (post.run(relay="web").relayed, post.run().relayed) == (1, 2)
    assert heard == ["b", "a", "b"]


def test_each_name_hears_every_event(post: Post) -> None:
    heard = listener(post.crm)
    post.run(relay="web")
    post.run(relay="search")
    append(post.crm, "a", "b")
    for relay in ("web", "search", "web", "search"):
        post.run(relay=relay)
    assert heard == ["a", "b", "a", "b"]


def test_a_process_that_dies_tells_again_from_the_last_stored_place(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At least once. Kills: storing the place before the receivers were told."""
    monkeypatch.setattr(crmkit.delivery.relay, "PAGE", 2)
    heard: list[str] = []
    die = ["d"]

    def receive(entry: LogEntry) -> None:
        heard.append(entry.key)
        if entry.key in die:
            die.clear()
            raise Killed

    post.crm.signals.connect(Event, receive)
    append(post.crm, *"abcde")
    with pytest.raises(Killed):
        post.run()
    assert post.run().relayed == 0, "the dead process's lease is not over"
    post.clock.advance(HOUR)
    post.run()
    assert heard == list("abcd") + list("cde")


def test_a_receiver_that_raises_is_recorded_and_hurts_no_one(post: Post) -> None:
    def bad(entry: LogEntry) -> None:
        raise ValueError(f"cannot take {entry.key}")

    post.crm.signals.connect(Event, bad)
    heard = listener(post.crm)
    append(post.crm, "a", "b")
    report = post.run()
    assert heard == ["a", "b"] and report.relayed == 2 and len(report.failures) == 2
    row = post.crm.failures()[0]
    assert (row.owner, row.subject) == ("signals", "b") and "cannot take b" in row.error
    assert row.what.endswith("bad")
    assert post.run().relayed == 0, "it is not told again"


def test_a_strict_crm_raises_what_a_receiver_raised_after_the_others(post: Post) -> None:
    post.crm.strict = True
    post.crm.signals.connect(ContactAdded, lambda entry: 1 / 0)
    heard = listener(post.crm)
    append(post.crm, "a")
    with pytest.raises(ZeroDivisionError):
        post.run()
    assert heard == ["a"] and post.run().relayed == 0


def test_without_receivers_no_event_is_loaded(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    append(post.crm, "a")
    monkeypatch.setattr("crmkit.transaction.events.Events.since", lambda *a, **k: 1 / 0)
    assert post.run().relayed == 0 and position(post.crm) == 1


def test_what_a_receiver_appends_is_relayed_later(post: Post) -> None:
    heard = listener(post.crm)

    def follow(entry: LogEntry) -> None:
        if entry.key == "a":
            append(post.crm, "b")

    post.crm.signals.connect(ContactAdded, follow)
    append(post.crm, "a")
    assert [post.run().relayed for _ in range(3)] == [1, 1, 0]
    assert heard == ["a", "b"]


def test_one_process_at_a_time_moves_a_relay(post: Post) -> None:
    """Kills: two workers that tell the same events at once; the slow one must not move the place back."""
    heard = listener(post.crm)
    inner: list[int] = []

    def slow(entry: LogEntry) -> None:
        if entry.key == "a" and not inner:
            inner.append(post.run().relayed)
            post.clock.advance(HOUR)
            append(post.crm, "c")
            inner.append(post.run().relayed)

    post.crm.signals.connect(Event, slow)
    append(post.crm, "a", "b")
    post.run()
    assert inner == [0, 3], "the lease holds, and once it is over the second goes on from the stored place"
    assert position(post.crm) == 3 and heard == ["a", "a", "b", "c"]


def test_a_message_that_is_sent_is_told(post: Post) -> None:
    heard = listener(post.crm, MessageSent)
    (id,) = post.queue("ann")
    post.run()
    post.run()
    assert heard == [f"message:{id}:sent"]


def test_a_step_that_fails_is_told_after_the_others_had_their_turn(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any) -> int:
        raise RetryTransaction("the numberer always loses")

    post.queue("ann")
    monkeypatch.setattr(crmkit.delivery.run, "number_events", fail)
    with pytest.raises(RetryTransaction, match="always loses"):
        post.run()
    assert post.states() == {"ann": "sent"}


def test_many_events_are_numbered_in_one_run(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crmkit.delivery.run, "_NUMBERED_AT_ONCE", 2)
    append(post.crm, *"abcde")
    assert post.run().numbered == 5 and len(post.events()) == 5


# Jobs


def worker(url: str, *jobs: Job, clock: FakeClock | None = None, **options: Any) -> Post:
    """Return a CRM with jobs."""
    return Post(url, plugin=Plugin(jobs=jobs), tables=clock is None, clock=clock, **options)


def test_a_job_runs_when_it_is_due(database_url: str) -> None:
    runs: list[CRM] = []
    post = worker(database_url, Job("count", runs.append, every=HOUR))
    assert [post.run().jobs for _ in range(2)] == [1, 0]
    post.clock.advance(minutes=59)
    assert post.run().jobs == 0
    post.clock.advance(minutes=1)
    assert post.run().jobs == 1
    assert runs == [post.crm, post.crm]


def test_one_process_at_a_time_runs_a_job(sqlite_url: str) -> None:
    runs: list[int] = []

    def slow(crm: CRM) -> None:
        post.clock.advance(minutes=30)
        runs.append(other.run().jobs)

    post = worker(sqlite_url, Job("slow", slow, every=HOUR))
    other = worker(sqlite_url, Job("slow", lambda crm: runs.append(99), every=HOUR), clock=post.clock)
    assert post.run().jobs == 1 and runs == [0]


def test_a_job_that_fails_is_recorded_and_tried_again_sooner() -> None:
    broken = [True]

    def job(crm: CRM) -> None:
        if broken:
            raise OSError("no exchange rates")

    other: list[CRM] = []
    post = worker("sqlite://", Job("rates", job, every=timedelta(days=1)), Job("other", other.append))
    report = post.run()
    assert report.jobs == 2 and len(other) == 1
    row = post.crm.failures()[0]
    assert (row.owner, row.what) == ("fakes", "job rates") and "no exchange rates" in row.error
    due = []
    for _ in range(12):
        post.clock.advance(seconds=15)
        due.append(post.run().jobs)
    assert 1 <= sum(due) < 10, "again within seconds, then less and less often"
    broken.clear()
    post.clock.advance(days=1)
    post.run()
    post.clock.advance(hours=23)
    assert [failure.what for failure in post.run().failures] == []


def test_a_job_whose_process_died_runs_again_after_the_lease() -> None:
    lives = [Killed()]

    def job(crm: CRM) -> None:
        if lives:
            raise lives.pop()

    post = worker("sqlite://", Job("frail", job, every=timedelta(seconds=1)))
    with pytest.raises(Killed):
        post.run()
    assert post.run().jobs == 0
    post.clock.advance(minutes=5)
    assert post.run().jobs == 1


def test_a_strict_crm_raises_what_a_job_raised_after_the_deliveries() -> None:
    post = worker("sqlite://", Job("bad", lambda crm: 1 / 0), strict=True)
    post.queue("ann")
    with pytest.raises(ZeroDivisionError):
        post.run()
    assert post.states() == {"ann": "sent"}


def test_a_job_with_a_long_name_has_a_place_of_its_own() -> None:
    runs: list[str] = []
    jobs = [Job(f"{'x' * 150}{end}", lambda crm, end=end: runs.append(end)) for end in "ab"]  # type: ignore[misc]
    post = worker("sqlite://", *jobs)
    assert (post.run().jobs, post.run().jobs) == (2, 0)
    assert runs == ["a", "b"]
