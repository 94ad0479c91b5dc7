"""Whatever happens between queueing and sending, nobody who has refused is written to, and nobody else is silenced."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import crmkit.consent.deciding
import crmkit.consent.said
import crmkit.delivery.prepare
import crmkit.transaction.standings
from crmkit import ContactPoint, DeliveryState, Message, NotFound, Rejected
from crmkit.consent import ConsentState, Suppression, SuppressionReason
from crmkit.crm import Deliver
from crmkit.delivery.cases import Verdict
from crmkit.testing import FakeClock, RecordingChannel, memory_crm
from crmkit.transaction.contacts import Contacts

WHO = st.sampled_from([0, 0, 1, 2])
OPTIONAL = st.sampled_from(["news", "news", "promo"])
PURPOSE = st.sampled_from(["news", "promo", "service"])
SCOPE = st.sampled_from(["", "news", "promo"])
HOW = st.sampled_from(["staff", "person", "import"])
WAY = st.sampled_from(["contact", "many", "to", "other spelling"])

grants = st.tuples(st.just("grant"), WHO, OPTIONAL, HOW)
refusals = st.tuples(st.just("withdraw"), WHO, SCOPE) | st.tuples(st.just("unsubscribe"), WHO, SCOPE)
operations = st.one_of(
    grants,
    grants,
    refusals,
    st.tuples(st.just("queue"), WHO, PURPOSE, WAY),
    st.tuples(st.just("add"), WHO, st.sampled_from(["manual", "hard_bounce"]), SCOPE),
    st.tuples(st.just("complain"), WHO) | st.tuples(st.just("lift"), WHO),
    st.tuples(st.just("merge"), WHO, WHO) | st.just(("unmerge",)),
    st.just(("hold",)) | st.just(("release",)),
    st.just(("reject",)) | st.just(("replay",)) | st.just(("run",)),
)
#: Time goes on before most steps, and sometimes stands still: what happens at one instant has an order too.
steps = st.tuples(st.sampled_from([("tick",), ("tick",), ("stay",)]), operations)
histories = st.lists(steps, min_size=3, max_size=10).map(
    lambda pairs: [one for pair in pairs for one in pair]
)


@attrs.define
class Word:
    """Something that a contact, or somebody for one, said."""

    at: datetime
    purpose: str
    yes: bool
    how: str = ""

    def concerns(self, purpose: str) -> bool:
        return self.purpose in ("", purpose)


@attrs.define
class Model:
    """What the world should know, in a few dictionaries."""

    words: dict[int, list[Word]] = attrs.field(factory=lambda: {0: [], 1: [], 2: []})
    stopped: dict[tuple[str, str, str], datetime] = attrs.field(factory=dict)  #: by address, reason, scope
    survivor: dict[int, int] = attrs.field(factory=dict)

    def group(self, who: int) -> set[int]:
        head = self.survivor.get(who, who)
        return {head, *(one for one, into in self.survivor.items() if into == head)}

    def allowed(self, who: int | None, address: str, purpose: str) -> bool:
        """Return whether a message may go: by counting, with no fold and no order but that of time."""
        said = [one for id in (self.group(who) if who is not None else ()) for one in self.words[id]]
        said = [one for one in said if one.concerns(purpose)]
        in_person = [one.at for one in said if one.yes and one.how == "person"]
        for (where, reason, scope), at in self.stopped.items():
            if where != address or scope not in ("", purpose):
                continue
            if reason != "unsubscribe" or (purpose != "service" and not any(when > at for when in in_person)):
                return False
        if purpose == "service":
            return True
        refusals = [one.at for one in said if not one.yes]
        if not refusals:
            return any(one.yes for one in said)
        return any(one.yes and one.how != "import" and one.at > max(refusals) for one in said)


class World:
    """A CRM with a channel; each history gets three contacts of its own, of whom two share an address."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.channel = RecordingChannel()
        self.crm = memory_crm(plugins=[self.channel], clock=self.clock)
        self.crm.adopt()
        self.numbers = count()

    def play(self, history: list[tuple[Any, ...]]) -> None:
        """Do what a history says, and compare each run with the model."""
        Play(self).through(history)


class Play:
    """One history."""

    def __init__(self, world: World) -> None:
        self.world, self.crm, self.model = world, world.crm, Model()
        n = self.n = next(world.numbers)
        self.spellings = (
            (f"ann{n}@shop.example", f"ANN{n}@Shop.Example"),
            (f"bo{n}@bücher.example", f"Bo{n}@xn--bcher-kva.example"),
            (f"Ann{n}@SHOP.example", f"aNN{n}@shop.Example"),
        )
        self.key = {text: f"{'ab'[who % 2]}{n}" for who, texts in enumerate(self.spellings) for text in texts}
        world.clock.advance(timedelta(seconds=1))
        with self.crm.begin() as tx:
            self.ids = [tx.contacts.add(f"Person {who}").id for who in range(3)]
            for who, id in enumerate(self.ids):
                tx.contacts.remember(id, self.point(who), shared=True)
        self.queued: list[UUID] = []
        self.merges: list[tuple[UUID, int]] = []

    def point(self, who: int, spelling: int = 0) -> ContactPoint:
        return ContactPoint.email(self.spellings[who][spelling])

    def through(self, history: list[tuple[Any, ...]]) -> None:
        for step in history:
            getattr(self, step[0])(*step[1:])
        self.release()
        self.run()
        with self.crm.begin() as tx:  # at the end everybody is asked about
            for who in range(3):
                for purpose in ("news", "service"):
                    address = self.key[self.spelled(tx, who)]
                    answer = tx.consents.may_send(self.ids[who], purpose, "email")
                    assert bool(answer) == self.model.allowed(who, address, purpose), answer

    @property
    def now(self) -> datetime:
        return self.world.clock()

    def stay(self) -> None:
        pass

    def tick(self) -> None:
        self.world.clock.advance(timedelta(seconds=1))

    def queue(self, who: int, purpose: str, way: str) -> None:
        key, id = f"{self.n}:{len(self.queued)}", self.ids[who]
        message = Message(topic="test", purpose=purpose, text="hello")
        with self.crm.begin() as tx:
            if way == "many":
                found = tx.messages.queue_many(message, channel="email", key=key, contact_ids=[id])
                assert found == tx.messages.queue_many(message, channel="email", key=key, contact_ids=[id])
                status = tx.messages.get(found[0])
            elif way == "contact":
                status = tx.messages.queue(message, channel="email", key=key, contact_id=id)
            else:
                to = self.point(who, int(way == "other spelling"))
                status = tx.messages.queue(message, channel="email", key=key, to=to)
        self.queued.append(status.delivery.id)
        if purpose != "service":
            assert (status.state is DeliveryState.QUEUED) == self.expected(status.delivery), status

    def grant(self, who: int, purpose: str, how: str) -> None:
        actor = {"staff": "staff:ann", "person": f"contact:{self.ids[who]}", "import": "system"}[how]
        with self.crm.begin(actor=actor) as tx:
            source = "import:list" if how == "import" else "form"
            tx.consents.grant(
                self.ids[who], purpose, source=source, key=f"{self.n}:{next(self.world.numbers)}"
            )
        self.model.words[who].append(Word(self.now, purpose, True, how))

    def withdraw(self, who: int, purpose: str) -> None:
        with self.crm.begin() as tx:
            tx.consents.withdraw(self.ids[who], purpose)
        self.refuse(who, purpose)

    def refuse(self, who: int, purpose: str) -> None:
        for one in self.model.group(who):
            self.model.words[one].append(Word(self.now, purpose, False))

    def unsubscribe(self, who: int, purpose: str) -> None:
        with self.crm.begin() as tx:
            token = tx.consents.unsubscribe_token(purpose, to=self.point(who, 1), contact_id=self.ids[who])
            tx.consents.unsubscribe(token)
        self.refuse(who, purpose)
        self.model.stopped[self.address(who), "unsubscribe", purpose] = self.now

    def add(self, who: int, reason: str, purpose: str) -> None:
        with self.crm.begin() as tx:
            tx.suppressions.add(self.point(who, 1), reason, purpose=purpose)
        self.model.stopped.setdefault((self.address(who), reason, purpose), self.now)

    def complain(self, who: int) -> None:
        with self.crm.begin() as tx:
            tx.suppressions.report(self.point(who, 1), "complaint", source="feedback loop")
        self.model.stopped.setdefault((self.address(who), "complaint", ""), self.now)
        self.refuse(self.owner(who), "")

    def owner(self, who: int) -> int:
        """Return whose the address is that a person writes from: the first who had it."""
        return who % 2

    def lift(self, who: int) -> None:
        with self.crm.begin() as tx, suppress(NotFound):
            for one in tx.suppressions.find(self.point(who)):
                tx.suppressions.lift(
                    self.point(who), by="staff:ann", reason="by phone", of=one.reason,
                    purpose=one.purpose, force=True,
                )  # fmt: skip
        gone = [key for key in self.model.stopped if key[0] == self.address(who)]
        for key in gone:
            del self.model.stopped[key]

    def merge(self, who: int, into: int) -> None:
        if self.model.group(who) == self.model.group(into) or len(self.model.group(who)) > 1:
            return
        head = self.model.survivor.get(into, into)
        with self.crm.begin() as tx:
            merge = tx.merges.merge(self.ids[who], self.ids[head])
        self.merges.append((merge.id, who))
        self.model.survivor[who] = head

    def unmerge(self) -> None:
        if self.merges:
            merge_id, who = self.merges.pop()
            with self.crm.begin() as tx:
                tx.merges.unmerge(merge_id)
            del self.model.survivor[who]

    def hold(self) -> None:
        self.crm.deliver = Deliver.HOLD
        try:
            self.crm.run_due()
        finally:
            self.crm.deliver = Deliver.SEND

    def release(self) -> None:
        if self.queued:
            self.crm.release(*self.queued)

    def reject(self) -> None:
        self.world.channel.script(Rejected("not today"))

    def replay(self) -> None:
        if self.queued:
            self.crm.replay(*self.queued)

    def run(self) -> None:
        with self.crm.begin() as tx:
            waiting = [one for one in tx.messages.list("queued") if one.delivery.id in self.queued]
            expected = {one.delivery.id for one in waiting if self.expected(one.delivery)}
        tried = len(self.world.channel.deliveries)
        self.crm.run_due()
        assert {one.id for one in self.world.channel.deliveries[tried:]} == expected
        with self.crm.begin() as tx:
            for one in waiting:
                status = tx.messages.get(one.delivery.id)
                refused = status.state is DeliveryState.SUPPRESSED and status.reason.startswith("consent: ")
                assert refused == (one.delivery.id not in expected), status

    def spelled(self, tx: Any, who: int) -> str:
        """Return the address that a contact is written to, which a merge may have changed."""
        point = tx.contacts.get(self.ids[who]).point("email")
        return next(text for text in self.key if ContactPoint.email(text) == point)

    def address(self, who: int) -> str:
        return self.key[self.spellings[who][0]]

    def expected(self, delivery: Any) -> bool:
        who = self.ids.index(delivery.contact_id) if delivery.contact_id in self.ids else None
        key = next(
            key for text, key in self.key.items() if ContactPoint.email(text).value == delivery.address
        )
        return self.model.allowed(who, key, delivery.purpose)


WORLD = World()

QUEUED_AND_REFUSED = [("grant", 0, "news", "staff"), ("queue", 0, "news", "contact"), ("tick",),
                      ("withdraw", 0, "news"), ("run",)]  # fmt: skip
OTHER_CASE = [("add", 0, "hard_bounce", ""), ("queue", 0, "service", "other spelling"), ("run",)]
OTHER_DOMAIN = [("add", 1, "manual", ""), ("queue", 1, "service", "to"), ("run",)]
IMPORTED_AGAIN = [("withdraw", 0, "news"), ("tick",), ("grant", 0, "news", "import"), ("queue", 0, "news", "to"),
                  ("queue", 0, "news", "contact")]  # fmt: skip
REFUSED_BY_ONE = [("grant", 0, "news", "staff"), ("tick",), ("withdraw", 1, "news"), ("tick",), ("merge", 1, 0),
                  ("queue", 0, "news", "contact")]  # fmt: skip
REFUSED_WHILE_ONE = [("grant", 0, "news", "staff"), ("merge", 0, 1), ("tick",), ("withdraw", 1, "news"),
                     ("unmerge",), ("queue", 0, "news", "contact")]  # fmt: skip
TWICE_UNSUBSCRIBED = [("unsubscribe", 0, ""), ("tick",), ("grant", 0, "news", "person"), ("tick",),
                      ("unsubscribe", 2, ""), ("tick",), ("grant", 0, "news", "staff"),
                      ("queue", 0, "news", "contact")]  # fmt: skip
AT_ONE_INSTANT = [("withdraw", 0, "news"), ("grant", 0, "news", "staff"), ("queue", 0, "news", "contact")]
RELEASED = [("grant", 0, "news", "staff"), ("queue", 0, "news", "many"), ("hold",), ("tick",), ("complain", 2),
            ("release",), ("run",)]  # fmt: skip
REPLAYED = [("queue", 0, "service", "contact"), ("reject",), ("run",), ("add", 2, "manual", ""), ("replay",),
            ("run",)]  # fmt: skip
RECEIPT = [("unsubscribe", 0, ""), ("queue", 0, "service", "contact"), ("run",)]
STORIES = (QUEUED_AND_REFUSED, OTHER_CASE, OTHER_DOMAIN, IMPORTED_AGAIN, REFUSED_BY_ONE, REFUSED_WHILE_ONE,
           TWICE_UNSUBSCRIBED, AT_ONE_INSTANT, RELEASED, REPLAYED, RECEIPT)  # fmt: skip


@given(histories)
@example(QUEUED_AND_REFUSED)
@example(OTHER_CASE)
@example(REFUSED_WHILE_ONE)
@example(TWICE_UNSUBSCRIBED)
def test_nobody_who_refused_is_written_to(history: list[tuple[Any, ...]]) -> None:
    WORLD.play(history)


@pytest.mark.parametrize("story", STORIES, ids=str)
def test_stories_end_well(story: list[tuple[Any, ...]]) -> None:
    WORLD.play(story)


def checked_only_when_queued(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(crm: object, case: object, standing: object = None) -> Verdict | None:
        return None

    monkeypatch.setattr(crmkit.delivery.prepare, "refusal", nothing)


def keys_with_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crmkit.transaction.standings, "address_key", lambda kind, address: address)


def keys_without_idna(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crmkit.transaction.standings, "address_key", lambda kind, address: address.casefold())


def imports_count_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crmkit.consent.said, "is_import", lambda source: False)


def merged_contacts_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crmkit.transaction.standings, "read_many_ids", lambda sql, ids: {})


def refusal_of_one_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Contacts, "ids", lambda self, contact_id: (contact_id,))


def first_unsubscription_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Suppression, "last_before", lambda self, at: self.since)


def grants_win_ties(monkeypatch: pytest.MonkeyPatch) -> None:
    order = {ConsentState.PENDING: 0, ConsentState.WITHDRAWN: 1, ConsentState.GRANTED: 2}
    monkeypatch.setattr(crmkit.consent.deciding, "_ORDER", order)


def complaints_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    stops = Suppression.stops

    def but_complaints(self: Suppression, *arguments: Any) -> bool:
        return self.reason is not SuppressionReason.COMPLAINT and stops(self, *arguments)

    monkeypatch.setattr(Suppression, "stops", but_complaints)
    monkeypatch.setattr(crmkit.transaction.suppressions.Suppressions, "_owner", lambda self, point: None)


def unsubscribing_stops_receipts(monkeypatch: pytest.MonkeyPatch) -> None:
    stops = Suppression.stops

    def strictly(self: Suppression, *arguments: Any) -> bool:
        return stops(attrs.evolve(self, reason=SuppressionReason.MANUAL), *arguments)

    monkeypatch.setattr(Suppression, "stops", strictly)


@pytest.mark.parametrize(
    "mutant, story",
    [
        (checked_only_when_queued, QUEUED_AND_REFUSED),
        (checked_only_when_queued, RELEASED),
        (checked_only_when_queued, REPLAYED),
        (keys_with_case, OTHER_CASE),
        (keys_without_idna, OTHER_DOMAIN),
        (imports_count_always, IMPORTED_AGAIN),
        (merged_contacts_apart, REFUSED_BY_ONE),
        (refusal_of_one_id, REFUSED_WHILE_ONE),
        (first_unsubscription_only, TWICE_UNSUBSCRIBED),
        (grants_win_ties, AT_ONE_INSTANT),
        (complaints_forgotten, RELEASED),
        (unsubscribing_stops_receipts, RECEIPT),
    ],
    ids=lambda value: getattr(value, "__name__", "story"),
)
def test_the_property_catches(
    mutant: Callable[[pytest.MonkeyPatch], None],
    story: list[tuple[Any, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        World().play(story)
