"""What is known about contacts besides their fields, on every database: details, points, roles and stages."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from threading import Barrier
from uuid import UUID, uuid4

import attrs
import pytest

from crmkit import (
    CRM,
    FOREVER,
    ContactPoint,
    Field,
    FieldType,
    KeyConflict,
    Money,
    NotFound,
    Order,
    OrderLine,
    OrderRole,
    Refund,
    Transaction,
    ValueRefused,
)
from crmkit.sql.stages import read_due, read_followed, read_order_facts
from crmkit.testing import FakeClock
from sql.test_indexes import captured, faults

FIELDS = (
    Field("shop.tier", FieldType.TEXT),
    Field("shop.visits", FieldType.INTEGER, bound=(0, 100)),
    Field("shop.height", FieldType.DECIMAL, scale=2),
    Field("shop.club", FieldType.BOOLEAN),
    Field("shop.seen", FieldType.INSTANT),
    Field("shop.since", FieldType.DATE),
    Field("shop.sizes", FieldType.TEXT_SET),
)
VALUES = {
    "shop.tier": "ოქრო 🥇",
    "shop.visits": 100,
    "shop.height": Decimal("-1.80"),
    "shop.club": False,
    "shop.seen": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    "shop.since": date(1999, 12, 31),
    "shop.sizes": frozenset({"xl", "XL", "40"}),
}


CLOCK = FakeClock()


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"], scope="module")
def crm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CRM]:
    """Give a CRM whose contacts every test adds for itself: making the tables takes longer than all of them."""
    if request.param == "sqlite":
        yield _made(f"sqlite:///{tmp_path_factory.mktemp('db') / 'crm.db'}")
        return
    with request.getfixturevalue(f"{request.param}_server").database() as url:
        crm = _made(url)
        yield crm
        crm.engine.dispose()


def _made(url: str) -> CRM:
    crm = CRM(url, fields=FIELDS, clock=CLOCK)
    crm.create_tables()
    return crm


@pytest.fixture
def clock() -> FakeClock:
    return CLOCK


def add(crm: CRM, name: str = "Ann", *points: ContactPoint) -> UUID:
    with crm.begin() as tx:
        return tx.contacts.add(name, points=points).id


def buy(crm: CRM, key: str, contact_id: UUID, at: datetime, **options: object) -> None:
    line = OrderLine("tea", 1, Money(500, "GBP"))
    with crm.begin() as tx:
        tx.orders.record(Order(key, [line], placed_at=at, contact_id=contact_id), state="paid", history=True)


def stage(crm: CRM, contact_id: UUID) -> str:
    with crm.begin() as tx:
        return tx.contacts.get(contact_id).stage.value


def test_details_read_as_they_were_written(crm: CRM) -> None:
    ann, acme = add(crm, "Ann"), add(crm, "Acme")
    with crm.begin(actor="staff:bo") as tx:
        tx.contacts.tags.add(ann, "VIP", "vip ", "Tea  lover")
        note = tx.contacts.notes.write(ann, "called", kind="call", about=acme)
        tx.contacts.notes.amend(note.id, "called twice")
        asked = tx.contacts.notes.write(ann, kind="interview", needs="shoes", weaknesses=("dear", "far"))
        tx.contacts.preferences.set(ann, "topic", "tea", confidence=60, source="asked")
        tx.contacts.preferences.set(ann, "topic", "tea", liking="dislikes")
        tx.contacts.relations.add(ann, "employer", acme, began_on="2020-01-01")
        tx.contacts.relations.add(ann, "Daughter", "Mia")
        school = tx.contacts.facts.add(ann, "daughter starts school", on=date(2026, 9, 1), source="call")
        assert tx.contacts.values.set(ann, VALUES) == VALUES
    with crm.begin() as tx:
        assert tx.contacts.tags.of(ann) == ("tea lover", "vip")
        assert tx.contacts.tags.having("VIP") == [ann]
        assert [one.text for one in tx.contacts.notes.versions(note.id)] == ["called", "called twice"]
        assert [one.id for one in tx.contacts.notes.of(ann)] == [asked.id, note.id]
        assert [one.text for one in tx.contacts.notes.about(acme)] == ["called twice"]
        assert tx.contacts.notes.get(asked.id).weaknesses == ("dear", "far")
        (tea,) = tx.contacts.preferences.of(ann)
        assert (tea.liking, tea.confidence, tea.source) == ("dislikes", 100, "")
        assert tx.contacts.preferences.history(ann)[0].event.before["confidence"] == "60"  # type: ignore[attr-defined]
        assert {(one.kind, one.other_id, one.other_name) for one in tx.contacts.relations.of(ann)} == {
            ("employer", acme, ""),
            ("daughter", None, "Mia"),
        }
        assert [(one.kind, one.other_id) for one in tx.contacts.relations.of(acme)] == [("employee", ann)]
        assert tx.contacts.facts.between("2026-09-01", "2026-09-02") == [school]
        assert tx.contacts.values.of(ann) == VALUES
        told = {entry.type for entry in tx.events.timeline(ann)}
        assert told >= {
            "TagsChanged",
            "NoteWritten",
            "PreferenceSet",
            "RelationAdded",
            "FactAdded",
            "ValuesSet",
        }


def test_what_is_taken_away_is_gone(crm: CRM) -> None:
    ann = add(crm)
    with crm.begin() as tx:
        tx.contacts.tags.add(ann, "a", "b")
        assert tx.contacts.tags.remove(ann, "A", "c") == ("b",)
        tx.contacts.preferences.set(ann, "channel", "sms")
        assert tx.contacts.preferences.drop(ann, "channel", "sms")
        assert not tx.contacts.preferences.drop(ann, "channel", "sms")
        tx.contacts.values.set(ann, VALUES)
        left = tx.contacts.values.set(ann, {"shop.sizes": None, "shop.tier": None})
        assert left.keys() == VALUES.keys() - {"shop.sizes", "shop.tier"}
        relation = tx.contacts.relations.add(ann, "friend", "Bo")
        tx.contacts.relations.end(relation.id)
        tx.contacts.relations.end(relation.id)
        assert tx.contacts.relations.of(ann) == []
        assert tx.contacts.relations.of(ann, ended=True)[0].ended_at == tx.now
        fact = tx.contacts.facts.add(ann, "is vegetarian", privacy="special", purpose="catering")
        tx.contacts.facts.remove(ann, fact.id)
        assert tx.contacts.facts.of(ann) == []
    with crm.begin() as tx:
        assert tx.contacts.tags.of(ann) == ("b",)
        assert tx.contacts.values.of(ann) == left
        assert "vegetarian" not in str(tx.events.timeline(ann))


def test_a_repeat_changes_nothing(crm: CRM) -> None:
    mail = ContactPoint.email("repeat@example.com")
    ann = add(crm, "Ann", mail)
    for _ in range(2):
        with crm.begin() as tx:
            tx.contacts.tags.add(ann, "vip")
            tx.contacts.notes.write(ann, "hello", key="import:1")
            tx.contacts.preferences.set(ann, "product", "T-1", confidence=30)
            tx.contacts.relations.add(ann, "friend", "Bo")
            tx.contacts.facts.add(ann, "has a dog")
            tx.contacts.values.set(ann, VALUES)
            tx.contacts.points.verify(ann, mail)
            tx.contacts.points.label(ann, mail, "home")
            tx.contacts.points.prefer(ann, mail)
            tx.contacts.permit_first_name(ann, how="on the phone")
            tx.contacts.update(ann, stage="loyal", classification="wholesale")
            count = len(tx.events.timeline(ann, limit=100))
    with crm.begin() as tx:
        assert count == len(tx.events.timeline(ann, limit=100)) == 13
        with pytest.raises(KeyConflict):
            tx.contacts.notes.write(ann, "something else", key="import:1")
        point = tx.contacts.get(ann).point("email")
        assert point and (point.label, point.primary, point.verified_at) == ("home", True, tx.now)


def test_details_of_nobody_are_refused(crm: CRM) -> None:
    nobody = uuid4()
    with crm.begin() as tx:
        for write in (
            lambda: tx.contacts.tags.add(nobody, "a"),
            lambda: tx.contacts.notes.write(nobody, "a"),
            lambda: tx.contacts.preferences.set(nobody, "topic", "a"),
            lambda: tx.contacts.relations.add(nobody, "friend", "a"),
            lambda: tx.contacts.facts.add(nobody, "a"),
            lambda: tx.contacts.values.set(nobody, {"shop.tier": "a"}),
            lambda: tx.contacts.points.verify(nobody, ContactPoint.email("nobody@example.com")),
            lambda: tx.contacts.stages.set(nobody, "lead"),
        ):
            with pytest.raises(NotFound):
                write()
        for name in ("tags", "notes", "preferences", "relations", "facts", "values", "stages"):
            table = crm.tables[f"contact_{name}"]
            assert tx.sql.execute(table.select().where(table.c.contact_id == nobody)).all() == []


def test_merged_contacts_read_as_one_and_part_again(crm: CRM) -> None:
    one, other = add(crm, "Ann"), add(crm, "Anne")
    with crm.begin() as tx:
        tx.contacts.tags.add(one, "a")
        tx.contacts.tags.add(other, "b")
        tx.contacts.values.set(one, {"shop.tier": "gold", "shop.sizes": {"m"}})
    CLOCK.advance(timedelta(seconds=1))
    with crm.begin() as tx:
        tx.contacts.values.set(other, {"shop.tier": "iron", "shop.visits": 3, "shop.sizes": {"xl"}})
        tx.contacts.notes.write(other, "from the fair")
        tx.contacts.facts.add(other, "has a dog")
        tx.contacts.relations.add(other, "friend", "Bo")
        tx.contacts.relations.add(one, "spouse", other)
        third = tx.contacts.add("Cy").id
        tx.contacts.relations.add(third, "friend", other)
        tx.contacts.relations.add(third, "friend", one)
        tx.contacts.preferences.set(one, "topic", "tea", liking="likes")
        before = [tx.contacts.values.of(id) for id in (one, other)]
        merge = tx.merges.merge(other, one)
    with crm.begin() as tx:
        for id in (one, other):
            assert tx.contacts.tags.of(id) == ("a", "b")
            assert tx.contacts.values.of(id) == {"shop.sizes": {"xl"}, "shop.tier": "iron", "shop.visits": 3}
            assert [note.text for note in tx.contacts.notes.of(id)] == ["from the fair"]
            assert len(tx.contacts.facts.of(id)) == 1
            relations = [(one.other_name, one.other_id) for one in tx.contacts.relations.of(id)]
            assert relations == [("Bo", None), ("", third)]  # nobody is married to oneself
        assert [relation.other_id for relation in tx.contacts.relations.of(third)] == [one]
    CLOCK.advance(timedelta(seconds=1))
    with crm.begin() as tx:
        tx.contacts.values.set(one, {"shop.tier": "lead"})
        assert tx.contacts.values.of(other)["shop.tier"] == "lead"
        with pytest.raises(ValueRefused, match="its own"):
            tx.contacts.relations.add(one, "spouse", other)
        tx.merges.unmerge(merge.id)
    with crm.begin() as tx:
        assert tx.contacts.values.of(other) == before[1]
        assert tx.contacts.values.of(one) == {**before[0], "shop.tier": "lead"}
        assert (tx.contacts.tags.of(one), tx.contacts.tags.of(other)) == (("a",), ("b",))


def test_two_who_write_at_once_write_once(crm: CRM) -> None:
    ann, start = add(crm), Barrier(2)

    def write(_: int) -> None:
        start.wait()

        def work(tx: object) -> None:
            tx.contacts.tags.add(ann, "vip")  # type: ignore[attr-defined]
            tx.contacts.preferences.set(ann, "topic", "tea")  # type: ignore[attr-defined]
            tx.contacts.values.set(ann, {"shop.tier": "gold"})  # type: ignore[attr-defined]
            tx.contacts.notes.write(ann, "hello", key="k")  # type: ignore[attr-defined]
            tx.contacts.relations.add(ann, "friend", "Bo")  # type: ignore[attr-defined]

        crm.transact(work, attempts=20)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, range(2)))
    with crm.begin() as tx:
        assert len(tx.contacts.notes.of(ann)) == len(tx.contacts.relations.of(ann)) == 1
        assert tx.contacts.values.of(ann) == {"shop.tier": "gold"}
        counts = [entry.type for entry in tx.events.timeline(ann)]
        assert counts.count("TagsChanged") == counts.count("NoteWritten") == 1


LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")


def _while_open(
    crm: CRM, first: Callable[[Transaction], object], second: Callable[[Transaction], object]
) -> None:
    """Let a second transaction, run again where it must be, come while a first one is open that has written."""
    with ThreadPoolExecutor(1) as pool:
        with crm.begin() as tx:
            first(tx)
            other = pool.submit(crm.transact, second, attempts=40)
            wait([other], 0.3)
        other.result(60)


@pytest.mark.parametrize("ways", ["remember remember", "remember prefer", "prefer remember", "prefer prefer"])
def test_two_who_prefer_at_once_leave_one_primary_point(crm: CRM, ways: str) -> None:
    """kills: demote_points without its touch, and without its demote."""
    new = [ContactPoint.email(f"new{number}@{ways.replace(' ', '.')}") for number in (1, 2)]
    old = [ContactPoint.email(f"old{number}@{ways.replace(' ', '.')}") for number in (1, 2)]
    for level in LEVELS if crm.engine.dialect.name != "sqlite" else ("SERIALIZABLE",):
        at = copy.copy(crm)
        at.engine = crm.engine.execution_options(isolation_level=level)
        ann = add(crm, "Ann", *old)
        steps: list[Callable[[Transaction], object]] = [
            partial(_prefer, ann=ann, point=(new if way == "remember" else old)[place], how=way)
            for place, way in enumerate(ways.split())
        ]
        _while_open(at, *steps)
        with crm.begin() as tx:
            found = [point for point in tx.contacts.get(ann).points if point.primary]
            for point in (*old, *new):
                tx.contacts.points.remove(ann, point)
        assert len(found) == 1, (level, found)


def _prefer(tx: Transaction, ann: UUID, point: ContactPoint, how: str) -> None:
    if how == "prefer":
        tx.contacts.points.prefer(ann, point)
    else:
        tx.contacts.remember(ann, point.with_(primary=True))


def test_the_rule_does_not_overwrite_what_staff_said_unseen(crm: CRM, clock: FakeClock) -> None:
    """kills: lock_contacts in place of lock_as_read, with which MariaDB decides by what was there before."""
    if crm.engine.dialect.name == "sqlite":
        return  # it has one writer at a time
    ann = add(crm)
    buy(crm, "unseen 1", ann, clock())
    crm.transact(lambda tx: tx.contacts.stages.derive(ann))
    buy(crm, "unseen 2", ann, clock())
    clock.advance(timedelta(hours=1))

    def derive(tx: Transaction) -> None:
        if tx.contacts.get(ann).stage == "first_time":  # which takes the snapshot
            with crm.begin() as other:
                other.contacts.stages.set(ann, "lost")
        tx.contacts.stages.derive(ann)

    crm.transact(derive)
    assert stage(crm, ann) == "lost"


def test_orders_have_roles(crm: CRM, clock: FakeClock) -> None:
    ann, mia, bo = add(crm, "Ann"), add(crm, "Mia"), add(crm, "Bo")
    line = OrderLine("tea", 1, Money(500, "GBP"))
    order = Order("RA-1", [line], placed_at=clock(), contact_id=ann, roles={"beneficiary": [mia, bo]})
    with crm.begin() as tx:
        tx.orders.record(order, state="paid")
        tx.orders.relate("RA-1", "user", mia)
        tx.orders.relate("RA-1", "user", mia)
        tx.orders.unrelate("RA-1", "beneficiary", bo)
    with crm.begin() as tx:
        assert tx.orders.record(order, state="paid").replayed
        assert tx.orders.get("RA-1").order.roles == order.roles
        assert tx.orders.roles("RA-1") == {
            OrderRole.BUYER: (ann,),
            OrderRole.BENEFICIARY: (mia,),
            OrderRole.USER: (mia,),
        }
        assert {part.role for part in tx.orders.parts_of(mia)} == {"user", "beneficiary"}
        assert tx.orders.parts_of(bo) == tx.orders.parts_of(ann) == []
        assert [e.type for e in tx.events.timeline(bo)] == ["OrderUnrelated", "OrderRelated", "ContactAdded"]
    other = attrs.evolve(order, roles={"beneficiary": mia})
    nobody = Order("RA-2", [line], placed_at=clock(), roles={"user": uuid4()})
    with crm.begin() as tx:
        with pytest.raises(KeyConflict):
            tx.orders.record(other, state="paid")
        with pytest.raises(NotFound, match="RA-2"):
            tx.orders.record(nobody)
        with pytest.raises(NotFound):
            tx.orders.get("RA-2")


def test_stages_follow_orders_and_time(crm: CRM, clock: FakeClock) -> None:
    ann, bo, guest = add(crm, "Ann"), add(crm, "Bo"), add(crm, "Guest")
    for number in range(5):
        buy(crm, f"SA-{number}", ann, clock())
    buy(crm, "SB-1", bo, clock())
    crm.run_due()
    assert [stage(crm, id) for id in (ann, bo, guest)] == ["loyal", "first_time", ""]
    with crm.begin() as tx:
        tx.orders.refund("SB-1", Refund.whole("r"), history=True)
    crm.run_due()
    assert stage(crm, bo) == "lead"
    for days, wanted in ((179, "loyal"), (1, "lapsed"), (184, "lapsed"), (1, "lost")):
        clock.advance(timedelta(days=days))
        crm.run_due()
        assert stage(crm, ann) == wanted
    buy(crm, "SA-9", ann, clock())
    crm.run_due()
    crm.run_due()
    assert stage(crm, ann) == "loyal"
    with crm.begin() as tx:
        told = [(one.before, one.after) for one in tx.contacts.stages.history(ann)]
    assert told == [("", "loyal"), ("loyal", "lapsed"), ("lapsed", "lost"), ("lost", "loyal")]


def test_what_staff_set_is_kept(crm: CRM, clock: FakeClock) -> None:
    ann = add(crm)
    buy(crm, "KA-1", ann, clock())
    crm.run_due()
    with crm.begin(actor="staff:bo") as tx:
        tx.contacts.stages.set(ann, "loyal", reason="a friend of the house")
    clock.advance(timedelta(days=500))
    crm.run_due()
    assert stage(crm, ann) == "loyal"
    buy(crm, "KA-2", ann, clock())
    crm.run_due()
    assert stage(crm, ann) == "loyal"
    with crm.begin(actor="staff:bo") as tx:
        tx.contacts.stages.set(ann, "lost", reason="moved away")
    crm.run_due()
    assert stage(crm, ann) == "lost"
    clock.advance(timedelta(days=1))
    buy(crm, "KA-3", ann, clock())
    crm.run_due()
    assert stage(crm, ann) == "repeat"
    with crm.begin() as tx:
        tx.contacts.stages.set(ann, "lead")
        assert tx.contacts.stages.release(ann) == "repeat"
        assert [one.why for one in tx.contacts.stages.history(ann)][1] == "a friend of the house"


def test_merged_orders_count_together_until_they_part(crm: CRM, clock: FakeClock) -> None:
    one, other = add(crm, "Ann"), add(crm, "Anne")
    buy(crm, "MA-1", one, clock())
    buy(crm, "MA-2", other, clock())
    with crm.begin() as tx:
        merge = tx.merges.merge(other, one)
    crm.run_due()
    assert stage(crm, one) == stage(crm, other) == "repeat"
    with crm.begin() as tx:
        tx.merges.unmerge(merge.id)
    crm.run_due()
    assert stage(crm, one) == stage(crm, other) == "first_time"


def test_other_rules_look_at_everybody_again(crm: CRM, clock: FakeClock) -> None:
    ann = add(crm)
    buy(crm, "OA-1", ann, clock())
    crm.run_due()
    clock.advance(timedelta(days=30))
    stricter = CRM(crm.engine, clock=clock, settings={"core": {"stage_lapsed_after": timedelta(days=20)}})
    stricter.run_due()
    assert stage(crm, ann) == "lapsed"


LOOKUPS: dict[str, Callable[[CRM, Transaction, UUID], object]] = {
    "tags of a contact": lambda crm, tx, id: tx.contacts.tags.of(id),
    "contacts with a tag": lambda crm, tx, id: tx.contacts.tags.having("t7", after=id, limit=3),
    "notes of a contact": lambda crm, tx, id: tx.contacts.notes.of(id, limit=3),
    "calls of a contact": lambda crm, tx, id: tx.contacts.notes.of(id, kind="call", limit=3),
    "notes about a thing": lambda crm, tx, id: tx.contacts.notes.about(id),
    "versions of a note": lambda crm, tx, id: tx.contacts.notes.versions(id),
    "preferences of a contact": lambda crm, tx, id: tx.contacts.preferences.of(id),
    "contacts with a preference": lambda crm, tx, id: tx.contacts.preferences.having("topic", "t7", limit=3),
    "relations of a contact": lambda crm, tx, id: tx.contacts.relations.of(id),
    "relations that ended too": lambda crm, tx, id: tx.contacts.relations.of(id, ended=True),
    "facts of a contact": lambda crm, tx, id: tx.contacts.facts.of(id),
    "facts of a day": lambda crm, tx, id: tx.contacts.facts.between("2026-01-07", "2026-01-08", limit=3),
    "values of a contact": lambda crm, tx, id: tx.contacts.values.of(id),
    "values of many": lambda crm, tx, id: tx.contacts.values.of_many([id]),
    "roles of a contact": lambda crm, tx, id: tx.orders.parts_of(id, limit=3),
    "orders of many": lambda crm, tx, id: read_order_facts(tx.sql, [id]),
    "stages due": lambda crm, tx, id: read_due(tx.sql, tx.now, 3),
    "the log from a position on": lambda crm, tx, id: read_followed(tx.sql, 5, 3),
    "history of a field": lambda crm, tx, id: tx.contacts.history(id, "classification", limit=3),
}


@pytest.fixture(scope="module")
def filled(crm: CRM) -> CRM:
    """Give the CRM so many rows that a database would notice reading them all."""
    now, never, ids = CLOCK(), FOREVER, [UUID(int=number) for number in range(1, 501)]
    rows: dict[str, Callable[[int, UUID], dict[str, object]]] = {
        "contact_tags": lambda n, id: {"contact_id": id, "tag": f"t{n % 50}", "added_at": now},
        "contact_preferences": lambda n, id: {
            "contact_id": id, "kind": "topic", "value": f"t{n % 50}", "liking": "likes",
            "confidence": 1, "source": "", "set_at": now,
        },
        "contact_values": lambda n, id: {
            "contact_id": id, "field": "shop.tier", "place": 0, "text": "x", "number": 0, "set_at": now
        },
        "contact_notes": lambda n, id: {
            "id": id, "note_id": id, "number": 1, "contact_id": ids[n % 50], "kind": "note", "text": "x",
            "details": {}, "about_id": id, "author": "system", "noted_at": now, "written_at": now, "until": never,
        },
        "contact_relations": lambda n, id: {
            "id": id, "contact_id": ids[n % 50], "kind": "friend", "other_id": ids[-n % 50], "other_name": "",
            "source": "", "began_on": "", "added_at": now, "ended_at": never,
        },
        "contact_facts": lambda n, id: {
            "id": id, "contact_id": ids[n % 50], "text": "x", "on_date": f"2026-01-{n % 28 + 1:02}", "source": "",
            "privacy": "ordinary", "purpose": "", "added_at": now,
        },
        "order_roles": lambda n, id: {
            "order_id": ids[n % 50], "role": "user", "contact_id": id, "since": now
        },
        "contact_stages": lambda n, id: {"contact_id": id, "kept_at": never, "due_at": never},
    }  # fmt: skip
    with crm.begin() as tx:
        for name, row in rows.items():
            tx.sql.insert(crm.tables[name], [row(number, id) for number, id in enumerate(ids)])
    with crm.engine.begin() as connection:
        tables = ", ".join(crm.tables[name].name for name in (*rows, "events", "orders"))
        mariadb = crm.engine.dialect.name == "mariadb"
        connection.exec_driver_sql(f"ANALYZE TABLE {tables}" if mariadb else "ANALYZE")
    return crm


@pytest.mark.parametrize("name", LOOKUPS)
def test_each_look_up_of_details_uses_an_index(filled: CRM, name: str) -> None:
    with captured(filled) as statements, filled.begin() as tx:
        LOOKUPS[name](filled, tx, UUID(int=7))
    assert statements
    assert {s: found for s, p in statements if (found := faults(filled, s, p))} == {}
