"""Consents and suppressions on every database: the whole story once, and what several transactions do at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest

from crmkit import CRM, ContactPoint, DeliveryState, Message, Transaction
from crmkit.consent import ConsentState, Suppression
from crmkit.testing import RecordingChannel

URLS = {
    "confirm_url": "https://shop.example/yes?t={token}",
    "unsubscribe_url": "https://shop.example/no?t={token}",
}
ANN = ContactPoint.email("Ann@bücher.example")


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 15, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)


def test_the_whole_story(database_url: str) -> None:
    clock, channel = Clock(), RecordingChannel()
    crm = CRM(database_url, plugins=[channel], clock=clock, settings={"core": URLS}, strict=True)
    crm.create_tables()
    try:
        ann = _subscribes(crm, clock, channel)
        token = _gets_news(crm, ann, channel)
        _unsubscribes(crm, clock, ann, token, channel)
        _bounces(crm, clock, channel)
        _merged(crm, clock, ann)
    finally:
        crm.engine.dispose()


def _subscribes(crm: CRM, clock: Clock, channel: RecordingChannel) -> UUID:
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann", points=[ANN]).id
        asked = tx.consents.request(ann, "news", source="footer", text_version="3")
    assert crm.run_due().sent == 1 and asked.token in channel.effects[0].text
    clock.wait(hours=1)
    with crm.begin() as tx:
        first = tx.consents.confirm(asked.token)
    with crm.begin() as tx:
        assert tx.consents.confirm(asked.token) == first == tx.consents.history(ann)[-1]
        assert tx.consents.may_send(ann, "news", "email")
    return ann


def _gets_news(crm: CRM, ann: UUID, channel: RecordingChannel) -> str:
    with crm.begin() as tx:
        others = [
            tx.contacts.add(f"P{n}", points=[ContactPoint.email(f"p{n}@x.example")]).id for n in range(3)
        ]
        message = Message(topic="issue 1", purpose="news", text="News")
        first = tx.messages.queue_many(message, channel="email", key="1", contact_ids=[*others, ann])
    with crm.begin() as tx:
        assert tx.messages.queue_many(message, channel="email", key="1", contact_ids=[*others, ann]) == first
        assert [tx.messages.get(id).state.value for id in first] == [*["suppressed"] * 3, "queued"]
    assert crm.run_due().sent == 1
    return channel.effects[-1].headers["List-Unsubscribe"].removesuffix(">").partition("t=")[2]


def _unsubscribes(crm: CRM, clock: Clock, ann: UUID, token: str, channel: RecordingChannel) -> None:
    with crm.begin() as tx:
        news = Message(topic="issue 2", purpose="news", text="News")
        queued = tx.messages.queue(news, channel="email", key="2", contact_id=ann)
        receipt = Message(topic="receipt", text="Thank you")
        tx.messages.queue(receipt, channel="email", key="3", contact_id=ann)
    clock.wait(hours=1)
    with crm.begin() as tx:
        tx.consents.unsubscribe(token)
        tx.consents.unsubscribe(token)
    clock.wait(hours=1)
    with crm.begin() as tx:
        tx.consents.grant(ann, "news", source="import:old list")
    report = crm.run_due()
    assert (report.sent, report.suppressed) == (1, 1)
    with crm.begin() as tx:
        status = tx.messages.get(queued.delivery.id)
        assert status.state is DeliveryState.SUPPRESSED
        assert (
            status.reason == "consent: the address is suppressed (purpose:news) since 2026-01-15: unsubscribe"
        )
        assert tx.consents.state(ann, "news", "email") is ConsentState.WITHDRAWN
        at = clock() - timedelta(hours=1, minutes=30)
        assert tx.consents.may_send(ann, "news", "email", at)


def _bounces(crm: CRM, clock: Clock, channel: RecordingChannel) -> None:
    other = ContactPoint.email("ANN@xn--bcher-kva.EXAMPLE")
    with crm.begin() as tx:
        tx.suppressions.report(other, "hard_bounce", source="smtp 550 5.1.1")
        receipt = Message(topic="receipt", text="Thank you")
        tx.messages.queue(receipt, channel="email", key="4", to=ANN)
    assert crm.run_due().suppressed == 1
    clock.wait(hours=1)
    with crm.begin(actor="staff:bo") as tx:
        (lifted,) = tx.suppressions.lift(ANN, by="staff:bo", reason="mailbox is back", of="hard_bounce")
        tx.suppressions.add(ANN, "hard_bounce")
        tx.suppressions.lift(ANN, by="staff:bo", reason="really", of="hard_bounce")
    with crm.begin() as tx:
        assert [one.reason.value for one in tx.suppressions.find(other)] == ["unsubscribe"]
        assert len(tx.suppressions.history(other)) == 3 and lifted.lifted_by == "staff:bo"
        page: Suppression = tx.suppressions.list(limit=1)[0]
        assert page.until > clock() and not tx.suppressions.list(after=page)


def _merged(crm: CRM, clock: Clock, ann: UUID) -> None:
    with crm.begin() as tx:
        twin = tx.contacts.add("Anne", points=[ContactPoint.email("anne@x.example")]).id
        tx.consents.grant(twin, "promo", source="till")
        merge = tx.merges.merge(twin, ann)
        clock.wait(hours=1)
        tx.consents.withdraw(ann, "promo")
    with crm.begin() as tx:
        assert not tx.consents.may_send(twin, "promo", "sms")
        tx.merges.unmerge(merge.id)
        assert str(tx.consents.may_send(twin, "promo", "sms")).startswith("promo over sms was refused")


def at_once(crm: CRM, *functions: Callable[[Transaction], Any]) -> list[Any]:
    """Run functions in transactions of their own that begin at the same moment."""
    barrier = Barrier(len(functions))

    def run(function: Callable[[Transaction], Any]) -> Any:
        barrier.wait()
        return crm.transact(function, attempts=20)

    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(run, functions))


def test_what_many_do_at_once(database_url: str) -> None:
    clock = Clock()
    crm = CRM(database_url, plugins=[RecordingChannel()], clock=clock, settings={"core": URLS})
    crm.create_tables()
    try:
        with crm.begin() as tx:
            ann = tx.contacts.add("Ann", points=[ANN]).id
        asked = at_once(crm, *[lambda tx: tx.consents.request(ann, "news", source="form")] * 6)
        tokens = [one.token for one in asked if one.token]
        assert len(tokens) == 3  # the limit holds, however many ask
        clock.wait(hours=1)
        confirmed = at_once(crm, *[lambda tx: tx.consents.confirm(tokens[0])] * 4)
        assert len({one.id for one in confirmed}) == 1
        made = at_once(crm, *[lambda tx: tx.suppressions.add(ANN, "hard_bounce")] * 4)
        assert len({one.id for one in made}) == 1
        with crm.begin() as tx:
            told = [entry.type for entry in tx.events.timeline(ann, limit=100)]
        assert (told.count("ConsentGranted"), told.count("AddressSuppressed")) == (1, 1)
    finally:
        crm.engine.dispose()


@pytest.mark.parametrize("rolled_back", [True, False])
def test_an_unsubscription_belongs_to_the_hosts_transaction(database_url: str, rolled_back: bool) -> None:
    crm = CRM(database_url, plugins=[RecordingChannel()])
    crm.create_tables()
    try:
        with crm.engine.connect() as connection:
            connection.begin()
            tx = crm.join(connection)
            tx.suppressions.add(ANN)
            connection.rollback() if rolled_back else connection.commit()
        with crm.begin() as tx:
            assert bool(tx.suppressions.find(ANN)) != rolled_back
    finally:
        crm.engine.dispose()
