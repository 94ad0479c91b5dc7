"""Contact stores and databases that are wrong in one way each; `STORES` says which law finds each."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar
from uuid import UUID, uuid4
from weakref import WeakKeyDictionary

import attrs
import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, func, select, true

from crmkit import (
    CRM,
    Contact,
    ContactPoint,
    ContactStore,
    HostKey,
    KeyConflict,
    MappedContacts,
    Order,
    OrderState,
    Refund,
    StoreCapabilities,
    Transaction,
    ValueRefused,
    hookimpl,
)
from crmkit.clock import FOREVER
from crmkit.sql import connection, events, types
from crmkit.sql.contacts import OwnContacts
from crmkit.sql.events import number_events
from crmkit.sql.source import ContactSource
from crmkit.testing import MappedSuite, StorageSuite
from crmkit.transaction import orders
from crmkit.transaction.orders import Orders


class PlainStore:
    """A contact store that does everything right by leaving it to the core's own."""

    capabilities = StoreCapabilities()
    own = OwnContacts()

    @hookimpl
    def crmkit_contact_store(self) -> ContactStore | None:
        return self

    def get(self, tx: Transaction, ids: Iterable[UUID]) -> dict[UUID, Contact]:
        return self.own.get(tx, ids)

    def find(self, tx: Transaction, points: Sequence[ContactPoint]) -> Contact | None:
        return self.own.find(tx, points)

    def add(self, tx: Transaction, contact: Contact) -> Contact:
        return self.own.add(tx, contact)

    def update(self, tx: Transaction, contact_id: UUID, changes: Mapping[str, Any]) -> None:
        self.own.update(tx, contact_id, changes)

    def add_points(
        self, tx: Transaction, contact_id: UUID, points: Sequence[ContactPoint], *, shared: bool = False
    ) -> tuple[ContactPoint, ...]:
        return self.own.add_points(tx, contact_id, points, shared=shared)

    def set_point(self, tx: Transaction, contact_id: UUID, point: ContactPoint) -> None:
        self.own.set_point(tx, contact_id, point)

    def remove_point(self, tx: Transaction, contact_id: UUID, point: ContactPoint) -> None:
        self.own.remove_point(tx, contact_id, point)

    def scan(self, tx: Transaction, *, after: UUID | None = None, limit: int = 1000) -> list[Contact]:
        return self.own.scan(tx, after=after, limit=limit)

    def source(self, tx: Transaction) -> ContactSource | None:
        return self.own.source(tx)


class LosesCase(PlainStore):
    def add(self, tx: Transaction, contact: Contact) -> Contact:
        kept = super().add(tx, attrs.evolve(contact, name=contact.name.lower()))
        return contact if kept.id == contact.id else kept


class LosesScripts(PlainStore):
    def add(self, tx: Transaction, contact: Contact) -> Contact:
        name = contact.name.encode("latin-1", "replace").decode("latin-1")
        super().add(tx, attrs.evolve(contact, name=name))
        return contact


class FindsByWhatWasWritten(PlainStore):
    def find(self, tx: Transaction, points: Sequence[ContactPoint]) -> Contact | None:
        for point in points:
            found = super().find(tx, [point])
            if found and point.value in [one.value for one in found.points]:
                return found
        return None


class FindsOnlyTheFirst(PlainStore):
    def find(self, tx: Transaction, points: Sequence[ContactPoint]) -> Contact | None:
        return super().find(tx, points[:1])


class OverwritesTheRest(PlainStore):
    def update(self, tx: Transaction, contact_id: UUID, changes: Mapping[str, Any]) -> None:
        super().update(tx, contact_id, {"locale": "", "zone": "", **changes})


class SharesEverything(PlainStore):
    def add_points(
        self, tx: Transaction, contact_id: UUID, points: Sequence[ContactPoint], *, shared: bool = False
    ) -> tuple[ContactPoint, ...]:
        return super().add_points(tx, contact_id, points, shared=True)


class KeepsHalfOfARefusedContact(PlainStore):
    def add(self, tx: Transaction, contact: Contact) -> Contact:
        kept = super().add(tx, contact)
        if kept.id != contact.id:
            super().add(tx, attrs.evolve(contact, points=()))
        return kept


class LooksBeforeItAdds(PlainStore):
    """Between the look and the insert there is room for another one."""

    def add(self, tx: Transaction, contact: Contact) -> Contact:
        if found := self.find(tx, contact.points):
            return found
        super().add(tx, attrs.evolve(contact, points=()))
        self.add_points(tx, contact.id, contact.points, shared=True)
        return contact


class ForgetsThePermission(PlainStore):
    def update(self, tx: Transaction, contact_id: UUID, changes: Mapping[str, Any]) -> None:
        super().update(tx, contact_id, {k: v for k, v in changes.items() if k != "first_name"})


class KeepsEveryPreference(PlainStore):
    def set_point(self, tx: Transaction, contact_id: UUID, point: ContactPoint) -> None:
        super().set_point(tx, contact_id, point.with_(primary=False))
        points = tx.sql.tables["contact_points"]
        same = (points.c.key == point.key) & (points.c.contact_id == contact_id)
        tx.sql.execute(points.update().where(same).values(is_primary=int(point.primary)))


class ForgetsTheSource(PlainStore):
    def set_point(self, tx: Transaction, contact_id: UUID, point: ContactPoint) -> None:
        super().set_point(tx, contact_id, point.with_(source=""))


class PrefersBoth(PlainStore):
    """Leaves what was primary until then."""

    def add_points(
        self, tx: Transaction, contact_id: UUID, points: Sequence[ContactPoint], *, shared: bool = False
    ) -> tuple[ContactPoint, ...]:
        before = self.own.get(tx, [contact_id])[contact_id].points
        added = super().add_points(tx, contact_id, points, shared=shared)
        table = tx.sql.tables["contact_points"]
        for point in [one for one in before if one.primary]:
            same = (table.c.key == point.key) & (table.c.contact_id == contact_id)
            tx.sql.execute(table.update().where(same).values(is_primary=1))
        return added


class LeavesNoHeir(PlainStore):
    def remove_point(self, tx: Transaction, contact_id: UUID, point: ContactPoint) -> None:
        points = tx.sql.tables["contact_points"]
        tx.sql.execute(points.delete().where(points.c.key == point.key, points.c.contact_id == contact_id))


class BeginsPagesTwice(PlainStore):
    def scan(self, tx: Transaction, *, after: UUID | None = None, limit: int = 1000) -> list[Contact]:
        if after is not None:
            after = UUID(int=after.int - 1)
        return super().scan(tx, after=after, limit=limit)


class ScansTheMerged(PlainStore):
    def scan(self, tx: Transaction, *, after: UUID | None = None, limit: int = 1000) -> list[Contact]:
        contacts = tx.sql.tables["contacts"]
        ids = tx.sql.execute(select(contacts.c.id).order_by(contacts.c.id)).scalars().all()
        return [*self.get(tx, [id for id in ids if after is None or id > after][:limit]).values()]


class AsksTheMerged(PlainStore):
    def source(self, tx: Transaction) -> ContactSource | None:
        found = super().source(tx)
        assert found is not None
        return attrs.evolve(found, where=true())


class SaysNobodyWasMerged(PlainStore):
    def get(self, tx: Transaction, ids: Iterable[UUID]) -> dict[UUID, Contact]:
        return {id: attrs.evolve(one, merged=()) for id, one in super().get(tx, ids).items()}


class HidesTheMerged(PlainStore):
    """Takes a contact that goes on as another one for one that is gone."""

    def get(self, tx: Transaction, ids: Iterable[UUID]) -> dict[UUID, Contact]:
        aliases = tx.sql.tables["contact_aliases"]
        gone = set(tx.sql.execute(select(aliases.c.contact_id)).scalars())
        return {id: one for id, one in super().get(tx, ids).items() if id not in gone}


class AsksAnotherColumn(PlainStore):
    def source(self, tx: Transaction) -> ContactSource | None:
        found = super().source(tx)
        assert found is not None
        return attrs.evolve(found, columns={**found.columns, "locale": found.columns["zone"]})


class RemembersRows(MappedContacts):
    """A cache, however good."""

    def get(self, tx: Transaction, ids: Iterable[UUID]) -> dict[UUID, Contact]:
        wanted = list(ids)
        known = _REMEMBERED.setdefault(self, {})
        known |= super().get(tx, [id for id in wanted if id not in known])
        return {id: known[id] for id in wanted if id in known}


_REMEMBERED: WeakKeyDictionary[MappedContacts, dict[UUID, Contact]] = WeakKeyDictionary()


class ReadsByKeyWithoutCondition(MappedContacts):
    def at(self, tx: Transaction, host: HostKey) -> Contact | None:
        table = self.host(tx.sql)
        self._found["sqlite"] = attrs.evolve(table, where=())
        try:
            return super().at(tx, host)
        finally:
            self._found["sqlite"] = table


class FindsWithoutCondition(MappedContacts):
    def find(self, tx: Transaction, points: Sequence[ContactPoint]) -> Contact | None:
        table = self.host(tx.sql)
        self._found["sqlite"] = attrs.evolve(table, where=())
        try:
            return super().find(tx, points)
        finally:
            self._found["sqlite"] = table


class NamesTheGone(MappedContacts):
    def get(self, tx: Transaction, ids: Iterable[UUID]) -> dict[UUID, Contact]:
        found = super().get(tx, ids)
        return {
            id: contact if contact.points else attrs.evolve(contact, name="deleted")
            for id, contact in found.items()
        }


class TidiesUp(MappedContacts):
    def update(self, tx: Transaction, contact_id: UUID, changes: Mapping[str, Any]) -> None:
        super().update(tx, contact_id, changes)
        table = self.host(tx.sql).table
        tx.sql.execute(table.update().values(mail=func.lower(table.c.mail)))


class WritesANameOfItsOwn(MappedContacts):
    """Takes a change of what the host's column holds, and loses it."""

    def update(self, tx: Transaction, contact_id: UUID, changes: Mapping[str, Any]) -> None:
        own = {name: value for name, value in changes.items() if name != "name"}
        if own:
            super().update(tx, contact_id, own)


def compares_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let addresses of the host be compared with the folded form alone."""
    from crmkit.sql.mapped.table import HostTable

    monkeypatch.setattr(HostTable, "_loosely", lambda *given: [])


def lowers_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let addresses of the host be looked for in small letters alone."""
    from crmkit.sql.mapped import table

    monkeypatch.setattr(table, "spellings", lambda point: (point.key,))


def keeps_aliases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an undone merge go on in what contacts read as."""
    from crmkit.transaction import merges

    real = merges.write_aliases
    monkeypatch.setattr(
        merges,
        "write_aliases",
        lambda sql, found: real(sql, {id: one for id, one in found.items() if id != one}),
    )


def keeps_no_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be kept of which row of the host has which id."""
    from crmkit.sql.mapped.handed import HandedOut

    monkeypatch.setattr(HandedOut, "keep", lambda *given: None)


def trusts_what_was_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an id pass for kept once it was written, also where a savepoint was rolled back."""
    from crmkit.sql.mapped.handed import HandedOut

    real = HandedOut.keep

    def keep(self: HandedOut, ids: Iterable[UUID]) -> None:
        once = list(ids)
        real(self, once)
        self._settled |= set(once)

    monkeypatch.setattr(HandedOut, "keep", keep)


def draws_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each transaction draw an id of its own for a row of the host."""
    from crmkit.sql.mapped.keys import HostKeys

    monkeypatch.setattr(HostKeys, "id", lambda self, text: uuid4())


def folds_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let text columns compare as MySQL does by default."""
    real = types.Text.sql_name
    monkeypatch.setattr(
        types.Text, "sql_name", lambda self, database: real(self, database).replace("BINARY", "NOCASE")
    )


def cuts_microseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let instants be kept to the second."""
    real = types._instant_micros
    cut = lambda value: value and real(value if value == FOREVER else value.replace(microsecond=0))  # noqa: E731
    monkeypatch.setattr(types, "_instant_micros", cut)


def reads_local_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let instants come back without their zone."""
    real = types._read_instant
    monkeypatch.setattr(types, "_read_instant", lambda value: (at := real(value)) and at.replace(tzinfo=None))


def keeps_floats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let whole numbers pass through floating point."""
    monkeypatch.setattr(
        types,
        "_minor",
        lambda value: None if value is None else int(float(value)) if abs(value) < 2**62 else value,
    )


def reverses_the_timeline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the timeline be in the order of recording."""
    from crmkit.sql.events import EventLog

    real = EventLog.timeline
    monkeypatch.setattr(EventLog, "timeline", lambda *given: sorted(real(*given), key=lambda one: one.id))


def numbers_with_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each numbering skip a position."""
    from crmkit.delivery import run
    from crmkit.sql.events import CURSOR

    def number(sql: Any, limit: int) -> int:
        done = number_events(sql, limit)
        cursors = sql.tables["cursors"]
        sql.execute(cursors.update().where(cursors.c.name == CURSOR).values(position=cursors.c.position + 1))
        return done

    monkeypatch.setattr(run, "number_events", number)


def queues_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a queued message be queued again at each call."""
    from crmkit.transaction import messages

    real = messages.rows.claim_delivery

    def claim(sql: Any, status: Any, *rest: Any) -> bool:
        fresh = attrs.evolve(status.delivery, key=str(status.delivery.id))
        return real(sql, attrs.evolve(status, delivery=fresh), *rest)

    monkeypatch.setattr(messages.rows, "claim_delivery", claim)


def forgets_content(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a key that was used before pass with any content."""
    real = Orders._replayed_record

    def lenient(self: Orders, order: Order, state: OrderState) -> Any:
        with suppress(KeyConflict):
            return real(self, order, state)
        return self.get(order.key)

    monkeypatch.setattr(Orders, "_replayed_record", lenient)


def refunds_what_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a refund of more than is left give back what is left."""
    real = orders.split_refund

    def generous(order: Order, before: Any, refund: Refund) -> Any:
        try:
            return real(order, before, refund)
        except ValueRefused:
            return real(order, before, Refund.whole(refund.key))

    monkeypatch.setattr(orders, "split_refund", generous)


def numbers_when_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let events have their position before they are committed."""
    real, numbers = events._rows, itertools.count(1)

    def numbered(entries: Sequence[Any]) -> Any:
        rows, personal = real(entries)
        return [{**row, "position": next(numbers)} for row in rows], personal

    monkeypatch.setattr(events, "_rows", numbered)


def takes_retries_for_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the database's request to run a transaction again pass for any other error."""
    monkeypatch.setattr(connection, "_RETRY_STATES", frozenset())


def tells_no_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let whoever comes second believe that it was first."""
    real = Orders._replayed_record

    def first(self: Orders, order: Order, state: OrderState) -> Any:
        return attrs.evolve(real(self, order, state), replayed=False)

    monkeypatch.setattr(Orders, "_replayed_record", first)


def locks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let orders be read without a lock before they are changed."""
    real, log = orders.rows.read_order, events.EventLog.of_subject
    monkeypatch.setattr(orders.rows, "read_order", lambda sql, key, lock=False: real(sql, key))
    monkeypatch.setattr(events.EventLog, "of_subject", lambda self, id, locked=False: log(self, id))


Break = Callable[[pytest.MonkeyPatch], None]

#: Each broken contact store, or what breaks the database, with the law that must find it.
STORES: tuple[tuple[type[PlainStore] | Break, int], ...] = (
    (LosesCase, 1),
    (LosesScripts, 1),
    (FindsByWhatWasWritten, 2),
    (FindsOnlyTheFirst, 2),
    (OverwritesTheRest, 3),
    (SharesEverything, 4),
    (KeepsHalfOfARefusedContact, 4),
    (forgets_content, 5),
    (refunds_what_is_asked, 6),
    (reverses_the_timeline, 8),
    (numbers_with_gaps, 9),
    (keeps_floats, 11),
    (cuts_microseconds, 12),
    (reads_local_time, 12),
    (folds_case, 13),
    (queues_again, 14),
    (ForgetsThePermission, 19),
    (KeepsEveryPreference, 20),
    (ForgetsTheSource, 20),
    (LeavesNoHeir, 21),
    (BeginsPagesTwice, 22),
    (ScansTheMerged, 22),
    (AsksTheMerged, 23),
    (AsksAnotherColumn, 23),
    (PrefersBoth, 31),
    (SaysNobodyWasMerged, 32),
    (HidesTheMerged, 32),
    (keeps_aliases, 32),
)

#: Each broken mapping of a host's table, or what breaks every mapping, with the law that must find it.
MAPPINGS: tuple[tuple[type[MappedContacts] | Break, int], ...] = (
    (compares_as_it_is, 24),
    (lowers_ascii, 24),
    (RemembersRows, 25),
    (ReadsByKeyWithoutCondition, 26),
    (FindsWithoutCondition, 26),
    (NamesTheGone, 27),
    (TidiesUp, 28),
    (WritesANameOfItsOwn, 28),
    (keeps_no_id, 29),
    (trusts_what_was_undone, 29),
)


#: The same for what shows only when two transactions write at once, on PostgreSQL.
RACES: tuple[tuple[type[PlainStore] | Break, int], ...] = (
    (numbers_when_written, 10),
    (LooksBeforeItAdds, 15),
    (takes_retries_for_errors, 16),
    (tells_no_replay, 17),
    (locks_nothing, 18),
    (draws_ids, 30),
)


def suite_with(*plugins: object, url: str = "sqlite://") -> type[StorageSuite]:
    """Return a suite over a database, by default one in memory."""

    class TestStore(StorageSuite):
        several_connections = several_writers = url != "sqlite://"
        isolation_levels = ("REPEATABLE READ",) if several_writers else ()

        def make_crm(self, **options: Any) -> CRM:
            return CRM(url, **{**options, "plugins": [*plugins, *options["plugins"]]})

    return TestStore


def suite_over_a_table(mapping: type[MappedContacts] = MappedContacts, url: str = "") -> type[MappedSuite]:
    """Return a suite over a table of the host's, read-only, by default in a SQLite file."""

    class TestMapping(MappedSuite):
        several_connections = True
        hidden: ClassVar[Mapping[str, Any]] = {"is_deleted": 1}

        def make_crm(self, **options: Any) -> CRM:
            customers = Table(
                "customers",
                MetaData(),
                Column("no", Integer, primary_key=True),
                Column("full_name", String),
                Column("mail", String),
                Column("is_deleted", Integer, server_default="0"),
            )
            columns = {"name": "full_name", "email": "mail"}
            contacts = mapping(table=customers, columns=columns, where={"is_deleted": 0})
            crm = CRM(url or f"sqlite:///{self.folder / 'crm.db'}", contacts=contacts, **options)
            customers.create(crm.engine)
            return crm

    return TestMapping


def suite_in_autocommit() -> type[StorageSuite]:
    """Return a suite over an engine that commits each statement by itself."""

    class TestAutoCommit(StorageSuite):
        def make_crm(self, **options: Any) -> CRM:
            url = f"sqlite:///{self.folder / 'crm.db'}"
            return CRM(create_engine(url, isolation_level="AUTOCOMMIT"), **options)

    return TestAutoCommit
