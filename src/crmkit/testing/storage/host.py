"""Laws of contacts that are rows of the host's own table."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, cast
from uuid import UUID

from crmkit.contacts import Contact, ContactPoint, HostKey
from crmkit.contacts import Stage as LifeStage
from crmkit.errors import NotFound, ValueRefused
from crmkit.stores import HostStore
from crmkit.testing.laws import law, unwritten
from crmkit.testing.storage.scans import ScanLaws
from crmkit.testing.storage.stage import ATTEMPTS
from crmkit.transaction import Transaction

_EMAIL = ContactPoint.email
_ANN = "Ann.Ex@Example.com"
_SPELLINGS = (
    ("JÜRGEN@Ví-Dụ.VN", "jürgen@ví-dụ.vn"),
    ("Strasse@example.com", "straße@EXAMPLE.com"),
    ("ΝΊΚΟΣ@example.gr", "νίκος@example.gr"),
    ("o'brien%_!@example.com", "O'BRIEN%_!@example.com"),
)


class HostLaws(ScanLaws):
    """Laws 24 to 30; whoever claims them writes the methods that begin with `host_`."""

    __test__ = False

    #: Whether the store writes to the host's table.
    writes_host: bool = False

    @unwritten
    def host_add(self, name: str, email: str) -> HostKey:
        """Insert a row in the host's table, as the host does, committed; return its key."""
        raise NotImplementedError

    @unwritten
    def host_change(self, key: HostKey, name: str, email: str) -> None:
        """Change a row of the host's table, as the host does."""
        raise NotImplementedError

    @unwritten
    def host_hide(self, key: HostKey) -> None:
        """Change a row so that it is none of the store's any more, as by a soft delete."""
        raise NotImplementedError

    @unwritten
    def host_delete(self, key: HostKey) -> None:
        """Delete a row."""
        raise NotImplementedError

    @unwritten
    def host_rows(self) -> Sequence[Any]:
        """Return every row of the host's table, whole."""
        raise NotImplementedError

    @law(24, "host_add")
    def test_24_a_row_of_the_host_is_a_contact(self) -> None:
        """A row of the host is found by its address, by its key and by scans; reading it writes nothing."""
        key = self.host_add("Ann", _ANN)
        before = self.rows()
        with self.crm.begin() as tx:
            ann = self._at(tx, key)
            self.same(24, "its name and address", ("Ann", ["email:Ann.Ex@example.com"]), _seen(ann))
            self.same(24, "its key", key, ann.host)
            for address in (_ANN, _ANN.lower(), _ANN.upper()):
                self.same(24, f"whom {address} finds", ann, tx.contacts.find(_EMAIL(address)))
            self.same(24, "the contact by its id", ann, tx.contacts.get(ann.id))
            self.same(24, "a scan", [ann], self._scan(tx, 1000))
            self.same(24, "a key of nobody", None, self._store.at(tx, HostKey("nobody", key.pk)))
        self.same(24, "rows that reading wrote", before, self.rows())
        for number, (written, asked) in enumerate(_SPELLINGS):
            other = self.host_add(f"Other {number}", written)
            with self.crm.begin() as tx:
                found = tx.contacts.find(_EMAIL(asked))
                self.same(24, f"whom {asked} finds, of {written}", other, found and found.host)

    @law(25, "host_add")
    def test_25_changes_of_the_host_are_seen_at_once(self) -> None:
        """What the host changes is read by the next call; the contact keeps its id, and what the CRM knows of it."""
        key = self.host_add("Ann", _ANN)
        with self.crm.begin() as tx:
            ann = self._at(tx, key)
            tx.contacts.update(ann.id, stage=LifeStage.LOYAL)
            tx.contacts.remember(ann.id, _EMAIL("ann@work.example.com"))
            self._store.set_point(tx, ann.id, _EMAIL(_ANN).with_(label="home"))
        self.host_change(key, "ანა", "ana@example.com")
        with self.crm.begin() as tx:
            found = tx.contacts.get(ann.id)
            points = ["email:ana@example.com", "email:ann@work.example.com"]
            self.same(25, "name and addresses", ("ანა", points), _seen(found))
            self.same(25, "what the CRM knows", LifeStage.LOYAL, found.stage)
            self.same(25, "whom the old address finds", None, tx.contacts.find(_EMAIL(_ANN)))
            for address in ("ana@example.com", "ann@work.example.com"):
                self.same(25, f"whom {address} finds", found, tx.contacts.find(_EMAIL(address)))
            self.same(25, "the contact by its key", ann.id, self._at(tx, key).id)
            eve = tx.contacts.find_or_add([_EMAIL(_ANN)], name="Eve")
        self.same(25, "whether the old address can be another's", True, eve.id != ann.id)

    @law(26, "host_hide")
    def test_26_no_read_sees_a_hidden_row(self) -> None:
        """A row that is none of the store's, as one that is softly deleted, is seen by no read, find or scan."""
        known, unknown = self.host_add("Ann", _ANN), self.host_add("Ben", "ben@example.com")
        with self.crm.begin() as tx:
            ann = self._at(tx, known)
            tx.contacts.remember(ann.id, _EMAIL("ann@work.example.com"))
        self.host_hide(known)
        self.host_hide(unknown)
        with self.crm.begin() as tx:
            for address in (_ANN, "ben@example.com", "ann@work.example.com"):
                self.same(26, f"whom {address} finds", None, tx.contacts.find(_EMAIL(address)))
            for key in (known, unknown):
                self.same(26, f"who is at {key}", None, self._store.at(tx, key))
            self.same(26, "a scan", [], self._scan(tx, 1000))
            self.same(26, "rows in SQL", [], self._ids_in_sql(tx))
            self.same(26, "the contact that is known", ("", []), _seen(tx.contacts.get(ann.id)))

    @law(27, "host_delete")
    def test_27_a_row_that_is_gone_leaves_a_contact_without_fields(self) -> None:
        """A contact whose row is gone reads as one without fields; what happened with it stays, and nothing fails."""
        key = self.host_add("Ann", _ANN)
        with self.crm.begin() as tx:
            order = tx.orders.record(self.order(email=_ANN), state="paid")
            ann = self._at(tx, key)
        self.host_delete(key)
        with self.crm.begin() as tx:
            found = tx.contacts.get(ann.id)
            self.same(27, "the contact", (("", []), key), (_seen(found), found.host))
            told = [entry.id for entry in tx.events.timeline(ann.id)]
            self.same(27, "whether its timeline tells of the order", True, order.entry.id in told)
            self.same(27, "a scan", [], self._scan(tx, 1000))
            self.same(27, "whom its address finds", None, tx.contacts.find(_EMAIL(_ANN)))
        with self.crm.begin() as tx:
            again = tx.orders.record(self.order("A2", email=_ANN), state="paid")
            self.same(
                27, "whether the address can be somebody's again", True, again.entry.contact_id != ann.id
            )

    @law(28, "host_rows")
    def test_28_the_hosts_table_is_written_only_if_it_may_be(self) -> None:
        """A store that does not write to the host's table leaves every row as it was, whatever is recorded."""
        key = self.host_add("Ann", _ANN)
        before = self.host_rows()
        with self.crm.begin() as tx:
            ann = self._at(tx, key)
            tx.orders.record(self.order(email=_ANN), state="paid")
            tx.contacts.update(ann.id, stage=LifeStage.LOYAL, owner="ben")
            tx.contacts.remember(ann.id, _EMAIL("ann@work.example.com"))
            self._store.set_point(tx, ann.id, _EMAIL(_ANN).with_(label="home"))
        self.same(28, "rows after facts of the CRM's own", before, self.host_rows())
        if self.writes_host:
            with self.crm.begin() as tx:
                tx.contacts.update(ann.id, name="Ana")
                guest = tx.contacts.find_or_add([_EMAIL("guest@example.com")], name="Guest")
            self.same(28, "rows after a new contact", len(before) + 1, len(self.host_rows()))
            with self.crm.begin() as tx:
                self.same(28, "the name", "Ana", self._at(tx, key).name)
                self.same(
                    28, "whether the new one is a row", True, tx.contacts.get(guest.id).host is not None
                )
            return
        self.refused(
            28, "a change of the name", ValueRefused, lambda tx: tx.contacts.update(ann.id, name="Eve")
        )
        gone = lambda tx: self._store.remove_point(tx, ann.id, _EMAIL(_ANN))  # noqa: E731
        self.refused(28, "taking the address away", ValueRefused, gone)
        with self.crm.begin() as tx:
            guest = tx.contacts.find_or_add([_EMAIL("guest@example.com")], name="Guest")
            tx.contacts.update(guest.id, name="Eve")
        self.same(28, "rows after a new contact", before, self.host_rows())
        with self.crm.begin() as tx:
            self.same(28, "the new contact", "Eve", tx.contacts.get(guest.id).name)

    @law(29, "host_add")
    def test_29_whatever_is_written_of_a_row_keeps_its_id(self) -> None:
        """An id under which something was written of a row is that row's from then on, in SQL too."""
        keys = [self.host_add(name, f"{name}@example.com") for name in ("ann", "ben", "eve", "ida")]
        with self.crm.begin() as tx:
            ann, ben, eve, ida = (self._at(tx, key).id for key in keys)
            tx.contacts.update(ann, owner="zoe")
            try:
                with tx.sql.isolated():
                    tx.contacts.update(eve, owner="zoe")
                    raise NotFound("undone")
            except NotFound:
                pass
            tx.merges.merge(ben, into=ann)
            tx.contacts.update(eve, owner="zoe")
        with self.crm.begin() as tx:
            for key, id in zip(keys[:3], (ann, ann, eve), strict=True):
                self.same(29, f"the id at {key}", id, tx.contacts.get(self._at(tx, key).id).id)
            found = sorted(map(str, self._ids_in_sql(tx)))
            self.same(29, "the ids that SQL sees", sorted(map(str, (ann, eve, None))), found)
            self.same(29, "contacts of a scan", sorted([ann, eve, ida]), [c.id for c in self._scan(tx, 2)])

    @law(30, "host_add", "several_connections")
    def test_30_a_row_has_one_id_however_many_write_of_it_at_once(self) -> None:
        """Of several transactions that write of the same row of the host at the same time, all write under one id."""
        for number, (level, crm) in enumerate(self.levels()):
            key = self.host_add("Ann", f"ann{number}@example.com")
            work = partial(crm.transact, partial(self._remember, key=key), attempts=ATTEMPTS)
            found = self.together(*[work] * 4)
            with crm.begin() as tx:
                self.same(30, f"ids, {level}", [self._at(tx, key).id] * 4, found)
                events = len(tx.events.timeline(self._at(tx, key).id))
            self.same(30, f"events under it, {level}", 4, events)

    def _remember(self, tx: Transaction, key: HostKey) -> UUID:
        contact = self._at(tx, key)
        tx.contacts.remember(contact.id, ContactPoint.external("till", str(tx.new_id())))
        return contact.id

    def _at(self, tx: Transaction, key: HostKey) -> Contact:
        found = self._store.at(tx, key)
        if found is None:
            raise self.broken(24, expected=f"a contact at {key}", found="None")
        return found

    def _ids_in_sql(self, tx: Transaction) -> list[UUID | None]:
        from sqlalchemy import select

        source = self._store.source(tx)
        if source is None:
            return []
        statement = select(source.id).select_from(source.rows).where(source.where)
        return list(tx.sql.execute(statement).scalars())

    @property
    def _store(self) -> HostStore:
        return cast(HostStore, self.crm.store)


def _seen(contact: Contact) -> tuple[str, list[str]]:
    return contact.name, [str(point) for point in contact.points]
