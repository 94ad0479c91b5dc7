"""Every look-up that grows with the data reads an index that fits its WHERE and its ORDER BY (by EXPLAIN)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, select, text

from crmkit import CRM, Contact, ContactPoint, Message, Transaction
from crmkit.duplicates.review import PairState
from crmkit.privacy.audit import head
from crmkit.sql.bulk import read_holders
from crmkit.sql.duplicate_pairs import (
    Ids,
    add_pairs,
    decide,
    drop_open,
    pair_row,
    read_distinct,
    read_open,
    read_pair,
    read_state,
)
from crmkit.sql.duplicates import read_keys
from crmkit.sql.events import number_events
from crmkit.sql.orders import count_orders, placed
from crmkit.sql.seals import read_leaves, seal_over
from crmkit.transaction.bulk import batch
from crmkit.transaction.standings import Asked, read_standings
from sql.hosts import order, shop

PEOPLE = 300
NOW = datetime.now(UTC)

Lookup = Callable[[CRM, Transaction, Any], object]


def _timeline(crm: CRM, tx: Transaction, contact: Any) -> None:
    page = tx.events.timeline(contact.id, limit=2)
    tx.events.timeline(contact.id, limit=2, before=page[-1])


def _merged(crm: CRM, tx: Transaction, contact: Any) -> None:
    other = tx.contacts.find(ContactPoint.email("p9@example.com"))
    assert other is not None
    with tx.contacts.known(None):
        tx.merges.unmerge(tx.merges.merge(other.id, contact.id).id)


def _erased(crm: CRM, tx: Transaction) -> None:
    contact = tx.contacts.find(ContactPoint.email("p11@example.com"))
    if contact is not None:
        tx.privacy.erase(contact.id)


def _a_pair(tx: Transaction) -> Ids:
    row = read_open(tx.sql, limit=1)[0]
    return row["first_id"], row["second_id"]


LOOKUPS: dict[str, Lookup] = {
    "find by email": lambda crm, tx, contact: tx.contacts.find(ContactPoint.email("p7@example.com")),
    "contact by id": lambda crm, tx, contact: tx.contacts.get(contact.id),
    "points of a contact": lambda crm, tx, contact: tx.contacts.remember(contact.id, contact.points[0]),
    "order by number": lambda crm, tx, contact: tx.orders.get("A-7"),
    "orders of a contact": lambda crm, tx, contact: count_orders(tx.sql, contact.ids, besides="A-7"),
    "when orders were placed": lambda crm, tx, contact: placed(
        tx.sql, contact.ids, besides="A-7", until=tx.now
    ),
    "events of an order": lambda crm, tx, contact: tx.orders.history("A-7"),
    "event by key": lambda crm, tx, contact: tx.events.by_key("order:A-7"),
    "timeline": _timeline,
    "events since": lambda crm, tx, contact: tx.events.since(5, limit=3),
    "events to number": lambda crm, tx, contact: number_events(tx.sql, 5),
    "deliveries in a state": lambda crm, tx, contact: tx.messages.list("queued", limit=3),
    "delivery again": lambda crm, tx, contact: tx.messages.queue(
        Message(topic="t", text="x"), channel="pigeon", key="m-7", contact_id=contact.id
    ),
    "deliveries due": lambda crm, tx, contact: tx.sql.execute(
        select(tx.table("deliveries"))
        .where(tx.table("deliveries").c.due_at <= NOW)
        .order_by(tx.table("deliveries").c.due_at, tx.table("deliveries").c.id)
        .limit(3)
    ),
    "consents of a contact": lambda crm, tx, contact: tx.consents.may_send(contact.id, "news", "pigeon"),
    "consents of many": lambda crm, tx, contact: read_standings(
        tx, {n: Asked(contact.id, f"{n:064d}", consents=True) for n in range(3)}
    ),
    "suppressions of an address": lambda crm, tx, contact: tx.suppressions.find(contact.points[0]),
    "suppressions": lambda crm, tx, contact: tx.suppressions.list(
        after=tx.suppressions.list(limit=2)[1], limit=3
    ),
    "suppressions for a reason": lambda crm, tx, contact: tx.suppressions.list(
        "hard_bounce", after=tx.suppressions.list("hard_bounce", limit=2)[1], limit=3
    ),
    "ids of a contact": lambda crm, tx, contact: tx.contacts.ids(contact.id),
    "contacts by ids": lambda crm, tx, contact: tx.contacts.get_many([contact.id, tx.new_id()]),
    "merge and unmerge": _merged,
    "merges of a contact": lambda crm, tx, contact: tx.merges.history(contact.id, limit=3),
    "latest merges": lambda crm, tx, contact: tx.merges.latest(limit=3),
    "contacts in order": lambda crm, tx, contact: tx.contacts.page(after=contact.id, limit=3),
    "export of a contact": lambda crm, tx, contact: tx.privacy.export(contact.id),
    "erasure of a contact": lambda crm, tx, contact: _erased(crm, tx),
    "seals": lambda crm, tx, contact: (head(tx), seal_over(tx.sql, 3)),
    "events to verify": lambda crm, tx, contact: read_leaves(tx.sql, 3, 9),
    "erasures that are due": lambda crm, tx, contact: tx.privacy.pending(limit=3),
    "duplicates of a new contact": lambda crm, tx, contact: tx.duplicates.check(
        name="p7", points=[ContactPoint.email("p7@example.com")]
    ),
    "keys of contacts": lambda crm, tx, contact: read_keys(tx.sql, [contact.id, tx.new_id()]),
    "duplicates to judge": lambda crm, tx, contact: read_open(
        tx.sql, read_open(tx.sql, limit=2)[-1], limit=3
    ),
    "a pair of duplicates": lambda crm, tx, contact: read_pair(tx.sql, _a_pair(tx)),
    "state of a pair": lambda crm, tx, contact: read_state(tx.sql, _a_pair(tx)),
    "pairs judged distinct": lambda crm, tx, contact: read_distinct(tx.sql, contact.ids),
    "pairs found anew": lambda crm, tx, contact: (
        decide(tx.sql, _a_pair(tx), PairState.OPEN, NOW, "system"),
        drop_open(tx.sql, [_a_pair(tx)]),
    ),
    "failures": lambda crm, tx, contact: tx.sql.execute(
        select(tx.table("failures")).order_by(tx.table("failures").c.id.desc()).limit(3)
    ),
}


#: Look-ups that count what an index found and put the few that are left into the order of that.
COUNTED = {"duplicates of a new contact"}


def _of_few(fault: str) -> bool:
    """Tell whether a step sorts or reads what was counted: a subquery, never a table."""
    if "'table'" in fault:  # MariaDB
        return "'table': '<derived" in fault or ("filesort" in fault and "'type': 'ALL'" not in fault)
    return bool(re.search(r"TEMP B-TREE|Sort\b|^SCAN sharing", fault)) and "Seq Scan" not in fault


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"], scope="module")
def crm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CRM]:
    if request.param == "sqlite":
        yield _filled(f"sqlite:///{tmp_path_factory.mktemp('db') / 'crm.db'}")
        return
    with request.getfixturevalue(f"{request.param}_server").database() as url:
        crm = _filled(url)
        yield crm
        crm.engine.dispose()


def _filled(url: str) -> CRM:
    crm = shop(url)
    with crm.begin() as tx:
        for number in range(PEOPLE):
            made = order(f"A-{number}", email=f"p{number}@example.com", placed_at=NOW - timedelta(hours=1))
            outcome = tx.orders.record(made, state="paid")
            tx.messages.queue(
                Message(topic="t", text="x"),
                channel="pigeon",
                key=f"m-{number}",
                contact_id=outcome.contact_id,
            )
            tx.consents.grant(outcome.contact_id, "news", source="till")
            reason = "hard_bounce" if number % 2 else "manual"
            tx.suppressions.add(ContactPoint.email(f"gone{number}@example.com"), reason)
        people = [contact.id for contact in tx.contacts.page(limit=PEOPLE)]
        for loser, into in zip(people[100::2], people[101::2], strict=True):
            tx.merges.merge(loser, into)
        pairs = [(UUID(int=n), UUID(int=n + 1)) for n in range(1, PEOPLE)]
        add_pairs(tx.sql, [pair_row(ids, ids[0].int / 10, [], NOW) for ids in pairs])
        for ids in pairs[::3]:
            decide(tx.sql, ids, PairState.DISTINCT, NOW, "system")
        number_events(tx.sql, 400)
    with crm.engine.begin() as connection:
        tables = ", ".join(
            crm.tables[name].name
            for name in (
                "contacts contact_points events deliveries consents suppressions contact_aliases contact_merges "
                "duplicate_keys duplicate_pairs"
            ).split()
        )
        connection.execute(
            text("ANALYZE TABLE " + tables if crm.engine.dialect.name == "mariadb" else "ANALYZE")
        )
    return crm


@contextmanager
def captured(crm: CRM) -> Iterator[list[tuple[str, Any]]]:
    """Collect the statements that read or change growing tables."""
    found: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if not many and re.match(r"\s*(SELECT|UPDATE|DELETE)", statement):
            found.append((statement, parameters))

    event.listen(crm.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(crm.engine, "before_cursor_execute", note)


def faults(crm: CRM, statement: str, parameters: Any) -> list[str]:
    """Return the steps of the database's plan that read a whole table or sort it."""
    with crm.engine.connect() as connection:
        if crm.engine.dialect.name == "sqlite":
            rows = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters).all()
            steps = [str(row[3]) for row in rows]
            return [step for step in steps if re.search(r"^SCAN (?!.*INDEX)|TEMP B-TREE", step)]
        if crm.engine.dialect.name == "postgresql":
            # with these switched off the planner still uses them where no index serves
            for switch in ("enable_seqscan", "enable_sort", "enable_bitmapscan"):
                connection.exec_driver_sql(f"SET LOCAL {switch} = off")
            plan = connection.exec_driver_sql("EXPLAIN " + statement, parameters).scalars()
            return [step for step in plan if re.search(r"Seq Scan on crm_|Sort\b", step)]
        rows = connection.exec_driver_sql("EXPLAIN " + statement, parameters).mappings().all()
        return [
            str(dict(row))
            for row in rows
            if (row["type"] in ("ALL", "index") and not _small(row)) or "filesort" in (row["Extra"] or "")
        ]


def _small(row: Any) -> bool:
    return row["table"] in ("crm_installation", "crm_cursors", "crm_failures") or row["key"] == "PRIMARY"


@pytest.mark.parametrize("name", list(LOOKUPS))
def test_the_look_up_uses_its_index(crm: CRM, name: str) -> None:
    with captured(crm) as statements, crm.begin() as tx:
        contact = tx.contacts.find(ContactPoint.email("p7@example.com"))
        LOOKUPS[name](crm, tx, contact)
    assert statements
    # failures are no work of customers, and their words have no index
    small = re.compile(r"crm_cursors|UPDATE crm_failures SET error=\S+ WHERE \S*crm_failures.error\)? I?LIKE")
    growing = [(s, p) for s, p in statements if not small.search(s)]
    every = {s: faults(crm, s, p) for s, p in growing}
    if name in COUNTED:
        every = {s: [fault for fault in found if not _of_few(fault)] for s, found in every.items()}
    assert {s: found for s, found in every.items() if found} == {}


def test_a_look_up_without_an_index_is_seen(crm: CRM) -> None:
    """The gate itself can fail: a name has no index, and the timeline's index has no recorded_at."""
    points, events = crm.tables["contact_points"], crm.tables["events"]
    with captured(crm) as statements, crm.begin() as tx:
        tx.sql.execute(select(points).where(points.c.value == "p7@example.com"))
        tx.sql.execute(select(events.c.data).order_by(events.c.recorded_at).limit(3))
    assert all(faults(crm, statement, parameters) for statement, parameters in statements)


def test_many_points_are_looked_up_by_their_whole_key(postgresql_url: str) -> None:
    """PostgreSQL knows nothing yet of a table that is being filled; `key IN (...)` then filters every point of a kind.

    Seen to fail with one statement for all databases, which took 4 seconds for 1,000 keys among 80,000.
    """
    crm = shop(postgresql_url)
    points = [ContactPoint.email(f"p{number}@example.com") for number in range(1200)]
    with crm.begin() as tx:
        at_once = batch(tx)
        for point in points:
            at_once.add(Contact(id=tx.new_id(), points=[point]))
        at_once.write()
    with captured(crm) as statements, crm.begin() as tx:
        assert len(read_holders(tx.sql, points)) == len(points)
    (statement, parameters), *_ = statements
    with crm.engine.connect() as connection:
        plan = "\n".join(connection.exec_driver_sql("EXPLAIN " + statement, parameters).scalars())
    crm.engine.dispose()
    assert re.search(r"Index Cond: .*\(key\)::text =", plan), plan[:300]
