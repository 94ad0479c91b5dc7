"""crm.join: inside the host's transaction, whoever opened it, and never ending it."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crmkit import (
    CRM,
    ConfigError,
    Contact,
    ContactPoint,
    TransactionError,
    TransactionPoisoned,
    TransactionRequired,
)
from crmkit.clock import FOREVER
from crmkit.sql.imports import read_import
from sql.hosts import counts, drivers, host_orders, mysql_drivers, order, shop


def stock_engine(crm: CRM) -> Any:
    """An engine as a host makes it who has read no documentation."""
    return create_engine(crm.engine.url)


def place(session: Session, crm: CRM, number: str) -> None:
    session.execute(insert(host_orders).values(number=number))
    crm.join(session).orders.record(order(number), state="paid")


def test_a_session_commits_both_or_rolls_both_back(database_url: str) -> None:
    crm = shop(database_url)
    engine = stock_engine(crm)
    with Session(engine) as session:
        place(session, crm, "A-1")
        session.rollback()
    assert counts(crm) == (0, 0, 0)
    with Session(engine) as session:
        place(session, crm, "A-1")
        session.commit()
    assert counts(crm) == (1, 1, 3)


def test_a_savepoint_released_inside_a_rolled_back_transaction_leaves_nothing(database_url: str) -> None:
    """Also on the stock driver settings, where the first SAVEPOINT would be the transaction."""
    crm = shop(database_url)
    with Session(stock_engine(crm)) as session:
        crm.join(session)
        with session.begin_nested():
            place(session, crm, "A-1")
        session.rollback()
    assert counts(crm) == (0, 0, 0)


def test_a_savepoint_rolled_back_inside_a_committed_transaction_leaves_only_the_rest(
    database_url: str,
) -> None:
    crm = shop(database_url)
    with Session(stock_engine(crm)) as session:
        place(session, crm, "A-1")
        nested = session.begin_nested()
        place(session, crm, "A-2")
        nested.rollback()
        session.commit()
    assert counts(crm) == (1, 1, 3)


def test_a_savepoint_that_may_be_the_transaction_is_refused_with_the_remedy(sqlite_url: str) -> None:
    crm = shop(sqlite_url)
    refused = pytest.raises(TransactionRequired, match=r"crm\.join\(\.\.\.\) once before")
    with Session(stock_engine(crm)) as session, session.begin_nested(), refused:
        crm.join(session)
    assert counts(crm) == (0, 0, 0)


def test_a_savepoint_after_the_engines_own_begin_is_joined(sqlite_url: str) -> None:
    crm = shop(sqlite_url)
    engine = stock_engine(crm)

    @event.listens_for(engine, "connect")
    def _(raw: Any, record: Any) -> None:
        raw.isolation_level = None

    @event.listens_for(engine, "begin")
    def _(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")

    with Session(engine) as session:
        with session.begin_nested():
            place(session, crm, "A-1")
        session.rollback()
    assert counts(crm) == (0, 0, 0)


def test_the_stock_sqlite_trap_is_real(sqlite_url: str) -> None:
    """What would happen without the refusal: the savepoint's release commits (the test that guards the guard)."""
    crm = shop(sqlite_url)
    with Session(stock_engine(crm)) as session:
        with session.begin_nested():
            session.execute(insert(host_orders).values(number="lost"))
        session.rollback()
    assert counts(crm)[0] == 1


def test_a_connection_is_joined_and_left_open(database_url: str) -> None:
    crm = shop(database_url)
    with stock_engine(crm).connect() as connection:
        with crm.join(connection) as tx:
            tx.orders.record(order("A-1"))
        connection.execute(insert(host_orders).values(number="A-1"))
        connection.rollback()
        crm.join(connection).orders.record(order("A-2"))
        connection.commit()
    assert counts(crm) == (0, 1, 2)


def test_autocommit_is_refused_with_the_remedy(database_url: str) -> None:
    crm = shop(database_url)
    engine = create_engine(crm.engine.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection, pytest.raises(TransactionRequired, match=r"begin|BEGIN|AUTOCOMMIT"):
        crm.join(connection)
    assert counts(crm) == (0, 0, 0)


def test_every_driver_is_joined_as_its_host_configures_it(database_url: str) -> None:
    crm = shop(database_url)
    for name, connect in drivers(crm.engine).items():
        raw = connect()
        before = counts(crm)[1]
        crm.join(raw).orders.record(order(f"{name} 1", email=f"{len(name)}@example.com", name="ნინო"))
        raw.rollback()
        assert counts(crm)[1] == before, name
        tx = crm.join(raw)
        tx.orders.record(order(f"{name} 2", name="Nguyễn Thị Ánh"), state="paid")
        old = order(f"{name} 3", placed_at=datetime(2026, 1, 1, tzinfo=UTC))
        assert not crm.join(raw).orders.record(old, history=True).replayed
        found = tx.contacts.find(ContactPoint.email("ann@example.com"))
        assert found is not None
        assert tx.events.timeline(found.id)[0].occurred_at.tzinfo is UTC
        assert tx.orders.get(f"{name} 2").order.total.minor == 1250
        raw.commit()
        raw.close()
        assert counts(crm)[1] == before + 2, name


def test_many_rows_are_written_through_every_driver(database_url: str) -> None:
    crm = shop(database_url)
    for name, connect in drivers(crm.engine).items():
        raw = connect()
        tx = crm.join(raw)
        people = [Contact(id=tx.new_id(), name=f"{name} \\N {n} ნ") for n in range(60)]
        tx.contacts.add_many(people)
        again = [
            {"what": "", "file": ""}
            | {"key": f"{name} {n % 59}", "taken": n, "rejects_size": 0, "report": {"n": [None, n]}}
            | {"started_at": tx.now, "finished_at": FOREVER}
            for n in range(60)
        ]
        with pytest.raises(IntegrityError), tx.sql.isolated():
            tx.sql.insert(crm.tables["imports"], again)
        tx.sql.insert(crm.tables["imports"], again[:59])
        found = tx.contacts.get_many([one.id for one in people])
        assert all(found[one.id].name == one.name for one in people)
        assert read_import(tx.sql, f"{name} 7").report == {"n": [None, 7]}
        raw.rollback()
        raw.close()


def test_many_rows_are_written_whatever_the_hosts_engine_is_set_to(sqlite_url: str) -> None:
    crm = shop(sqlite_url)
    with Session(create_engine(crm.engine.url, paramstyle="named")) as session:
        tx = crm.join(session)
        people = [Contact(id=tx.new_id(), name=f"Ann {n}") for n in range(60)]
        assert len(tx.contacts.add_many(people)) == 60


def test_a_connection_that_is_lost_while_many_rows_are_written_is_told(postgresql_url: str) -> None:
    crm = shop(postgresql_url)
    refused = pytest.raises(TransactionPoisoned, match="the database ended the transaction")
    with refused, crm.begin() as tx:
        rows = [{"contact_id": tx.new_id(), "tag": "vip", "added_at": tx.now} for _ in range(60)]
        process = tx.sql.connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        with crm.engine.connect() as other:
            other.exec_driver_sql(f"SELECT pg_terminate_backend({process})")
        tx.sql.insert(crm.tables["contact_tags"], rows)


def test_a_driver_connection_is_guarded(database_url: str) -> None:
    crm = shop(database_url)
    for name, connect in drivers(crm.engine).items():
        raw = connect()
        tx = crm.join(raw)
        tx.orders.record(order(name))
        with pytest.raises(TransactionError, match="belongs to the host"):
            tx.sql.connection.commit()
        tx.sql.connection.connection.rollback()
        tx.sql.connection.close()
        cursor = raw.cursor()
        cursor.execute("SELECT COUNT(*) AS n FROM crm_orders")
        row = cursor.fetchone()
        assert next(iter(row.values() if isinstance(row, dict) else row)) == 1, name
        raw.rollback()
        raw.close()
    assert counts(crm) == (0, 0, 0)


def test_nothing_is_set_on_a_borrowed_connection(sqlite_url: str) -> None:
    crm = shop(sqlite_url)
    statements: list[str] = []
    raw = sqlite3.connect(make_path(crm))
    raw.row_factory = sqlite3.Row
    raw.set_trace_callback(statements.append)
    before = (raw.row_factory, raw.isolation_level, raw.text_factory)
    crm.join(raw).orders.record(order("A-1"))
    assert (raw.row_factory, raw.isolation_level, raw.text_factory) == before
    raw.rollback()
    words = {statement.split()[0].upper() for statement in statements}
    assert words <= {"BEGIN", "SELECT", "INSERT", "SAVEPOINT", "RELEASE", "ROLLBACK"}, words
    with pytest.raises(sqlite3.OperationalError):
        raw.execute("SELECT regexp('a', 'a')")  # SQLAlchemy's own engines would have added the function
    raw.close()


def make_path(crm: CRM) -> str:
    return str(crm.engine.url.database)


@pytest.mark.parametrize("autocommit", ["isolation_level", "autocommit"])
def test_sqlite_in_autocommit_mode_needs_a_begin(sqlite_url: str, autocommit: str) -> None:
    crm = shop(sqlite_url)
    raw = sqlite3.connect(make_path(crm))
    if autocommit == "autocommit" and hasattr(raw, "autocommit"):
        raw.autocommit = True
    else:
        raw.isolation_level = None
    with pytest.raises(TransactionRequired, match="execute BEGIN"):
        crm.join(raw)
    raw.execute("BEGIN")
    crm.join(raw).orders.record(order("A-1"))
    raw.execute("COMMIT")
    raw.close()
    assert counts(crm)[1] == 1


def test_postgresql_in_autocommit_mode_needs_a_transaction(postgresql_url: str) -> None:
    crm = shop(postgresql_url)
    raw = drivers(crm.engine)["psycopg"]()
    raw.autocommit = True
    with pytest.raises(TransactionRequired, match=r"connection\.transaction"):
        crm.join(raw)
    with raw.transaction():
        crm.join(raw).orders.record(order("A-1"))
    raw.close()
    assert counts(crm)[1] == 1


def test_a_failed_postgresql_transaction_is_named(postgresql_url: str) -> None:
    crm = shop(postgresql_url)
    raw = drivers(crm.engine)["psycopg"]()
    with pytest.raises(Exception, match="nothing"):
        raw.execute("SELECT nothing")
    with pytest.raises(TransactionPoisoned, match="earlier error"):
        crm.join(raw)
    raw.close()


@pytest.mark.parametrize("driver", list(mysql_drivers()))
def test_mariadb_in_autocommit_mode_needs_a_begin(mariadb_url: str, driver: str) -> None:
    crm = shop(mariadb_url)
    raw = drivers(crm.engine)[f"{driver} dicts"]()
    raw.autocommit(True)
    with pytest.raises(TransactionRequired, match=r"connection\.begin"):
        crm.join(raw)
    raw.begin() if hasattr(raw, "begin") else raw.query("BEGIN")
    crm.join(raw).orders.record(order("A-1"))
    raw.rollback()
    raw.close()
    assert counts(crm)[1] == 0


def test_what_is_no_connection_is_refused_by_name(sqlite_url: str) -> None:
    crm = shop(sqlite_url)
    with pytest.raises(ConfigError, match=r"builtins\.str.*Session or Connection"):
        crm.join("sqlite://")


def test_an_async_session_is_refused_with_the_remedy(sqlite_url: str) -> None:
    class AsyncSession:
        async def connection(self) -> None: ...
        def begin_nested(self) -> None: ...

    with pytest.raises(ConfigError, match="run_sync"):
        shop(sqlite_url).join(AsyncSession())


def test_a_closed_transaction_refuses_further_use(sqlite_url: str) -> None:
    crm = shop(sqlite_url)
    with crm.begin() as tx:
        pass
    with pytest.raises(TransactionError, match="has ended"):
        tx.orders.record(order())


def test_a_second_connection_is_no_substitute(sqlite_url: str, tmp_path: Path) -> None:
    """Why crmkit borrows: a connection of its own cannot write while the host's transaction is open."""
    crm = shop(sqlite_url)
    raw = sqlite3.connect(make_path(crm))
    raw.execute("INSERT INTO host_orders (number) VALUES ('A-1')")
    other = sqlite3.connect(make_path(crm), timeout=0.1)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("INSERT INTO host_orders (number) VALUES ('A-2')")
    crm.join(raw).orders.record(order("A-1"))
    raw.commit()
    assert counts(crm)[:2] == (1, 1)


def test_two_crms_in_one_process_do_not_see_each_other(database_url: str) -> None:
    first, second = CRM(database_url), CRM(database_url, prefix="other_")
    first.create_tables()
    second.create_tables()
    heard: list[str] = []
    first.signals.connect(_any_event(), lambda entry: heard.append(entry.type))
    with second.begin() as tx:
        tx.orders.record(order("A-1"))
    second.run_due()
    first.run_due()
    assert heard == []
    with first.begin() as tx:
        assert tx.contacts.find(ContactPoint.email("ann@example.com")) is None


def _any_event() -> Any:
    from crmkit import Event

    return Event


def test_an_old_order_is_refused_with_both_remedies_and_changes_nothing(database_url: str) -> None:
    crm = shop(database_url)
    old = order("A-1", placed_at=datetime.now(UTC) - timedelta(days=8))
    with pytest.raises(ValueError, match=r"history=True.*max_effect_age"), crm.begin() as tx:
        tx.orders.record(old)
    assert counts(crm) == (0, 0, 0)
