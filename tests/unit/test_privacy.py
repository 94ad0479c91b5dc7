"""What tables must declare, what an export tells, and what holds, plugins and policies do to erasure."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import attrs
import pytest
from sqlalchemy import Column, MetaData

from crmkit import (
    CRM,
    ConfigError,
    ContactPoint,
    KeyConflict,
    Message,
    NotFound,
    RetryTransaction,
    SettingsError,
    ValueRefused,
    hookimpl,
)
from crmkit.cli import main
from crmkit.clock import FOREVER
from crmkit.errors import AlreadyErased, ErasureHeld
from crmkit.events import ContactErased
from crmkit.privacy.html import page
from crmkit.privacy.retain import apply_policies
from crmkit.retention import RetentionPolicy
from crmkit.settings import CoreSettings
from crmkit.sql import Id, Instant, Json, Text, column, table, unique
from crmkit.testing import FakeClock, memory_crm
from crmkit.transaction.reactions import Failure, record_failure

ANN = ContactPoint.email("ann@example.com")


@attrs.define(eq=False)
class Visits:
    """A plugin with a table, and with something outside it."""

    columns: tuple[Any, ...] = ()
    options: dict[str, Any] = attrs.field(factory=dict)
    left: list[Any] = attrs.field(factory=list)
    asked: list[UUID] = attrs.field(factory=list)
    name: str = "visits"

    @hookimpl
    def crmkit_tables(self, metadata: MetaData) -> None:
        table(metadata, "visits_log", Column("id", Id(), primary_key=True), *self.columns, **self.options)

    @hookimpl
    def crmkit_erase(self, tx: Any, contact: Any) -> str | None:
        self.asked.append(contact.id)
        answer = self.left.pop(0) if self.left else None
        if isinstance(answer, Exception):
            raise answer
        return answer


def subject(name: str = "contact_id") -> Any:
    return column(name, Id(), holds="subject")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (lambda: [column("contact_id", Id())], "column 'contact_id': refers to a contact"),
        (lambda: [column("old_contact_id", Id(), null=True)], "column 'old_contact_id': refers to a contact"),
        (lambda: [column("customer_id", Id())], "declare holds='subject'"),
        (lambda: [subject(), column("words", Text())], "column 'words': can hold a person's words"),
        (lambda: [subject(), column("data", Json())], "column 'data': can hold a person's words"),
        (lambda: [subject(), column("title", Text(200))], "column 'title': can hold a person's words"),
        (lambda: [column("email", Text(320))], "column 'email': declare holds='personal'"),
        (lambda: [column("words", Text(), holds="personal")], "nothing says of whom"),
        (lambda: [column("visit", Id(), of="nowhere")], "of='nowhere' names no table"),
        (lambda: [subject(), column("n", Text(9), erased=lambda row: "")], "erased= is for a column with"),
    ],
)
def test_a_table_that_declares_nothing_fails_the_build(columns: Callable[[], Any], said: str) -> None:
    with pytest.raises(ConfigError, match=r"plugin 'visits', table 'visits_log'") as caught:
        memory_crm(plugins=[Visits(tuple(columns()))])
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "columns",
    [
        lambda: [subject(), column("words", Text(), holds="personal"), column("data", Json(), holds="fact")],
        lambda: [subject(), column("code", Text(40)), column("key", Text(255)), unique("key")],
        lambda: [column("words", Text()), column("data", Json())],
        lambda: [column("event_id", Id(), of="events"), column("words", Text(), holds="personal")],
        lambda: [column("to", Text(320), holds="address")],
        lambda: [column("subject_id", Id()), column("contacted_at", Instant()), column("name", Text(80))],
        lambda: [column("email", Text(320), holds="fact")],
    ],
)
def test_a_table_that_says_enough_passes(columns: Callable[[], Any]) -> None:
    crm = memory_crm(plugins=[Visits(tuple(columns()))])
    wanted = {one.name for one in columns() if one.name}  # a key over columns has none
    assert wanted <= set(crm.tables["visits_log"].c.keys())


def test_a_table_without_a_primary_key_fails_the_build() -> None:
    class Keyless(Visits):
        @hookimpl
        def crmkit_tables(self, metadata: MetaData) -> None:
            table(metadata, "visits_log", subject(), column("words", Text(), holds="personal"))

    with pytest.raises(ConfigError, match="has no primary key"):
        memory_crm(plugins=[Keyless()])


def test_words_that_mean_nothing_are_refused_where_they_stand() -> None:
    with pytest.raises(
        ConfigError, match=r"column 'x': holds is 'persnal'; must be one of subject, personal"
    ):
        column("x", Text(), holds="persnal")
    with pytest.raises(ConfigError, match="table 'visits_log': erase is 'burn'"):
        memory_crm(plugins=[Visits(options={"erase": "burn"})])


def test_every_table_of_the_core_and_our_plugins_declares_what_it_holds() -> None:
    tables = memory_crm(plugins=["loyalty"]).tables
    assert {"contacts", "events", "deliveries", "loyalty_transactions", "failures"} <= set(tables)


def two_people(crm: CRM) -> tuple[UUID, UUID]:
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann <i>Lee", points=[ANN], birth_date=None)
        ben = tx.contacts.add("Ben", points=[ContactPoint.email("ben@example.com")])
        return ann.id, ben.id


def test_an_export_tells_everything_of_one_person_and_nothing_of_another() -> None:
    crm = memory_crm(plugins=[Visits((subject(), column("words", Text(), holds="personal")))])
    ann, ben = two_people(crm)
    with crm.begin() as tx:
        rows = [{"id": tx.new_id(), "contact_id": id, "words": f"words of {id}"} for id in (ann, ben)]
        tx.sql.insert(tx.table("visits_log"), rows)
        tx.messages.queue(Message(topic="hi", text="Dear Ann"), channel="post", key="m", to=ANN)
        tx.contacts.update(ann, given_name="Ann")
        found = tx.privacy.export(ann)
    json.dumps(found)
    assert [row["words"] for row in found["tables"]["visits_log"]] == [f"words of {ann}"]
    assert found["tables"]["deliveries"][0]["content"] == {"text": "Dear Ann"}  # sent to the address alone
    assert [one["type"] for one in found["tables"]["events"]] == ["ContactAdded", "ContactUpdated"]
    assert found["tables"]["events"][0]["data"]["name"] == "Ann <i>Lee"
    assert str(ben) not in json.dumps(found) and "ben@example.com" not in json.dumps(found)
    html = page(found)
    assert "Ann &lt;i&gt;Lee" in html and "<i>" not in html and "<script" not in html and "Dear Ann" in html
    with pytest.raises(NotFound), crm.begin() as tx:
        tx.privacy.export(uuid4())


def test_erasing_twice_is_erasing_once_and_somebody_erased_stays_so() -> None:
    crm = memory_crm()
    ann, ben = two_people(crm)
    first = crm.erase(ann, reason="asked by mail", actor="staff:eva")
    again = crm.erase(ann)
    assert (again.erased_at, again.reason, again.actor) == (first.erased_at, "asked by mail", "staff:eva")
    with crm.begin() as tx:
        contact = tx.contacts.get(ann)
        assert (contact.name, contact.points, contact.first_name) == ("", (), None)
        assert tx.contacts.get(ben).name == "Ben"
        assert [one.type for one in tx.events.timeline(ann)] == ["ContactErased", "ContactAdded"]
        assert tx.events.timeline(ann)[0].event == ContactErased(reason="asked by mail")
        assert tx.events.timeline(ann)[1].erased
        assert tx.privacy.erased(ann) == again and tx.privacy.erased(ben) is None
        for write in (
            lambda: tx.contacts.update(ann, name="Ann"),
            lambda: tx.contacts.remember(ann, ANN),
        ):
            with pytest.raises(AlreadyErased, match="stays so"):
                write()
        # whoever comes back is somebody new
        assert tx.contacts.add("Ann", points=[ANN]).id != ann
    with pytest.raises(NotFound):
        crm.erase(uuid4())


def test_a_point_that_two_people_share_resolves_to_the_other_one() -> None:
    crm = memory_crm()
    ann, ben = two_people(crm)
    with crm.begin() as tx:
        tx.contacts.remember(ben, ANN, shared=True)
        tx.messages.queue(Message(topic="hi", text="Both of you"), channel="post", key="m", to=ANN)
    crm.erase(ann)
    with crm.begin() as tx:
        found = tx.contacts.find(ANN)
        assert found is not None and found.id == ben
        # what went to an address that is another's as well is not the erased one's to take
        assert tx.messages.list()[0].delivery.text == "Both of you"


def test_keyed_repeats_after_an_erasure_return_what_is_stored() -> None:
    crm = memory_crm()
    ann, _ = two_people(crm)
    message = Message(topic="hi", text="Dear Ann")
    with crm.begin() as tx:
        queued = tx.messages.queue(message, channel="post", key="m", contact_id=ann)
    crm.erase(ann)
    with crm.begin() as tx:
        stored = tx.messages.queue(message, channel="post", key="m", contact_id=ann)
        assert (stored.delivery.id, stored.delivery.text, stored.state) == (
            queued.delivery.id,
            "",
            "suppressed",
        )
        with pytest.raises(KeyConflict):
            tx.messages.queue(Message(topic="other", text="x"), channel="post", key="m", contact_id=ann)


def test_a_legal_hold_refuses_names_itself_and_lets_go_at_its_end() -> None:
    clock = FakeClock()
    crm = memory_crm(clock=clock)
    ann, _ = two_people(crm)
    with crm.begin(actor="staff:eva") as tx:
        hold = tx.privacy.hold(ann, reason="case 7", until=clock() + timedelta(days=10))
        with pytest.raises(ValueRefused, match="tables of contacts are"):
            tx.privacy.hold(ann, reason="case 8", tables=["nowhere"])
        with pytest.raises(ValueRefused, match="has ended already"):
            tx.privacy.hold(ann, reason="case 8", until=clock())
        assert tx.privacy.holds(ann) == [hold]
    with pytest.raises(ErasureHeld, match=r"legal hold .*'case 7', keeps everything") as caught:
        crm.erase(ann)
    assert caught.value.hold == hold
    with crm.begin() as tx:
        assert tx.contacts.get(ann).name == "Ann <i>Lee" and tx.privacy.erased(ann) is None
    clock.advance(days=10)
    assert crm.erase(ann).complete


def test_a_hold_on_some_tables_keeps_these_until_it_is_released() -> None:
    clock = FakeClock()
    crm = memory_crm(clock=clock)
    ann, _ = two_people(crm)
    with crm.begin() as tx:
        tx.messages.queue(Message(topic="hi", text="Dear Ann"), channel="post", key="m", contact_id=ann)
        hold = tx.privacy.hold(ann, reason="case 7", tables=["deliveries"])
    erasure = crm.erase(ann)
    assert erasure.held == ("deliveries",) and not erasure.complete
    with crm.begin() as tx:
        assert tx.messages.list()[0].delivery.text == "Dear Ann"
        assert tx.contacts.get(ann).name == ""
        assert [one.contact_id for one in tx.privacy.pending()] == [ann]
        tx.privacy.release(hold.id)
        with pytest.raises(NotFound):
            tx.privacy.release(hold.id)
    crm.run_due()
    with crm.begin() as tx:
        assert tx.messages.list()[0].delivery.text == ""
        assert tx.privacy.pending() == [] and tx.privacy.erased(ann).complete


def test_what_plugins_could_not_erase_is_told_and_asked_for_again() -> None:
    clock = FakeClock()
    visits = Visits(left=["prints in the archive", ValueError("ann@example.com"), None])
    crm = memory_crm(plugins=[visits], clock=clock, strict=False)
    ann, _ = two_people(crm)
    assert crm.erase(ann).left == {"visits": "prints in the archive"}
    crm.run_due()
    assert len(visits.asked) == 1  # not due yet
    clock.advance(minutes=2)
    crm.run_due()
    with crm.begin() as tx:
        (pending,) = tx.privacy.pending()
        assert pending.left == {"visits": "the plugin failed: ValueError"}  # without its words
    clock.advance(hours=1)
    crm.run_due()
    with crm.begin() as tx:
        assert tx.privacy.pending() == []
    clock.advance(days=1)
    crm.run_due()
    assert len(visits.asked) == 3  # and not again
    with crm.begin() as tx:
        assert tx.privacy.erased(ann).due_at == FOREVER


def test_a_transaction_error_of_a_plugin_undoes_the_erasure() -> None:
    crm = memory_crm(plugins=[Visits(left=[RetryTransaction("again")])])
    ann, _ = two_people(crm)
    assert crm.erase(ann).complete  # the second attempt


class HostTable:
    """Stands for a store over a table that crmkit may only read."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def clear(self, tx: Any, contact_id: UUID) -> tuple[str, ...]:
        return ("customers.email", "customers.full_name")


def test_columns_of_the_host_are_reported_until_it_confirms() -> None:
    crm = memory_crm()
    crm.store = HostTable(crm.store)  # type: ignore[assignment]
    ann, ben = two_people(crm)
    assert crm.erase(ann).host == ("customers.email", "customers.full_name")
    with crm.begin() as tx:
        assert [one.host for one in tx.privacy.pending()] == [("customers.email", "customers.full_name")]
        assert tx.privacy.confirm_host_erased(ann).complete
        assert tx.privacy.pending() == []
        with pytest.raises(NotFound, match="nothing to confirm"):
            tx.privacy.confirm_host_erased(ben)


def policy(**changes: Any) -> RetentionPolicy:
    given = {"name": "old messages", "table": "deliveries", "after": timedelta(days=30), "since": "queued_at"}
    return RetentionPolicy(**{**given, **changes})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"after": timedelta(0)}, "at least a day"),
        ({"action": "erase"}, "contacts are erased and no other table is"),
        ({"table": "contacts", "action": "delete", "since": "activity"}, "contacts are erased"),
        ({"since": "activity"}, "only contacts have an activity"),
    ],
)
def test_a_policy_that_contradicts_itself_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueRefused, match=said):
        policy(**changes)


@pytest.mark.parametrize(
    ("retention", "said"),
    [
        ([policy(table="nowhere")], "there is no table 'nowhere'"),
        ([policy(since="subject")], "has no instant 'subject'"),
        ([policy(where={"attempt": "1"})], "has no text 'attempt'"),
        ([policy(table="events", since="occurred_at", action="delete")], "kept for good"),
        ([policy(table="suppressions", since="since", action="delete")], "erase='keep'"),
        ([policy(table="orders", since="placed_at")], "holds nothing personal"),
        (["brittle"], "no policy 'brittle' is offered; known are: 'visits'"),
        ([policy(), policy()], "twice"),
        ([3], "each must be a RetentionPolicy"),
    ],
)
def test_a_policy_that_does_not_fit_fails_the_build(retention: list[Any], said: str) -> None:
    offered = policy(name="visits", table="visits_log", since="at", action="delete")
    visits = Visits((subject(), column("at", Instant())), {"retain": [offered]})
    with pytest.raises(SettingsError, match=said):
        memory_crm(plugins=[visits], settings={"core": {"retention": retention}})


def test_policies_apply_once_a_day_and_never_to_what_is_held() -> None:
    clock = FakeClock()
    offered = policy(name="visits", table="visits_log", since="at", action="delete")
    visits = Visits((subject(), column("at", Instant())), {"retain": [offered]})
    lapsed = RetentionPolicy("lapsed", "contacts", timedelta(days=40), since="activity", action="erase")
    settings = {"core": {"retention": [policy(where={"state": "held"}), "visits", lapsed]}}
    crm = memory_crm(plugins=[visits], settings=settings, clock=clock)
    ann, ben = two_people(crm)
    with crm.begin() as tx:
        for id in (ann, ben):
            tx.messages.queue(Message(topic="hi", text="Dear"), channel="post", key="m", contact_id=id)
            rows = [{"id": tx.new_id(), "contact_id": id, "at": tx.now} for _ in range(3)]
            tx.sql.insert(tx.table("visits_log"), rows)
        tx.privacy.hold(ben, reason="case 7")
    assert [one.rows for one in apply_policies(crm)] == [0, 0, 0]
    clock.advance(days=31)
    with crm.begin() as tx:
        before = tx.privacy.export(ann)["tables"]
    dry = apply_policies(crm, dry_run=True)
    assert [(one.policy.name, one.rows) for one in dry] == [("old messages", 1), ("visits", 3), ("lapsed", 0)]
    with crm.begin() as tx:
        assert tx.privacy.export(ann)["tables"] == before
    crm.run_due()
    with crm.begin() as tx:
        texts = {one.delivery.contact_id: one.delivery.text for one in tx.messages.list()}
        assert texts == {ann: "", ben: "Dear"}
        assert "visits_log" not in tx.privacy.export(ann)["tables"]
        assert len(tx.privacy.export(ben)["tables"]["visits_log"]) == 3
        tx.contacts.update(ann, given_name="Ann")  # activity
    assert [one.rows for one in apply_policies(crm)] == [0, 0, 0]
    clock.advance(days=41)
    (done,) = apply_policies(crm, only=["lapsed"], dry_run=True)
    assert (done.rows, done.held) == (1, 1)
    crm.run_due()
    with crm.begin() as tx:
        assert tx.privacy.erased(ann).reason == "retention: lapsed" and tx.privacy.erased(ben) is None


def test_a_policy_leaves_what_went_to_an_address_of_somebody_held() -> None:
    clock = FakeClock()
    old = policy(name="old", action="delete", where={})
    crm = memory_crm(settings={"core": {"retention": [old]}}, clock=clock)
    ann, _ = two_people(crm)
    with crm.begin() as tx:
        for number, to in enumerate([ANN, ContactPoint.email("x@y.org")]):
            tx.messages.queue(Message(topic="hi", text="Dear"), channel="post", key=f"m{number}", to=to)
        tx.privacy.hold(ann, reason="case 7")
    clock.advance(days=90)
    assert [one.rows for one in apply_policies(crm)] == [1]
    with crm.begin() as tx:
        assert [one.delivery.address for one in tx.messages.list()] == ["ann@example.com"]


def test_a_hold_keeps_what_stands_beside_its_tables() -> None:
    crm = memory_crm()
    ann, _ = two_people(crm)
    with crm.begin() as tx:
        for words in ("ann@example.com bounced", "ANN@Example.com bounced"):
            error = ValueError(words)
            record_failure(tx, Failure(owner="x", what="y", subject="", error=error, contact_id=None))
        hold = tx.privacy.hold(ann, reason="case 7", tables=["failures", "events"])
        before = {entry.id: entry.event for entry in tx.events.timeline(ann, types=["ContactAdded"])}
    assert "event_personal" in crm.erase(ann).held
    with crm.begin() as tx:
        assert {entry.id: entry.event for entry in tx.events.timeline(ann, types=["ContactAdded"])} == before
        failures = tx.sql.execute(tx.table("failures").select()).all()
        assert all("bounced" in row.error for row in failures)
        tx.privacy.release(hold.id)
    crm.run_due()
    with crm.begin() as tx:
        assert {row.error for row in tx.sql.execute(tx.table("failures").select())} == {""}
        assert all(entry.erased for entry in tx.events.timeline(ann, types=["ContactAdded"]))


def test_the_default_keeps_everything() -> None:
    assert CoreSettings().retention == ()


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    crm = CRM(url)
    crm.create_tables()
    two_people(crm)
    crm.run_due()
    return url


def said(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    assert main(list(words)) == status
    out, err = capsys.readouterr()
    return out if status != 2 else err


def test_the_commands_answer_a_request(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = ["--url", url]
    file = tmp_path / "ann.html"
    export = ["privacy", "export", "ann@example.com", *target]
    assert json.loads(said(capsys, *export))["contact"]["points"] == ["email:ann@example.com"]
    assert "rows of" in said(capsys, *export, "--format", "html", "-o", str(file))
    assert "<h1>What is recorded of Ann &lt;i&gt;Lee</h1>" in file.read_text()
    assert "is there already" in said(capsys, *export, "-o", str(file), status=2)
    assert "no contact has the address" in said(
        capsys, "privacy", "export", "eve@example.com", *target, status=2
    )
    assert "is neither an id nor" in said(capsys, "erase", "ann", *target, status=2)
    held = said(capsys, "privacy", "hold", "ann@example.com", "--reason", "case 7", "--json", *target)
    refused = said(capsys, "erase", "ann@example.com", *target, status=2)
    assert "keeps everything" in refused and "Traceback" not in refused
    said(capsys, "privacy", "release", json.loads(held)["id"], *target)
    erased = json.loads(said(capsys, "erase", "ann@example.com", "--scrub", "--json", *target))
    assert erased["complete"] and erased["scrubbed"][0] == "VACUUM"
    assert "Nothing is left" in said(capsys, "privacy", "pending", *target)
    assert "must be a date" in said(
        capsys, "privacy", "hold", "ben@example.com", "--reason", "x", "--until", "soon", *target, status=2
    )


def test_the_commands_show_that_nobody_altered_the_log(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    target = ["--url", url]
    head = said(capsys, "audit", "head", *target).strip()
    assert "2 events in 1 batches" in said(capsys, "audit", "verify", "--head", head, *target)
    crm = CRM(url)
    with crm.begin() as tx:
        event = tx.events.since(0)[0].id
    proof = json.loads(said(capsys, "audit", "prove", str(event), *target))
    assert proof["seal"]["seal"] == head and len(proof["steps"]) == 1
    with crm.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE crm_events SET actor = 'staff:eve' WHERE position = 2")
    broken = json.loads(said(capsys, "audit", "verify", "--json", *target, status=1))
    assert (broken["broken"]["batch"], broken["broken"]["position"]) == (1, 2)
    assert "No policies are enabled" in said(capsys, "retention", "run", *target)
    assert "no policy 'x' is enabled" in said(capsys, "retention", "run", "--only", "x", *target, status=2)
