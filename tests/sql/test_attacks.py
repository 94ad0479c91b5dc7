"""What was tried to lose, double or half-write rows: each law here was once broken, or is the guard of a guard."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from sqlalchemy import create_engine, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from crmkit import (
    CRM,
    ConfigError,
    Contact,
    ContactAdded,
    ContactPoint,
    ContactUpdated,
    CrmkitError,
    Event,
    LogEntry,
    Message,
    Money,
    Order,
    OrderAmended,
    OrderCancelled,
    OrderLine,
    OrderPaid,
    OrderRecorded,
    OrderRefunded,
    OrderShipped,
    OrderState,
    Reaction,
    Refund,
    RetryTransaction,
    Secret,
    Transaction,
    TransactionError,
    TransactionPoisoned,
    TransactionRequired,
    ValueRefused,
    hookimpl,
)
from crmkit.events import ContactPointsAdded, personal
from crmkit.sql.contacts import contact_row
from sql.hosts import counts, drivers, host_orders, order, shop

ANN = ContactPoint.email("ann@example.com")
LINES = [OrderLine("x", 1, Money(700, "GBP"))]


@attrs.frozen(kw_only=True)
class Noted(Event):
    facts: Mapping[str, Any] = attrs.field(factory=dict)
    words: str = personal(default="")


@attrs.define(eq=False)
class Meddler:
    """A plugin that does something on every event, essentially or alone."""

    act: Callable[[Transaction, LogEntry], object] = lambda tx, entry: None
    essential: bool = True
    name = "meddler"

    @hookimpl
    def crmkit_event_types(self) -> list[type[Event]]:
        return [Noted]

    @hookimpl
    def crmkit_reactions(self) -> list[Reaction]:
        return [
            Reaction(type_, self.react, essential=self.essential)
            for type_ in (ContactAdded, ContactPointsAdded, ContactUpdated, Noted, OrderAmended, OrderCancelled,
                          OrderPaid, OrderRecorded, OrderRefunded, OrderShipped)
        ]  # fmt: skip

    def react(self, tx: Transaction, entry: LogEntry) -> None:
        self.act(tx, entry)


def refuse(tx: Transaction, entry: LogEntry) -> None:
    tx.sql.insert(
        tx.table("cursors"), [{"name": "half", "position": 0, "lease_until": tx.now, "holder": None}]
    )
    raise ValueRefused("not with me")


def contents(crm: CRM) -> dict[str, list[Any]]:
    """Return every row of every table."""
    with crm.engine.connect() as connection:
        return {
            name: sorted(map(repr, connection.execute(select(table)))) for name, table in crm.tables.items()
        }


@contextmanager
def meddled(crm: CRM, meddler: Meddler, act: Callable[[Transaction, LogEntry], object]) -> Iterator[None]:
    before, meddler.act = meddler.act, act
    try:
        yield
    finally:
        meddler.act = before


#: Each with the steps that must stand before it.
STEPS: dict[str, tuple[list[str], Callable[[Transaction], object]]] = {
    "record": ([], lambda tx: tx.orders.record(order("A-1"))),
    "record paid": ([], lambda tx: tx.orders.record(order("A-1", email="new@example.com"), state="paid")),
    "paid": (["record"], lambda tx: tx.orders.paid("A-1")),
    "shipped": (["record"], lambda tx: tx.orders.shipped("A-1")),
    "amend": (["record"], lambda tx: tx.orders.amend("A-1", LINES, amendment="1")),
    "refund": (["record paid"], lambda tx: tx.orders.refund("A-1", Refund.whole("r"))),
    "cancel": (["record"], lambda tx: tx.orders.cancel("A-1")),
    "add": ([], lambda tx: tx.contacts.add("Bob", points=[ContactPoint.phone("+442071838750")])),
    "find or add": ([], lambda tx: tx.contacts.find_or_add([ContactPoint.handle("x", "bob")])),
    "append": ([], lambda tx: tx.events.append(Noted(), key="n1")),
}  # fmt: skip


@pytest.mark.parametrize("step", list(STEPS))
def test_a_step_that_an_essential_reaction_refuses_leaves_nothing_though_the_host_commits(
    database_url: str, step: str
) -> None:
    meddler = Meddler()
    crm = shop(database_url, plugins=[meddler])
    needed, attack = STEPS[step]
    for name in needed:
        crm.transact(STEPS[name][1])
    before = contents(crm)
    with meddled(crm, meddler, refuse), Session(create_engine(crm.engine.url)) as session:
        with pytest.raises(ValueRefused, match="not with me"):
            attack(crm.join(session))
        session.execute(insert(host_orders).values(number="kept"))
        session.commit()
    assert contents(crm) == before
    assert counts(crm)[0] == 1


def test_a_change_of_a_contact_that_is_refused_leaves_nothing(database_url: str) -> None:
    meddler = Meddler()
    crm = shop(database_url, plugins=[meddler])
    ann = crm.transact(lambda tx: tx.contacts.add("Ann", points=[ANN])).id
    before = contents(crm)
    bad: list[Callable[[Transaction], object]] = [
        lambda tx: tx.contacts.update(ann, name="Bob"),
        lambda tx: tx.contacts.remember(ann, ContactPoint.email("b@example.com")),
    ]
    for attack in bad:
        with meddled(crm, meddler, refuse), crm.begin() as tx, pytest.raises(ValueRefused):
            attack(tx)
    assert contents(crm) == before


def test_bad_input_changes_nothing_though_the_host_commits(database_url: str) -> None:
    crm = shop(database_url, plugins=[Meddler()])
    crm.transact(lambda tx: tx.orders.record(order("A-1"), state="paid"))
    before = contents(crm)
    never = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    bad: list[Callable[[Transaction], object]] = [
        lambda tx: tx.orders.shipped("A-1", tracking="\ud800"),
        lambda tx: tx.orders.shipped("A-1", tracking=None),  # type: ignore[arg-type]
        lambda tx: tx.orders.shipped("A-1", at=never),
        lambda tx: tx.orders.shipped(1),  # type: ignore[arg-type]
        lambda tx: tx.orders.cancel("A-1", reason="x\x00"),
        lambda tx: tx.orders.amend("A-1", LINES, amendment=""),
        lambda tx: tx.orders.amend("A-1", LINES, amendment="x" * 101),
        lambda tx: tx.orders.refund("A-1", Refund.of_amount("r", Money(10**9, "GBP"))),
        lambda tx: tx.orders.record(order("A-2", placed_at=never)),
        lambda tx: tx.orders.record(order("A-2", placed_at=never.replace(tzinfo=timezone(-timedelta(hours=1))))),
        lambda tx: tx.events.append(Noted(words="\ud800"), key="n"),
        lambda tx: tx.events.append(Noted(facts={"x": float("nan")}), key="n"),
        lambda tx: tx.contacts.add("Bob", points=[ContactPoint.external("x", "1"), ANN]),
    ]  # fmt: skip
    for number, attack in enumerate(bad):
        with crm.begin() as tx, pytest.raises(CrmkitError):
            attack(tx)
        assert contents(crm) == before, number


def test_every_text_that_is_allowed_fits_its_column(database_url: str) -> None:
    crm = shop(database_url)
    wide = "\U0001f600" * 300
    points = [
        ContactPoint.postal("ß" * 320, "de"),
        ContactPoint.handle("n" * 60, "\U0001f600" * 255),
        ContactPoint.external("\U0001f600" * 60, "\U0001f601" * 255),
    ]
    with crm.begin() as tx:
        contact = tx.contacts.add(wide, points=points, given_name=wide, family_name=wide, locale="x" * 35)
        for point in points:
            tx.messages.queue(
                Message(topic="\U0001f600" * 100, text="x"), channel="c" * 30, key="k" * 200, to=point
            )
        tx.orders.record(Order("\U0001f600" * 100, LINES, placed_at=tx.now, contact_id=contact.id))
        tx.orders.amend("\U0001f600" * 100, LINES, amendment="\U0001f600" * 100)
        tx.orders.paid("\U0001f600" * 100)
        tx.orders.refund("\U0001f600" * 100, Refund.whole("\U0001f600" * 100))
        assert tx.contacts.get(contact.id) == contact
        assert len(tx.messages.list()) == 3


@pytest.mark.parametrize(
    "make",
    [
        lambda: ContactPoint.postal("x" * 321),
        lambda: ContactPoint.handle("ß" * 60, "ann"),
        lambda: ContactPoint.handle("x", "ß" * 255),
        lambda: ContactPoint.handle("x", None),  # type: ignore[arg-type]
        lambda: ContactPoint.postal(None),  # type: ignore[arg-type]
    ],
)
def test_a_point_whose_key_would_not_fit_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValueRefused):
        make()


def test_a_step_under_another_normal_form_of_the_key_is_a_replay(database_url: str) -> None:
    crm = shop(database_url)
    with crm.begin() as tx:
        tx.orders.record(order("e\u0301-1"))
        assert not tx.orders.shipped("e\u0301-1").replayed
        assert tx.orders.shipped("\u00e9-1").replayed


def test_a_replayed_event_is_compared_as_it_is_stored(database_url: str) -> None:
    crm = shop(database_url, plugins=[Meddler()])
    with crm.begin() as tx:
        first = tx.events.append(Noted(facts={"pair": (1, 2)}), key="n")
        assert tx.events.append(Noted(facts={"pair": (1, 2)}), key="n").id == first.id


def test_a_free_line_is_given_back_once(database_url: str) -> None:
    crm = shop(database_url)
    gift = [OrderLine("gift", 2, Money(0, "GBP"), id="gift")]
    with crm.begin() as tx:
        tx.orders.record(Order("A-1", gift, placed_at=tx.now), state="paid")
        assert tx.orders.refund("A-1", Refund.of_lines("r1", {"gift": 1})).state is OrderState.PAID
        with pytest.raises(ValueRefused, match="must be 1 to 1"):
            tx.orders.refund("A-1", Refund.of_lines("r2", {"gift": 2}))
        assert tx.orders.refund("A-1", Refund.whole("r3")).state is OrderState.REFUNDED
        with pytest.raises(ValueRefused, match="nothing left"):
            tx.orders.refund("A-1", Refund.whole("r4"))


def test_refunds_of_two_machines_whose_clocks_differ_are_added_up(database_url: str) -> None:
    shop(database_url).engine.dispose()
    ahead = CRM(database_url, clock=lambda: datetime.now(UTC) + timedelta(minutes=5))
    behind = CRM(database_url)
    given = order("A-1")
    behind.transact(lambda tx: tx.orders.record(given, state="paid"))
    ahead.transact(lambda tx: tx.orders.refund("A-1", Refund.of_amount("r1", Money(1000, "GBP"))))
    behind.transact(lambda tx: tx.orders.refund("A-1", Refund.of_amount("r2", Money(200, "GBP"))))
    with pytest.raises(ValueRefused, match=r"exceeds what is left, 0\.50"), behind.begin() as tx:
        tx.orders.refund("A-1", Refund.of_amount("r3", Money(51, "GBP")))
    for crm in (ahead, behind):
        crm.engine.dispose()


def test_an_order_recorded_twice_at_once_leaves_no_second_buyer(postgresql_url: str) -> None:
    """A buyer without any address: nobody else's claim of a point tells that the contact is there already."""
    import threading

    crm = shop(postgresql_url)
    given = order("A-1", email="", name="Ann")
    with crm.begin() as first:
        first.orders.record(given)
        answers: list[Any] = []
        other = threading.Thread(
            target=lambda: answers.append(crm.transact(lambda tx: tx.orders.record(given)))
        )
        other.start()
        other.join(0.5)  # it has added its buyer, and waits for the order's key
    other.join()
    assert answers[0].replayed
    assert len(contents(crm)["contacts"]) == 1


def test_reactions_of_history_stay_asleep_inside_another_order(database_url: str) -> None:
    heard: list[str] = []
    meddler = Meddler()
    crm = shop(database_url, plugins=[meddler])
    old = order("old", placed_at=datetime(2010, 1, 1, tzinfo=UTC))

    def act(tx: Transaction, entry: LogEntry) -> None:
        heard.append(entry.key)
        if entry.key == "order:A-1":
            tx.orders.record(old, history=True)

    ann = crm.transact(lambda tx: tx.contacts.add("Ann", points=[ANN]))
    with meddled(crm, meddler, act), crm.begin() as tx:
        tx.orders.record(order("A-1", contact_id=ann.id))
    assert heard == ["order:A-1"]


@pytest.mark.parametrize("words", ["NUL \x00", "lone \ud800"])
def test_whatever_an_isolated_failure_says_it_hurts_nobody(database_url: str, words: str) -> None:
    def act(tx: Transaction, entry: LogEntry) -> None:
        raise RuntimeError(words)

    crm = shop(database_url, plugins=[Meddler(act, essential=False)])
    crm.transact(lambda tx: tx.orders.record(order("A-1")))
    assert counts(crm)[1] == 1
    assert crm.failures()[0].error.startswith("RuntimeError: " + words.split()[0])


def break_a_statement(tx: Transaction) -> None:
    """What a plugin does that swallows every error."""
    row = {"name": "events", "position": 0, "lease_until": tx.now, "holder": None}
    with suppress(IntegrityError):
        tx.sql.insert(tx.table("cursors"), [row])


def test_an_isolated_reaction_that_swallows_a_database_error_hurts_nobody(database_url: str) -> None:
    meddler = Meddler(essential=False)
    crm = shop(database_url, plugins=[meddler])
    with meddled(crm, meddler, lambda tx, entry: break_a_statement(tx)):
        crm.transact(lambda tx: tx.orders.record(order("A-1")))
    assert counts(crm)[1] == 1


def test_a_swallowed_error_that_ended_the_transaction_is_not_a_commit(postgresql_url: str) -> None:
    crm = shop(postgresql_url, plugins=[Meddler(lambda tx, entry: break_a_statement(tx))])
    with pytest.raises(CrmkitError, match="caught"), crm.begin() as tx:
        tx.orders.record(order("A-1"))
    with pytest.raises(TransactionPoisoned, match="caught"), crm.begin() as tx:
        break_a_statement(tx)
    assert counts(crm)[1:] == (0, 0)


def deadlock(crm: CRM, tx: Transaction) -> None:
    """Make the transaction the victim of a deadlock, by statements that pass tx.sql by."""
    import threading

    numbers = (1, 2)
    mine, other = tx.sql.connection, crm.engine.connect()
    for connection, number in ((mine, 1), (other, 2)):
        connection.execute(host_orders.update().where(host_orders.c.id == number).values(number="x"))
    other.execute(
        insert(host_orders), [{"number": "heavy"} for _ in range(50)]
    )  # the lighter one is the victim
    wait = threading.Thread(
        target=lambda: other.execute(host_orders.update().where(host_orders.c.id == 1).values(number="y"))
    )
    wait.start()
    import time

    time.sleep(0.3)
    try:
        mine.execute(host_orders.update().where(host_orders.c.id == numbers[1]).values(number="x"))
    finally:
        wait.join()
        other.rollback()
        other.close()


@pytest.mark.parametrize("swallow", [False, True])
def test_a_deadlock_in_an_isolated_reaction_asks_for_the_whole_transaction_again(
    mariadb_url: str, swallow: bool
) -> None:
    meddler = Meddler(essential=False)
    crm = shop(mariadb_url, plugins=[meddler])
    with crm.engine.begin() as connection:
        connection.execute(insert(host_orders), [{"id": 1, "number": "1"}, {"id": 2, "number": "2"}])

    def act(tx: Transaction, entry: LogEntry) -> None:
        with suppress(*([DBAPIError] if swallow else [])):
            deadlock(crm, tx)

    with meddled(crm, meddler, act), pytest.raises(TransactionError), crm.begin() as tx:
        tx.orders.record(order("A-1"))
    assert counts(crm) == (2, 0, 0)


@pytest.mark.parametrize("swallow", [False, True])
def test_a_connection_that_is_killed_ends_the_transaction(database_url: str, swallow: bool) -> None:
    crm = shop(database_url, plugins=[Meddler(essential=False)])
    if database_url.startswith("sqlite"):
        return
    ask, kill = ("SELECT pg_backend_pid()", "SELECT pg_terminate_backend({})")
    if not database_url.startswith("postgresql"):
        ask, kill = ("SELECT CONNECTION_ID()", "KILL {}")
    with pytest.raises(TransactionError), crm.begin() as tx:  # noqa: PT012 - the commit is what raises
        tx.orders.record(order("A-1"))
        number = tx.sql.connection.execute(text(ask)).scalar_one()
        with crm.engine.connect() as other:
            other.execute(text(kill.format(number)))
        if not swallow:
            tx.orders.paid("A-1")
        with suppress(CrmkitError):
            tx.orders.paid("A-1")
    assert counts(crm)[1:] == (0, 0)


def test_a_full_disk_ends_the_transaction_even_in_an_isolated_reaction(sqlite_url: str) -> None:
    meddler = Meddler(essential=False)
    crm = shop(sqlite_url, plugins=[meddler])

    def act(tx: Transaction, entry: LogEntry) -> None:
        with suppress(Exception):
            for number in range(10_000):
                tx.events.append(Noted(facts={"x": "x" * 1000, "n": number}))

    with meddled(crm, meddler, act), crm.engine.connect() as mine:
        raw: Any = mine.connection.dbapi_connection
        raw.execute(f"PRAGMA max_page_count={raw.execute('PRAGMA page_count').fetchone()[0] + 3}")
        with pytest.raises(CrmkitError):
            crm.join(mine).orders.record(order("A-1"))
        mine.rollback()
    assert counts(crm) == (0, 0, 0)


def test_two_transactions_joined_to_one_connection_nest(database_url: str) -> None:
    crm, beside = shop(database_url), CRM(database_url, prefix="beside_")
    beside.create_tables()
    with crm.begin() as host:
        connection = host.sql.connection
        first, second = crm.join(connection), beside.join(connection)
        with first.sql.isolated():
            first.contacts.add("Ann")
            with second.sql.isolated():
                second.contacts.add("Bob")
            with pytest.raises(ValueRefused), second.sql.isolated():  # noqa: PT012 - what was written is undone
                second.contacts.add("Eve")
                raise ValueRefused("no")
    assert [len(contents(one)["contacts"]) for one in (crm, beside)] == [1, 1]
    beside.engine.dispose()


def test_a_transaction_is_not_used_beyond_the_hosts(database_url: str) -> None:
    crm = shop(database_url)
    with create_engine(crm.engine.url).connect() as connection:
        tx = crm.join(connection)
        tx.contacts.add("Ann")
        connection.commit()
        with pytest.raises(TransactionRequired, match="has ended"):
            tx.contacts.add("Bob")
    with Session(create_engine(crm.engine.url)) as session:
        tx = crm.join(session)
        session.rollback()
        with pytest.raises(TransactionRequired, match="has ended"):
            tx.contacts.add("Bob")
    assert len(contents(crm)["contacts"]) == 1


def test_a_drivers_connection_never_commits_by_a_savepoint_or_a_statement(database_url: str) -> None:
    """After the host's commit, a transaction that is used on begins anew, or says that it cannot."""
    if not database_url.startswith(("sqlite", "postgresql")):
        return
    crm = shop(database_url)
    connect = drivers(crm.engine)["sqlite3" if database_url.startswith("sqlite") else "psycopg"]
    raw = connect()
    tx = crm.join(raw)
    raw.commit()
    tx.orders.record(order("A-1"))
    raw.rollback()
    raw.close()
    raw = connect()
    if isinstance(raw, sqlite3.Connection):
        raw.isolation_level = None
    else:
        raw.autocommit = True
    raw.execute("BEGIN")
    tx = crm.join(raw)
    raw.execute("COMMIT")
    with pytest.raises(TransactionRequired):
        tx.orders.record(order("A-1"))
    raw.close()
    assert counts(crm) == (0, 0, 0)


def test_an_engine_in_autocommit_mode_never_half_writes(database_url: str) -> None:
    shop(database_url).engine.dispose()
    engine = create_engine(database_url, isolation_level="AUTOCOMMIT")
    crm = CRM(engine)
    with pytest.raises((TransactionRequired, ZeroDivisionError)), crm.begin() as tx:  # noqa: PT012 - nor half
        tx.contacts.add("Ann")
        raise ZeroDivisionError
    assert contents(crm)["contacts"] == []
    engine.dispose()


def test_a_message_goes_to_more_contacts_than_a_statement_has_parameters(sqlite_url: str) -> None:
    crm = shop(sqlite_url)
    with crm.begin() as tx:
        ids = [tx.contacts.add(str(number)).id for number in range(50)]
        many = ids * 800
        tx.sql.insert(tx.table("contacts"), [
            {**contact_row(Contact(id=tx.new_id())), "created_at": tx.now, "updated_at": tx.now}
            for _ in range(33_000)
        ])  # fmt: skip
        every = list(tx.sql.execute(select(tx.table("contacts").c.id)).scalars())
        assert len(tx.contacts.get_many(every + many)) == 33_050


def test_no_error_of_ours_shows_a_customers_data(database_url: str) -> None:
    crm = shop(database_url)
    row = {"event_id": crm.new_id(), "data": {"name": "Ann of Cleves"}, "salt": ""}
    crm.transact(lambda tx: tx.sql.insert(tx.table("event_personal"), [row]))
    with pytest.raises(IntegrityError) as caught, crm.begin() as tx:
        tx.sql.insert(tx.table("event_personal"), [row])
    assert "Cleves" not in str(caught.value)


def test_a_url_that_does_not_parse_tells_no_part_of_its_password() -> None:
    with pytest.raises(ConfigError) as caught:
        CRM("postgresql+psycopg://shop:pass@db:word/shop")
    assert "word" not in str(caught.value).replace("password", "")


def test_secrets_that_begin_alike_are_taken_out_whole() -> None:
    @attrs.frozen
    class Settings:
        short: Secret = attrs.field(converter=Secret)
        long: Secret = attrs.field(converter=Secret)

    @attrs.define(eq=False)
    class Holder(Meddler):
        settings: Settings = attrs.field(factory=lambda: Settings("abcd", "abcdefgh"))

    assert CRM("sqlite://", plugins=[Holder()]).redact("abcdefgh") == "***"


def test_a_transaction_that_asks_to_be_repeated_and_is_swallowed_is_repeated(postgresql_url: str) -> None:
    crm = shop(postgresql_url)
    tries: list[int] = []
    with crm.engine.connect() as other:
        crm.join(other).contacts.add("Ann", points=[ANN])

        def attempt(tx: Transaction) -> None:
            tries.append(1)
            tx.sql.execute(text("SET LOCAL lock_timeout = '50ms'"))
            with suppress(RetryTransaction):
                tx.contacts.find_or_add([ANN])
            if len(tries) == 2:
                other.rollback()

        with suppress(RetryTransaction):
            crm.transact(attempt, attempts=3)
    assert len(tries) == 3
    assert len(contents(crm)["contacts"]) == 1
