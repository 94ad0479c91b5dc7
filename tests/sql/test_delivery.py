"""Deliveries from claim to settlement: laws 15-24 on every database, each seen to fail when its cause is removed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

import crmkit.delivery.claim
import crmkit.delivery.decide
import crmkit.delivery.prepare
import crmkit.delivery.ready
import crmkit.sql.outbox
from crmkit import (
    Accepted,
    AuthLost,
    ContactPoint,
    Dedup,
    Deferred,
    DeliveryState,
    Message,
    MessageFailed,
    MessageSent,
    Pending,
    Problem,
    Rejected,
    Repeat,
    Template,
    Unknown,
    ValueRefused,
)
from crmkit.delivery.notes import Notes
from crmkit.delivery.settle import Settler
from crmkit.transaction.messages import Messages
from sql.channels import AFTER, BEFORE, LOST, Asked, Fake, Killed, Plugin, Post
from sql.hosts import order

HOUR = timedelta(hours=1)
S = DeliveryState


# The laws, as functions of a database, so that the mutants below can be tried on them.


def law_15_what_the_host_rolls_back_is_not_sent(url: str) -> None:
    post = Post(url)
    with post.crm.engine.connect() as connection, connection.begin() as transaction:
        tx = post.crm.join(connection)
        tx.messages.queue(message(), channel="fake", key="k", to=ContactPoint.email("ann@x.example"))
        transaction.rollback()
    assert post.run().sent == 0 and post.all() == []


def law_16_one_key_is_one_message(url: str) -> None:
    post = Post(url)
    assert post.queue("ann", "bob") == post.queue("ann", "bob")
    assert post.run().sent == 2 and post.run().sent == 0


def law_17_a_killed_worker_loses_nothing_and_repeats_only_what_may_be(url: str) -> None:
    post = Post(
        url, Fake(script={who: [step] for who, step in zip("abcdef", [BEFORE, AFTER, LOST] * 2, strict=True)})
    )
    often = post.queue("a", "b", "c", key="receipt")
    once = post.queue("d", "e", "f", key="code", repeat=Repeat.AT_MOST_ONCE)
    post.drain()
    effects = post.effects()
    assert [effects[id] for id in often] == [1, 1, 2]
    assert [effects[id] for id in once] == [1, 0, 1]
    assert post.states() == {**dict.fromkeys("abcd", "sent"), "e": "unknown", "f": "unknown"}


def law_18_each_outcome_is_written_before_the_next_hand_off(url: str) -> None:
    post = Post(url, Fake(script={"u5": [LOST]}))
    post.queue(*(f"u{number}" for number in range(8)))
    with pytest.raises(Killed):
        post.run()
    states = post.states()
    assert list(states.values()) == ["sent"] * 5 + ["handed"] + ["claimed"] * 2
    post.drain()
    assert sorted(post.effects().values()) == [1] * 7 + [2]


def law_19_progress_is_what_was_sent_never_what_was_read(url: str) -> None:
    post = Post(url, Fake(Dedup.KEY, script={"u1": [BEFORE, BEFORE]}))
    ids = post.queue("u0", "u1", "u2")
    post.drain()
    assert post.effects() == dict.fromkeys(ids, 1)


def law_20_a_late_worker_writes_nothing_over_a_later_claim(url: str) -> None:
    """The first worker hangs in its send until its lease is over; the second gets through meanwhile."""

    def hang(delivery: Any, ctx: Any) -> Any:
        post.clock.advance(HOUR)
        second.run()
        return Rejected("too late")

    post = Post(url, Fake(script={"ann": [hang]}))
    second = Post(url, tables=False, clock=post.clock)
    (id,) = post.queue("ann")
    report = post.run()
    assert (report.sent, report.rejected, post.state(id)) == (0, 0, S.SENT)
    post.run()
    assert "MessageFailed" not in post.events() and post.events().count("MessageSent") == 1


def law_21_one_bad_row_fails_nothing_else(url: str) -> None:
    bad = Template(name="broken", text="Dear {{ who }}")
    script = {"raises": [ValueError("boom")], "exits": [SystemExit(1)], "garbage": [lambda d, c: "sent"]}
    post = Post(url, Fake(script=script), templates=[bad])
    post.queue("raises", "exits", "garbage", "good", repeat=Repeat.AT_MOST_ONCE)
    post.queue("unrendered", key="t", template="broken")
    post.queue("last", key="z")
    report = post.run()
    states = post.states()
    assert (states["good"], states["last"], states["unrendered"]) == ("sent", "sent", "rejected")
    assert [states[who] for who in ("raises", "exits", "garbage")] == ["unknown"] * 3
    assert len(report.failures) == 3 and {failure.owner for failure in report.failures} == {"fakes"}


def law_22_retries_end_and_can_be_replayed(url: str) -> None:
    post = Post(url, Fake(script={"ann": [Deferred(reason="busy")] * 3}), settings={"core": {"attempts": 3}})
    (id,) = post.queue("ann")
    post.drain(6)
    assert post.get(id).state is S.DEAD and "tried 3 times; the last: busy" in post.get(id).reason
    assert len(post.channel.sends) == 3
    assert post.crm.replay() == 1
    assert post.run().sent == 1


def law_23_a_message_is_not_sent_late(url: str) -> None:
    post = Post(url)
    (id,) = post.queue("ann", expires_at=post.clock() + HOUR)
    post.clock.advance(HOUR)
    assert post.run().expired == 1 and post.state(id) is S.EXPIRED
    assert post.channel.sends == []
    assert post.crm.replay(id) == 0, "replaying it would only let it expire again"


def law_24_consent_is_asked_at_sending_time(url: str) -> None:
    gone: set[str] = set()
    plugin = Plugin(suppress=lambda delivery, contact: "unsubscribed" if delivery.address in gone else None)
    post = Post(url, plugin=plugin)
    ann, _ = post.queue("ann", "bob")
    gone.add("ann@x.example")
    report = post.run()
    assert (report.sent, report.suppressed) == (1, 1)
    assert post.get(ann).reason == "fakes: unsubscribed"
    assert len(post.channel.sends) == 1


Law = Callable[[str], None]
LAWS: dict[str, Law] = {name: value for name, value in list(globals().items()) if name.startswith("law_")}


def message(**fields: Any) -> Message:
    return Message(topic="test", text="Hello", **fields)


@pytest.mark.parametrize("law", LAWS.values(), ids=lambda law: law.__name__)
def test_law(law: Law, database_url: str) -> None:
    """Laws 15-24 of the channels' catalogue hold."""
    law(database_url)


# What each law would let through if the code that holds it were missing.


def _no_mark(patch: Any) -> None:
    """Law 17: the hand-off is not written."""
    patch.setattr(Settler, "hand_off", lambda self, ids, until: None)


def _marked_as_read(patch: Any) -> None:
    """Law 19: the claim itself counts as sent."""
    patch.setattr(
        crmkit.delivery.claim, "_states", lambda pairs: {S.SENT: [c.status.delivery.id for c, _ in pairs]}
    )
    patch.setattr(Settler, "flush", lambda self: None)
    claim = crmkit.sql.outbox.claim

    def gone(sql: Any, ids: Any, state: Any, token: Any, until: Any) -> None:
        claim(sql, ids, state, token, until + timedelta(days=9999))

    patch.setattr(crmkit.sql.outbox, "claim", gone)


def _written_at_the_end(patch: Any) -> None:
    """Law 18: outcomes are written once for the whole batch."""
    together = Settler._together

    def mark_only(self: Any, tx: Any, ids: Any, until: Any) -> Any:
        if not ids:
            return together(self, tx, ids, until)
        waiting, self._waiting = self._waiting, []
        try:
            return together(self, tx, ids, until)
        finally:
            self._kept = [*getattr(self, "_kept", []), *waiting]

    patch.setattr(Settler, "_together", mark_only)


def _unfenced(patch: Any) -> None:
    """Law 20: whoever comes last has the last word."""

    def settle(sql: Any, ids: Any, token: Any, values: Any) -> Any:
        table = sql.tables["deliveries"]
        sql.execute(update(table).where(table.c.id.in_(list(ids))).values(**values))
        return ids

    patch.setattr(crmkit.sql.outbox, "settle", settle)


def _contagious(patch: Any) -> None:
    """Law 21: what a channel raises goes through."""

    def blame(self: Any, step: str, subject: str, error: BaseException, **_: Any) -> None:
        raise error

    patch.setattr(Notes, "blame", blame)


def _endless(patch: Any) -> None:
    """Law 22: tries are not counted."""
    put_back = crmkit.delivery.decide.put_back
    patch.setattr(
        crmkit.delivery.decide,
        "_deferred",
        lambda case, outcome, now, policy, luck: put_back(case, now + HOUR),
    )


def _never_late(patch: Any) -> None:
    """Law 23: nothing expires."""
    patch.setattr(crmkit.delivery.decide, "_over", lambda case, now, policy: None)


def _unasked(patch: Any) -> None:
    """Law 24: what was allowed when it was queued is sent."""

    def prepare(crm: Any, channel: Any, case: Any, contact: Any) -> Any:
        return crmkit.delivery.prepare.rendered_delivery(crm, case.status)

    patch.setattr(crmkit.delivery.ready, "prepare", prepare)


def _always_new(patch: Any) -> None:
    """Law 16: a key is not looked at."""
    status = Messages._status

    def other(self: Any, message: Any, channel: str, key: str, *rest: Any) -> Any:
        return status(self, message, channel, f"{key}:{self._tx.new_id()}", *rest)

    patch.setattr(Messages, "_status", other)


@pytest.mark.parametrize(
    "law, mutate",
    [
        (law_16_one_key_is_one_message, _always_new),
        (law_17_a_killed_worker_loses_nothing_and_repeats_only_what_may_be, _no_mark),
        (law_18_each_outcome_is_written_before_the_next_hand_off, _written_at_the_end),
        (law_19_progress_is_what_was_sent_never_what_was_read, _marked_as_read),
        (law_20_a_late_worker_writes_nothing_over_a_later_claim, _unfenced),
        (law_21_one_bad_row_fails_nothing_else, _contagious),
        (law_22_retries_end_and_can_be_replayed, _endless),
        (law_23_a_message_is_not_sent_late, _never_late),
        (law_24_consent_is_asked_at_sending_time, _unasked),
    ],
    ids=lambda one: one.__name__,
)
def test_a_law_fails_without_what_holds_it(
    law: Law, mutate: Callable[[Any], None], sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each mutant is a worker that has been seen in the wild; law 15 needs none, it is the database's own."""
    mutate(monkeypatch)
    with pytest.raises((AssertionError, ValueError)):
        law(sqlite_url)


# The rest needs one database.


@pytest.fixture
def url() -> str:
    """A database in memory."""
    return "sqlite://"


@pytest.mark.parametrize("dedup", [Dedup.KEY, Dedup.NATURAL, Dedup.LOOKUP])
def test_where_a_repeat_is_harmless_a_killed_worker_means_one_effect(dedup: Dedup, url: str) -> None:
    script = {who: [step] * 2 for who, step in zip("abc", [BEFORE, AFTER, LOST], strict=True)}
    post = Post(url, (Asked if dedup is Dedup.LOOKUP else Fake)(dedup, script=script))
    ids = post.queue(*"abcd", repeat=Repeat.AT_MOST_ONCE)
    post.drain()
    assert post.effects() == dict.fromkeys(ids, 1) and set(post.states().values()) == {"sent"}


def test_a_lookup_that_fails_sends_nothing_until_it_answers(url: str) -> None:
    """Kills: forgetting at the second claim that the first had handed off."""
    channel = Asked(Dedup.LOOKUP, script={"ann": [LOST]})
    answers: list[Any] = [OSError("down"), Killed(), Deferred(), None]

    def lookup(delivery: Any, ctx: Any) -> Any:
        answer = answers.pop(0) if answers else None
        if isinstance(answer, BaseException):
            raise answer
        return answer or Accepted("found")

    channel.lookup = lookup  # type: ignore[method-assign]
    post = Post(url, channel)
    post.queue("ann")
    post.drain()
    assert post.states() == {"ann": "sent"} and len(channel.sends) == 1


def test_a_batch_of_a_harmless_channel_is_claimed_and_settled_whole(url: str) -> None:
    commits: list[int] = []
    post = Post(url, Fake(Dedup.KEY, batch=50))
    post.queue(*(f"u{number}" for number in range(120)))
    transact = post.crm.transact
    post.crm.transact = lambda *a, **k: (commits.append(1), transact(*a, **k))[1]  # type: ignore[method-assign]
    post.run(limit=0)
    idle, _ = len(commits), commits.clear()
    assert post.run().sent == 120
    assert len(commits) - idle <= 8, "three claims, three settlements, and the look that finds nothing more"


def test_a_class_none_delivery_costs_one_commit(url: str) -> None:
    commits: list[int] = []
    post = Post(url)
    post.queue(*(f"u{number}" for number in range(50)))
    transact = post.crm.transact
    post.crm.transact = lambda *a, **k: (commits.append(1), transact(*a, **k))[1]  # type: ignore[method-assign]
    post.run(limit=0)
    idle, _ = len(commits), commits.clear()
    assert post.run().sent == 50
    assert len(commits) - idle <= 50 + 3


def test_a_contact_is_given_to_the_hook_as_it_is_now(url: str) -> None:
    seen: list[str] = []
    post = Post(
        url, plugin=Plugin(suppress=lambda delivery, contact: seen.append(contact.name if contact else ""))
    )
    with post.crm.begin() as tx:
        ann = tx.contacts.add("Ann", points=[ContactPoint.email("ann@x.example")])
        tx.messages.queue(message(), channel="fake", key="k", contact_id=ann.id)
        tx.contacts.update(ann.id, name="Ann Marie")
    post.run()
    assert seen == ["Ann Marie"]


def test_a_contact_that_changes_during_a_slow_batch_is_read_anew(url: str) -> None:
    """Kills: asking about the contact as it was when the batch was claimed."""
    seen: list[str] = []
    post = Post(
        url, plugin=Plugin(suppress=lambda delivery, contact: seen.append(contact.name if contact else ""))
    )

    def slow(delivery: Any, ctx: Any) -> Any:
        post.clock.advance(seconds=11)
        with post.crm.begin() as tx:
            tx.contacts.update(people[1].id, name="Robert")
        return Accepted()

    with post.crm.begin() as tx:
        people = [
            tx.contacts.add(name, points=[ContactPoint.email(f"{name}@x.example")]) for name in ("ann", "bob")
        ]
        for one in people:
            tx.messages.queue(message(), channel="fake", key="k", contact_id=one.id)
    post.channel.script["ann"] = [slow]
    assert post.run().sent == 2
    assert seen == ["ann", "Robert"]


def test_a_slow_batch_keeps_its_lease(url: str) -> None:
    """Kills: a second worker taking over what the first has in hand."""
    post = Post(url)

    def slow(delivery: Any, ctx: Any) -> Any:
        post.clock.advance(minutes=1)
        assert post.run().sent == 0, "all is claimed"
        return Accepted()

    post.channel.script["*"] = [slow] * 20
    post.queue(*(f"u{number}" for number in range(20)))
    assert post.run().sent == 20 and len(post.channel.sends) == 20


def test_a_hand_off_after_the_lease_is_refused_and_nothing_is_sent(url: str) -> None:
    post = Post(url)

    def late(delivery: Any, ctx: Any) -> Any:
        post.clock.advance(HOUR)
        del post.channel.send
        post.run()
        ctx.handoff()
        raise AssertionError("not reached")

    (id,) = post.queue("ann")
    post.channel.send = late
    report = post.run()
    assert post.state(id) is S.SENT and len(post.channel.effects) == 1
    assert report.sent == 0 and report.failures == ()


def test_a_channel_that_swallows_a_refused_hand_off_changes_nothing(url: str) -> None:
    post = Post(url)

    def stubborn(delivery: Any, ctx: Any) -> Any:
        post.clock.advance(HOUR)
        del post.channel.send
        post.run()
        with suppress(BaseException):
            ctx.handoff()
        return Rejected("nonsense")

    (id,) = post.queue("ann")
    post.channel.send = stubborn
    post.run()
    assert post.state(id) is S.SENT


def test_a_plugin_that_cannot_tell_holds_the_delivery_back(url: str) -> None:
    """Law 24 fails closed."""

    def unsure(delivery: Any, contact: Any) -> str | None:
        raise OSError("the consent list is away")

    plugin = Plugin(suppress=unsure)
    post = Post(url, plugin=plugin)
    (id,) = post.queue("ann")
    report = post.run()
    assert report.deferred == 1 and "consent list is away" in post.get(id).reason and not post.channel.sends
    assert [failure.owner for failure in report.failures] == ["fakes"]
    plugin.suppress = lambda delivery, contact: None
    post.clock.advance(HOUR)
    assert post.run().sent == 1


def test_a_template_is_filled_in_when_it_is_sent(url: str) -> None:
    templates = [
        Template(name="hi", locale=locale, subject="{{ n }}!", text=text)
        for locale, text in (("", "Hello {{ n }}"), ("ka", "გამარჯობა {{ n }}"))
    ]
    post = Post(url, templates=templates)
    with post.crm.begin() as tx:
        nino = tx.contacts.add("Nino", points=[ContactPoint.email("nino@x.example")], locale="ka")
        said = Message(topic="t", template="hi", data={"n": 7})
        tx.messages.queue(said, channel="fake", key="k", contact_id=nino.id)
    post.run()
    (sent,) = post.channel.sends
    assert (sent.subject, sent.text, sent.attempt) == ("7!", "გამარჯობა 7", 1)


def test_a_template_nobody_has_holds_the_message_until_it_is_there(url: str) -> None:
    post = Post(url)
    (id,) = post.queue("ann", template="absent")
    assert post.run().held == 1 and "no template 'absent'" in post.get(id).reason


def test_check_refuses_before_the_network(url: str) -> None:
    post = Post(url)
    post.channel.__class__ = type(
        "Checking", (Fake,), {"check": lambda self, d: [Problem("text", "is too long")]}
    )
    (id,) = post.queue("ann")
    assert post.run().rejected == 1 and not post.channel.sends
    assert post.get(id).reason == "text: is too long"


def test_an_exception_before_the_hand_off_is_a_try_and_after_it_an_unknown(url: str) -> None:
    for early, state in ((True, "queued"), (False, "unknown")):
        post = Post(url, Fake(early=early, script={"ann": [RuntimeError("bang")]}))
        post.queue("ann", repeat=Repeat.AT_MOST_ONCE)
        post.run()
        assert post.states() == {"ann": state}
        assert [row.owner for row in post.crm.failures()] == ["fakes"]


def test_a_strict_crm_raises_once_the_row_is_written(url: str) -> None:
    post = Post(url, Fake(script={"ann": [RuntimeError("bang")]}), strict=True)
    post.queue("ann", "bob", repeat=Repeat.AT_MOST_ONCE)
    with pytest.raises(RuntimeError, match="bang"):
        post.run()
    assert post.states() == {"ann": "unknown", "bob": "sent"}


def test_an_interrupt_leaves_nothing_claimed(url: str) -> None:
    """Ctrl-C: the answers so far are written, the one in the air stays open, the rest is queued again."""
    post = Post(url, Fake(script={"u1": [KeyboardInterrupt()]}))
    post.queue("u0", "u1", "u2")
    with pytest.raises(KeyboardInterrupt):
        post.run()
    assert post.states() == {"u0": "sent", "u1": "handed", "u2": "queued"}
    assert [status.delivery.attempt for status in post.all()] == [1, 1, 0]


def test_a_send_without_a_hand_off_is_told(url: str) -> None:
    post = Post(url, Fake(early=True))
    post.queue("ann", "bob")
    report = post.run()
    assert report.sent == 2 and len(report.failures) == 1
    assert "without calling ctx.handoff()" in post.crm.failures()[0].error


def test_a_channel_that_does_not_open_defers_its_batch_and_nobody_elses(url: str) -> None:
    class Shut(Fake):
        def open(self, ctx: Any) -> Any:
            raise OSError("no route")

    post = Post(url, plugin=Plugin([Shut(name="shut")]))
    with post.crm.begin() as tx:
        for number in range(3):
            to = ContactPoint.email(f"s{number}@x.example")
            tx.messages.queue(message(), channel="shut", key="k", to=to)
    post.queue("ann")
    report = post.run()
    assert (report.sent, report.deferred) == (1, 3)
    assert [failure.what for failure in report.failures] == ["channel shut: open"]
    assert sorted(status.delivery.attempt for status in post.all()) == [0, 0, 1, 1]


def test_a_connection_that_does_not_close_costs_no_outcome(url: str) -> None:
    class Sticky(Fake):
        def open(self, ctx: Any) -> Any:
            return self

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *exception: object) -> None:
            raise OSError("reset by peer")

    post = Post(url, Sticky())
    post.queue("ann")
    report = post.run()
    assert report.sent == 1 and [failure.what for failure in report.failures] == ["channel fake: close"]
    assert len(post.crm.failures()) == 1


def test_what_is_known_is_written_before_the_connection_is_closed(url: str) -> None:
    """Kills: a worker that dies while it says goodbye, and with it the answers it has."""

    class Slow(Fake):
        def open(self, ctx: Any) -> Any:
            return self

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *exception: object) -> None:
            raise Killed

    post = Post(url, Slow())
    post.queue("ann", "bob")
    with pytest.raises(Killed):
        post.run()
    assert set(post.states().values()) == {"sent"}


class Many(Fake):
    """Sends batches whole."""

    answer: Any = None

    def send_many(self, deliveries: Any, ctx: Any) -> Any:
        ctx.handoff()
        self.sends += deliveries
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer or [
            Rejected("no") if d.address.startswith("bad") else Accepted() for d in deliveries
        ]


def test_a_batch_sender_gets_the_batch_and_answers_for_each(url: str) -> None:
    post = Post(url, Many())
    post.queue("ann", "bad", "bob")
    report = post.run()
    assert (report.sent, report.rejected, len(post.channel.sends)) == (2, 1, 3)


@pytest.mark.parametrize(
    "answer", [[Accepted()], "ok", OSError("gone")], ids=["too few", "no outcomes", "an exception"]
)
def test_a_batch_whose_answer_is_lost_is_unknown_whole(answer: Any, url: str) -> None:
    channel = Many()
    channel.answer = answer
    post = Post(url, channel)
    post.queue("ann", "bob", repeat=Repeat.AT_MOST_ONCE)
    report = post.run()
    assert (report.unknown, len(report.failures)) == (2, 1)


def test_a_killed_batch_sender_repeats_its_batch_only_at_least_once(url: str) -> None:
    channel = Many()
    channel.answer = Killed()
    post = Post(url, channel)
    post.queue("ann", key="often")
    post.queue("bob", key="once", repeat=Repeat.AT_MOST_ONCE)
    with pytest.raises(Killed):
        post.run()
    channel.answer = None
    post.drain()
    assert post.states() == {"ann": "sent", "bob": "unknown"}


def test_law_06_a_wide_deferral_pauses_the_channel_for_all_workers(url: str) -> None:
    post = Post(url, Fake(script={"u0": [Deferred(timedelta(minutes=10), scope="channel", reason="429")]}))
    post.queue("u0", "u1", "u2")
    assert (post.run().deferred, len(post.channel.sends)) == (3, 1)
    post.queue("u3")
    assert post.run().deferred == 1, "another worker finds the pause in the database"
    assert post.get(post.all()[1].delivery.id).delivery.attempt == 0
    post.clock.advance(minutes=12)
    assert post.run().sent == 4


def test_a_domain_pauses_alone(url: str) -> None:
    post = Post(url, Fake(script={"u0": [Deferred(timedelta(hours=1), scope="domain")]}))
    post.queue("u0", "u1")
    with post.crm.begin() as tx:
        tx.messages.queue(message(), channel="fake", key="k", to=ContactPoint.email("u2@y.example"))
    report = post.run()
    assert (report.sent, report.deferred, post.states()["u2"]) == (1, 2, "sent")


def test_law_08_a_lost_account_pauses_once_with_one_alert(url: str) -> None:
    post = Post(url, Fake(script={"*": [AuthLost("401 for ann@x.example")] * 2}))
    post.queue("u0", "u1", "u2")
    for _ in range(3):
        post.run()
    assert len(post.channel.sends) == 1 and set(post.states().values()) == {"queued"}
    assert len(post.crm.failures()) == 1 and "401" in post.crm.failures()[0].error
    post.clock.advance(minutes=17)
    post.run()
    assert len(post.channel.sends) == 2 and len(post.crm.failures()) == 2
    post.clock.advance(minutes=17)
    assert post.run().sent == 3
    assert {status.delivery.attempt for status in post.all()} == {1}


def test_law_08_two_workers_that_lose_the_account_at_once_raise_one_alert(url: str) -> None:
    def meanwhile(delivery: Any, ctx: Any) -> Any:
        post.run()
        return AuthLost("401")

    post = Post(url, Fake(batch=1, script={"u0": [meanwhile], "u1": [AuthLost("401")]}))
    post.queue("u0", "u1")
    post.run(limit=1)
    assert len(post.channel.sends) == 2 and len(post.crm.failures()) == 1


def test_a_pending_delivery_is_polled_until_the_provider_says(url: str) -> None:
    polls: list[str] = []
    answers = [Pending("job 7b"), Deferred(), OSError("down"), Killed(), Unknown(), Accepted("m7")]

    def poll(state: str, ctx: Any) -> Any:
        polls.append(state)
        answer = answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    channel = Fake(script={"ann": [Pending("job 7")]})
    channel.poll = poll  # type: ignore[attr-defined]
    post = Post(url, channel)
    (id,) = post.queue("ann", repeat=Repeat.AT_MOST_ONCE)
    assert post.run().pending == 1
    post.drain()
    assert polls == ["job 7", *["job 7b"] * 5] and len(channel.sends) == 1
    assert (post.get(id).state, post.get(id).provider_id) == (S.SENT, "m7")


def test_a_copy_of_production_holds_and_says_how_to_release(url: str) -> None:
    post = Post(url)
    post.crm.settings = type(post.crm.settings)(installation="the copy")
    (id,) = post.queue("ann")
    assert post.run().held == 1 and not post.channel.sends
    assert "crm.adopt()" in post.get(id).reason and "crm.release()" in post.get(id).reason
    post.crm.adopt()
    assert post.run().sent == 0, "held is held until somebody says so"
    assert post.crm.release() == 1 and post.run().sent == 1


@pytest.mark.parametrize("how", ["hold", "log"])
def test_deliver_hold_and_log_send_nothing(how: str, url: str, caplog: pytest.LogCaptureFixture) -> None:
    post = Post(url, deliver=how)
    post.queue("ann", subject="Your order")
    with caplog.at_level(logging.INFO, "crmkit.delivery"):
        assert post.run().held == 1
    assert post.events() == [] and not post.channel.sends
    told = "not sent: fake to ann@x.example: Your order"
    assert (told in caplog.text) is (how == "log")


def test_release_finds_an_address_that_was_missing(url: str) -> None:
    post = Post(url)
    with post.crm.begin() as tx:
        ann, bob = (tx.contacts.add(name) for name in ("Ann", "Bob"))
        held = [
            tx.messages.queue(message(), channel="fake", key=one.name, contact_id=one.id).delivery.id
            for one in (ann, bob)
        ]
        tx.messages.queue(message(), channel="later", key="k", contact_id=ann.id)
        tx.contacts.remember(ann.id, ContactPoint.email("ann@x.example"))
    assert post.crm.release() == 1
    assert post.run().sent == 1
    assert (post.state(held[0]), post.state(held[1])) == (S.SENT, S.HELD)
    reasons = {status.reason for status in post.all() if status.state is S.HELD}
    assert reasons == {"the contact has no email point", "no channel 'later' is enabled"}


def test_release_does_not_send_twice_what_was_queued_to_the_address_meanwhile(url: str) -> None:
    post = Post(url)
    with post.crm.begin() as tx:
        ann = tx.contacts.add("Ann")
        tx.messages.queue(message(), channel="fake", key="k", contact_id=ann.id)
        tx.contacts.remember(ann.id, ContactPoint.email("ann@x.example"))
        tx.messages.queue(message(), channel="fake", key="k", contact_id=ann.id)
    assert post.crm.release() == 1 and post.run().sent == 1 and post.run().sent == 0


def test_an_erased_address_is_refused(url: str) -> None:
    post = Post(url)
    (id,) = post.queue("ann")
    with post.crm.begin() as tx:
        table = tx.table("deliveries")
        tx.sql.execute(update(table).where(table.c.id == id).values(address=""))
    assert post.run().rejected == 1 and not post.channel.sends


def test_replay_takes_what_is_named(url: str) -> None:
    post = Post(url, Fake(script={"ann": [Rejected("no")], "bob": [Rejected("no")]}))
    ann, bob = post.queue("ann", "bob")
    post.run()
    assert post.crm.replay() == 0, "none is dead"
    assert post.crm.replay(ann) == 1 and post.crm.replay(ann) == 0
    post.clock.advance(days=9)
    assert post.crm.replay(bob) == 1, "its age counts from the replay"
    post.run()
    assert post.states() == {"ann": "dead", "bob": "sent"}


def test_events_tell_what_came_of_a_message(url: str) -> None:
    post = Post(url, Fake(script={"bob": [Rejected("no such mailbox bob@x.example")]}))
    post.queue("ann", "bob")
    post.run()
    post.run()
    with post.crm.begin() as tx:
        sent, failed = (entry.event for entry in tx.events.since(0))
    assert isinstance(sent, MessageSent) and sent.provider_id == "id-ann"
    assert isinstance(failed, MessageFailed) and failed.state == "rejected"
    assert failed.reason == "no such mailbox <the address>", "events outlive the erasure of a person"


def test_an_essential_reaction_that_fails_does_not_unsend(url: str) -> None:
    def refuse(tx: Any, entry: Any) -> None:
        raise RuntimeError("the ledger is closed")

    for strict in (False, True):
        post = Post(url, plugin=Plugin(reaction=refuse, essential=True, to=MessageSent), strict=strict)
        post.queue("ann", "bob")
        with suppress(RuntimeError):
            report = post.run()
            assert report.sent == 2 and report.failures[0].owner == "reactions"
        assert set(post.states().values()) == {"sent"} and len(post.channel.sends) == 2
        assert "the ledger is closed" in post.crm.failures()[0].error


def test_what_reactions_append_is_committed_with_the_outcome(url: str) -> None:
    def queue_next(tx: Any, entry: Any) -> None:
        if entry.event.topic == "test":
            follow = Message(topic="follow-up", text="And?")
            tx.messages.queue(follow, channel="fake", key="next", to=ContactPoint.email("next@x.example"))

    post = Post(url, plugin=Plugin(reaction=queue_next, to=MessageSent))
    post.queue("ann")
    assert post.run().sent == 2, "the follow-up was due at once"


def test_what_ends_workers_is_found_out_and_ends_nothing_else(url: str) -> None:
    """Law 21 for a row that kills: after two lost claims a delivery is claimed alone.

    Kills: claiming a killed batch whole again and again, until all of it is dead.
    """
    post = Post(url, Fake(Dedup.KEY, script={"u1": [BEFORE] * 99}))
    post.queue(*(f"u{number}" for number in range(5)))
    post.drain(30)
    states = post.states()
    assert states.pop("u1") == "unknown" and set(states.values()) == {"sent"}


def test_each_channel_has_its_own_batch(url: str) -> None:
    small, large = Many(name="small", batch=2), Many(name="large", batch=5)
    sizes: dict[str, list[int]] = {"small": [], "large": []}
    for channel in (small, large):
        send_many = channel.send_many
        channel.send_many = lambda ds, ctx, n=channel.name, send=send_many: (
            sizes[n].append(len(ds)),
            send(ds, ctx),
        )[1]  # type: ignore[misc,method-assign]
    post = Post(url, small, plugin=Plugin([large]))
    with post.crm.begin() as tx:
        for number in range(7):
            for name in sizes:
                to = ContactPoint.email(f"u{number}@x.example")
                tx.messages.queue(message(), channel=name, key="k", to=to)
    assert post.run().sent == 14
    assert max(sizes["small"]) <= 2 and max(sizes["large"]) <= 5


@pytest.mark.parametrize(
    "wrong",
    [{"limit": -1}, {"limit": "10"}, {"lease": timedelta(seconds=-1)}, {"lease": 60}, {"relay": ""}],
    ids=repr,
)
def test_a_wrong_argument_is_named_and_nothing_is_done(wrong: Any, url: str) -> None:
    post = Post(url)
    post.queue("ann")
    with pytest.raises(ValueRefused, match=next(iter(wrong))):
        post.run(**wrong)
    assert post.states() == {"ann": "queued"}


def test_the_limit_limits(url: str) -> None:
    post = Post(url)
    post.queue(*(f"u{number}" for number in range(7)))
    assert [post.run(limit=3).sent for _ in range(4)] == [3, 3, 1, 0]


def test_an_order_and_its_message_are_one_transaction(url: str) -> None:
    post = Post(url)
    with suppress(ZeroDivisionError), post.crm.begin() as tx:
        tx.orders.record(order(placed_at=post.clock()))
        tx.messages.queue(message(), channel="fake", key="thanks", to=ContactPoint.email("ann@x.example"))
        1 / 0  # noqa: B018
    assert post.run().sent == 0
