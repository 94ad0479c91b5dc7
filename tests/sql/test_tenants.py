"""Tenants: whatever is done under one of them, no row of another is read or written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, event, make_url
from sqlalchemy.schema import DropSchema

from crmkit import (
    CRM,
    ConfigError,
    ContactPoint,
    ContactStore,
    MappedContacts,
    Message,
    Money,
    Order,
    OrderLine,
    Refund,
    Transaction,
)
from crmkit.testing import FakeClock, RecordingChannel
from crmkit_loyalty import Loyalty
from logical import differences, images, view_of

MARK = "xyzzy"  # stands in whatever the others hold
_TARGET = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE)\s+([\w.\"`]*crm_\w+)", re.IGNORECASE)
_NUMBERS = count()


@pytest.fixture
def crm(database_url: str) -> Iterator[CRM]:
    """A CRM that has tenants."""
    url = make_url(database_url)
    sqlite = url.get_backend_name() == "sqlite"
    tenants = f"{database_url[:-3]}-{{tenant}}.db" if sqlite else f"{url.database}_{{tenant}}"
    made = CRM(
        database_url,
        plugins=["loyalty", RecordingChannel()],
        clock=FakeClock(),
        strict=True,
        tenants=tenants,
    )
    yield made
    for one in made._of_tenants.values():
        if one.schema and one.engine.dialect.name != "postgresql":
            with made.engine.begin() as connection:
                connection.execute(DropSchema(one.schema, if_exists=True))
        one.engine.dispose()
    made.engine.dispose()


class Shop:
    """Does under one CRM what a shop does."""

    def __init__(self, crm: CRM, mark: str) -> None:
        self.crm = crm
        self.mark = mark
        self.people: list[Any] = []
        self.orders: list[str] = []
        self.merges: list[Any] = []

    def do(self, what: str, number: int) -> str:
        """Do one thing in a transaction of its own; return what was read."""
        if what == "work":
            self.crm.clock.advance(timedelta(minutes=1))  # type: ignore[attr-defined]
            return repr(self.crm.run_due())
        return self.crm.transact(lambda tx: self._do(tx, what, number))

    def _do(self, tx: Transaction, what: str, number: int) -> str:
        name = f"{self.mark} {next(_NUMBERS)}"
        who = self.people[number % len(self.people)] if self.people else None
        if what == "add" or who is None:
            # every tenant has people at the same addresses
            point = ContactPoint.email(f"p{number % 7}@example.com")
            self.people.append(tx.contacts.find_or_add([point], name=name).id)
        elif what == "order":
            line = OrderLine("TEA", 1, Money(500 + number, "GBP"), name=name)
            tx.orders.record(Order(name, (line,), placed_at=tx.now, contact_id=who), state="paid")
            self.orders.append(name)
        elif what == "refund" and self.orders:
            key = self.orders[number % len(self.orders)]
            tx.orders.refund(key, Refund.of_amount(name, Money(1, "GBP")))
        elif what == "spend" and Loyalty(tx).spendable(who):
            Loyalty(tx).redeem(who, 1, name)
        elif what == "merge" and len(self.people) > 1 and (other := self.people[number % 3]) != who:
            if tx.contacts.ids(who)[0] != tx.contacts.ids(other)[0]:
                self.merges.append(tx.merges.merge(who, other, reason=name).id)
        elif what == "unmerge" and self.merges:
            tx.merges.unmerge(self.merges.pop())
        elif what == "details":
            tx.contacts.tags.add(who, name)
            tx.contacts.notes.write(who, name)
            tx.contacts.update(who, name=name, locale="ka")
            tx.consents.grant(who, "news", "email", source=self.mark, key=name)
        elif what == "message":
            tx.messages.queue(
                Message(topic="t", subject=name, text=name), channel="recording", key=name, contact_id=who
            )
        elif what == "read":
            return "".join(repr(view_of(tx, id)) for id in self.people) + repr(tx.contacts.page())
        return ""


DONE = st.lists(
    st.tuples(
        st.sampled_from("add order refund spend merge unmerge details message read work".split()),
        st.integers(0, 9),
    ),
    min_size=6,
    max_size=12,
)
EVERYTHING = [("add", n) for n in range(4)] + [
    (what, 1) for what in "details order refund spend message merge read work unmerge read".split()
]


BOUGHT = [("add", 1), ("order", 0)]


def filled(crm: CRM, mark: str) -> Shop:
    """Return a shop with something of everything."""
    crm.create_tables()
    shop = Shop(crm, mark)
    for what, number in EVERYTHING:
        shop.do(what, number)
    return shop


def only_in(crm: CRM, work: Callable[[], None]) -> list[str]:
    """Return the tables of crmkit that statements named and that are not in the CRM's schema."""
    named: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        named.extend(_TARGET.findall(statement))

    event.listen(crm.engine, "before_cursor_execute", note)
    try:
        work()
    finally:
        event.remove(crm.engine, "before_cursor_execute", note)
    clean = (name.replace('"', "").replace("`", "") for name in named)
    return sorted({name for name in clean if name.rpartition(".")[0] != (crm.schema or "")})


def test_no_operation_under_one_tenant_touches_another(crm: CRM) -> None:
    own = Shop(crm.for_tenant("acme"), "acme")
    own.crm.create_tables()
    others = [filled(crm, MARK).crm, filled(crm.for_tenant("bravo"), MARK).crm]

    @settings(max_examples=min(3, settings().max_examples), deadline=None)
    @given(DONE)
    def property(run: list[tuple[str, int]]) -> None:
        before = [images(other) for other in others]
        read: list[str] = []
        outside = only_in(own.crm, lambda: read.extend(own.do(*step) for step in run))
        assert outside == []
        assert MARK not in "".join(read)
        assert [differences(one, images(other)) for one, other in zip(before, others, strict=True)] == [
            [],
            [],
        ]

    property()
    # the bug that it would find: one table of the tenant's has lost its schema
    if crm.engine.dialect.name == "postgresql":
        for forgotten in ("contacts", "orders", "loyalty_postings"):
            bad = Shop(crm.for_tenant("cacao"), "cacao")
            bad.crm.create_tables()
            bad.crm.tables = MappingProxyType({**bad.crm.tables, forgotten: crm.tables[forgotten]})
            outside = only_in(bad.crm, lambda bad=bad: [bad.do(*step) for step in BOUGHT])  # type: ignore[misc]
            assert f"crm_{forgotten}" in outside
            crm._of_tenants.pop("cacao")


def test_a_host_joins_for_a_tenant(crm: CRM) -> None:
    acme, bravo = crm.for_tenant("acme"), crm.for_tenant("bravo")
    for one in (acme, bravo):
        one.create_tables()
    engine = create_engine(acme.engine.url) if acme.schema is None else acme.engine
    with engine.connect() as connection, connection.begin():
        first = acme.join(connection)
        ann = first.contacts.add("Ann")
        if acme.schema is None:
            with pytest.raises(ConfigError, match="is in the database"):
                bravo.join(connection)
        else:  # two tenants in one transaction, each with savepoints of its own
            second = bravo.join(connection)
            with first.sql.isolated():
                first.contacts.update(ann.id, name="Anna")
                with second.sql.isolated():
                    ben = second.contacts.add("Ben")
            assert second.contacts.get_many([ann.id, ben.id]) == {ben.id: ben}
    with acme.begin() as tx:
        assert [contact.name for contact in tx.contacts.page()] == [
            ann.name if acme.schema is None else "Anna"
        ]
    assert acme.digest("x", "y") != bravo.digest("x", "y")


def test_a_tenant_has_the_hosts_table_of_its_own_place(crm: CRM) -> None:
    host = Table(
        "customers", MetaData(), Column("id", Integer, primary_key=True), Column("full_name", String(50))
    )
    store: ContactStore = MappedContacts(
        table=host, columns={"name": "full_name"}, where={"full_name": ["Ann", "Ben"]}
    )
    mapped = CRM(crm.engine, contacts=store, clock=FakeClock(), tenants=crm._tenants)
    found = {}
    for name, person in (("acme", "Ann"), ("bravo", "Ben")):
        tenant = mapped.for_tenant(name)
        tenant.create_tables()
        crm._of_tenants[name] = tenant  # to be dropped with the rest
        theirs = host.to_metadata(MetaData(), schema=tenant.schema)
        with tenant.engine.begin() as connection:
            theirs.create(connection)
            connection.execute(theirs.insert(), [{"full_name": person}, {"full_name": "Nobody"}])
        with tenant.begin() as tx:
            found[name] = [contact.name for contact in tx.contacts.page()]
        if tenant.engine is not mapped.engine:
            tenant.engine.dispose()
    assert found == {"acme": ["Ann"], "bravo": ["Ben"]}
