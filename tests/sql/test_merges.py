"""Merges on every database: undone as if they had never been, together with others, and seen by what is sent."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from uuid import UUID

import pytest

import crmkit.sql.merges as sql_merges
from crmkit import (
    CRM,
    ContactPoint,
    CrmkitError,
    DeliveryState,
    Merge,
    MergeRefused,
    Message,
    Money,
    NotFound,
    Order,
    OrderLine,
    Refund,
    Transaction,
    ValueRefused,
)
from crmkit.testing import FakeClock, RecordingChannel
from crmkit_loyalty import Loyalty
from logical import differences, images, views

LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"], scope="module")
def crm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CRM]:
    """One database for all tests: making the tables takes longer than they do; each has people of its own."""
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path_factory.mktemp('db') / 'crm.db'}"
        if request.param != "sqlite":
            url = stack.enter_context(request.getfixturevalue(f"{request.param}_server").database())
        made = CRM(url, plugins=["loyalty", RecordingChannel()], clock=FakeClock(), strict=True)
        stack.callback(made.engine.dispose)
        made.create_tables()
        yield made


def email(who: str) -> ContactPoint:
    return ContactPoint.email(f"{who}@example.com")


def people(tx: Transaction, *names: str) -> list[UUID]:
    """Add contacts, each at an address of its own."""
    return [tx.contacts.add(name.title(), points=[email(name)]).id for name in names]


def buy(tx: Transaction, key: str, id: UUID, pounds: int = 100) -> None:
    line = OrderLine("TEA", 1, Money(pounds * 100, "GBP"))
    tx.orders.record(Order(key, (line,), placed_at=tx.now, contact_id=id), state="paid")


def test_an_undone_chain_of_merges_leaves_every_read_as_it_was(crm: CRM) -> None:
    points = [email(name) for name in ("ada", "bob", "cai", "dee")]
    with crm.begin() as tx:
        ids = people(tx, "ada", "bob", "cai", "dee")
        for number, id in enumerate(ids):
            buy(tx, f"O{number}", id)
            tx.contacts.tags.add(id, f"tag {number}")
        Loyalty(tx).redeem(ids[0], 30, "first")
    with crm.begin() as tx:
        before = views(tx, ids, points)
        rows = images(crm) if crm.engine.dialect.name != "sqlite" else {}
    merges = []
    for loser, into in ((0, 1), (2, 1), (1, 3)):
        with crm.begin() as tx:
            merges.append(tx.merges.merge(ids[loser], ids[into], reason="same person", details={"score": 9}))
            assert tx.merges.merge(ids[loser], ids[into]) == merges[-1]
    with crm.begin() as tx:
        ann, dan = tx.contacts.get(ids[0]), tx.contacts.get(ids[3])
        assert ann == dan and ann.points == (points[3], *points[:3])
        assert tx.contacts.ids(ids[2]) == (ids[3], ids[0], ids[1], ids[2])
        assert Loyalty(tx).balance(ids[1]) == 370
        assert tx.contacts.tags.of(ids[0]) == ("tag 0", "tag 1", "tag 2", "tag 3")
        assert [contact.id for contact in tx.contacts.page() if contact.id in ids] == [ids[3]]
        for loser, into in ((3, 0), (1, 2)):
            with pytest.raises(MergeRefused):
                tx.merges.merge(ids[loser], ids[into])
        assert {merge.id for merge in tx.merges.history(ids[0])} == {merge.id for merge in merges}
    for merge in (merges[1], merges[0], merges[2]):
        with crm.begin() as tx:
            assert tx.merges.unmerge(merge.id).until == tx.now
        crm.clock.advance(timedelta(hours=1))  # type: ignore[attr-defined]
        with crm.begin() as tx:
            assert tx.merges.unmerge(merge.id) == tx.merges.get(merge.id)  # undone once
    with crm.begin() as tx:
        assert differences(views(tx, ids, points), before) == []
        assert not any(merge.holds for merge in tx.merges.latest(limit=3))
    for name in rows.keys() - {"contact_merges", "contact_aliases", "cursors", "events", "event_personal"}:
        assert images(crm)[name] == rows[name], name


def test_what_was_recorded_meanwhile_stays_where_it_was_addressed(crm: CRM) -> None:
    with crm.begin() as tx:
        ann, ben = people(tx, "ann", "ben")
        buy(tx, "A1", ann)
        buy(tx, "B1", ben)
        merge = tx.merges.merge(ann, ben)
    with crm.begin() as tx:
        buy(tx, "A2", ann)
        line = OrderLine("TEA", 1, Money(5000, "GBP"))
        outcome = tx.orders.record(
            Order("A3", (line,), placed_at=tx.now, points=(email("ann"),)), state="paid"
        )
        assert (outcome.contact_id, tx.contacts.get(ann).id) == (ann, ben)
        again = tx.orders.record(Order("A3", (line,), placed_at=tx.now, contact_id=ben), state="paid")
        assert again.replayed  # the same order, under another id of the same person
        assert Loyalty(tx).spendable(ben) == 350
        assert Loyalty(tx).redeem(ben, 320, "r1").change == -320
        assert Loyalty(tx).redeem(ann, 320, "r1").contact_id == ben  # and a redemption
        assert tx.contacts.remember(ann, ContactPoint.handle("x", "annie")).id == ben
        assert tx.contacts.remember(ben, email("ann")).points == tx.contacts.get(ben).points
        tx.contacts.update(ann, locale="ka")
        tx.orders.refund("A1", Refund.of_amount("f1", Money(10000, "GBP")))
        assert Loyalty(tx).balance(ann) == -70
    with crm.begin() as tx:
        tx.merges.unmerge(merge.id)
    with crm.begin() as tx:
        loyalty = Loyalty(tx)
        assert [str(point) for point in tx.contacts.get(ann).points] == [
            "email:ann@example.com",
            "handle:x:annie",
        ]
        assert (tx.contacts.get(ann).locale, tx.contacts.get(ben).locale) == ("", "ka")
        assert sorted(_orders(tx, ann)) == ["A1", "A2", "A3"]
        assert _orders(tx, ben) == ["B1"]
        assert loyalty.balance(ann) + loyalty.balance(ben) == -70
        for id in (ann, ben):
            assert sum(entry.change for entry in loyalty.statement(id)) == loyalty.balance(id)
        # cancelled after the undo: what was spent goes back to the lots it came from, whoever's they are now
        loyalty.cancel_redemption("r1")
        assert loyalty.balance(ann) + loyalty.balance(ben) == 250
        assert (loyalty.balance(ann), loyalty.balance(ben)) == (150, 100)
        for id in (ann, ben):
            assert sum(entry.change for entry in loyalty.statement(id)) == loyalty.balance(id)


def _orders(tx: Transaction, id: UUID) -> list[str]:
    return [entry.event.order.key for entry in tx.events.timeline(id) if entry.type == "OrderRecorded"]  # type: ignore[attr-defined]


def test_merges_at_the_same_time_end_as_one_person(crm: CRM) -> None:
    engine = crm.engine
    for level in LEVELS if engine.dialect.name != "sqlite" else ("SERIALIZABLE",):
        at = copy.copy(crm)
        at.engine = engine.execution_options(isolation_level=level)
        with crm.begin() as tx:
            ids = [tx.contacts.add(f"{level} {n}").id for n in range(5)]
        pairs = [(0, 1), (1, 2), (2, 0), (3, 4), (4, 0), (1, 0)]
        found = _together(at, [(ids[a], ids[b]) for a, b in pairs])
        assert all(isinstance(one, (Merge, MergeRefused)) for one in found), found
        with crm.begin() as tx:
            assert len({tx.contacts.get(id).id for id in ids}) == 1
            holding = [merge for merge in tx.merges.history(ids[0]) if merge.holds]
            assert len(holding) == 4  # five contacts, each merged once but the last
            for merge in holding:
                tx.merges.unmerge(merge.id)
            assert [tx.contacts.ids(id) for id in ids] == [(id,) for id in ids]


def _together(crm: CRM, pairs: list[tuple[UUID, UUID]]) -> list[object]:
    found: list[object] = []
    start = threading.Barrier(len(pairs))

    def work(loser: UUID, into: UUID) -> None:
        start.wait(10)
        try:
            found.append(crm.transact(lambda tx: tx.merges.merge(loser, into), attempts=40))
        except CrmkitError as error:
            found.append(error)

    threads = [threading.Thread(target=work, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


def test_the_same_message_to_both_goes_once(crm: CRM) -> None:
    hello = Message(topic="news", subject="Hello", text="Hello")
    with crm.begin() as tx:
        ann, ben, cat = people(tx, "eva", "fay", "gus")
        first = tx.messages.queue(hello, channel="email", key="hello", contact_id=ann)
        second = tx.messages.queue(hello, channel="email", key="hello", contact_id=ben)
        many = tx.messages.queue_many(hello, channel="email", key="all", contact_ids=[ann, ben])
        other = tx.messages.queue(hello, channel="email", key="hello", contact_id=cat)
        tx.merges.merge(ann, ben)
        assert (
            tx.messages.queue(hello, channel="email", key="hello", contact_id=ben).delivery.id
            == second.delivery.id
        )
        late = tx.messages.queue(hello, channel="email", key="late", contact_id=ann)
        assert tx.messages.queue(hello, channel="email", key="late", contact_id=ben) == late
        assert (
            len(tx.messages.queue_many(hello, channel="email", key="more", contact_ids=[ann, ben, cat])) == 2
        )
    crm.run_due()
    with crm.begin() as tx:
        states = {one.delivery.id: one.state for one in tx.messages.list(limit=100)}
        assert states[first.delivery.id] is states[many[0]] is states[other.delivery.id] is DeliveryState.SENT
        assert states[second.delivery.id] is states[many[1]] is DeliveryState.SUPPRESSED
        assert tx.messages.get(second.delivery.id).reason.startswith("merged: ")
        assert sorted(states.values()).count(DeliveryState.SUPPRESSED) == 2


def test_what_cannot_be_merged_changes_nothing(crm: CRM) -> None:
    with crm.begin() as tx:
        ann, ben = people(tx, "hal", "ida")
    before = images(crm)
    for error, loser, into in (
        (ValueRefused, ann, ann),
        (NotFound, ann, crm.new_id()),
        (NotFound, crm.new_id(), ben),
    ):
        with pytest.raises(error), crm.begin() as tx:
            tx.merges.merge(loser, into)
    with pytest.raises(NotFound), crm.begin() as tx:
        tx.merges.unmerge(ann)
    with pytest.raises(ValueRefused), crm.begin() as tx:
        tx.merges.merge(ann, ben, reason="x" * 201)
    assert images(crm) == before


@pytest.mark.parametrize("locked", [True, False], ids=["with the lock", "without it"])
def test_a_merge_waits_for_another(crm: CRM, locked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways round at once: one merge holds. Without the lock both would, and nobody would be anybody."""
    if crm.engine.dialect.name == "sqlite" or not (locked or crm.engine.dialect.name == "postgresql"):
        return  # one has one writer at a time; MariaDB's locks of gaps would hold the other one up as well
    with crm.begin() as tx:
        ann, ben = (tx.contacts.add("twin").id for _ in range(2))
    if not locked:
        monkeypatch.setattr(sql_merges, "lock_merges", lambda sql: None)
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.extend(_together(crm, [(ben, ann)])))
    with crm.begin() as tx:
        tx.merges.merge(ann, ben)
        thread.start()
        thread.join(0.5)
    thread.join(60)
    with crm.begin() as tx:
        holding = [merge for merge in tx.merges.history(ann) if merge.holds]
    assert len(holding) == (1 if locked else 2), found
