"""Laws of reading all contacts: page by page, and in SQL."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import select

from crmkit.contacts import EDITABLE, Contact, ContactPoint
from crmkit.testing.laws import law
from crmkit.testing.storage.stage import Stage
from crmkit.transaction import Transaction

_COLUMNS = tuple(field for field in EDITABLE if field != "first_name")


class ScanLaws(Stage):
    """Laws 22 and 23."""

    __test__ = False

    @law(22, "writable")
    def test_22_a_scan_sees_every_contact_once(self) -> None:
        """A scan gives every contact once, in the order of ids, in pages of any size; what was merged it leaves out."""
        wanted = self._several()
        for size in (1, 2, 1000):
            with self.crm.begin() as tx:
                found = self._scan(tx, size)
            self.same(22, f"contacts in pages of {size}", wanted, {contact.id: contact for contact in found})
            ids = [contact.id for contact in found]
            self.same(22, f"ids in pages of {size}", sorted(wanted), ids)

    @law(23, "writable")
    def test_23_sql_sees_what_a_scan_sees(self) -> None:
        """The store's source in SQL, if it has one, has the contacts that a scan gives, with the same fields."""
        wanted = self._several()
        with self.crm.begin() as tx:
            source = self.crm.store.source(tx)
            if source is None:
                return
            columns = [source.columns[field].label(field) for field in _COLUMNS]
            statement = select(source.id.label("id"), source.key.label("key"), *columns)
            rows = tx.sql.execute(statement.select_from(source.rows).where(source.where)).mappings().all()
            found = {self.id_of(tx, row["id"], row["key"]): _plain(row) for row in rows}
        self.same(23, "keys of rows, each once", len(rows), len({row["key"] for row in rows}))
        self.same(23, "contacts", {id: _fields(contact) for id, contact in wanted.items()}, found)

    def id_of(self, tx: Transaction, id: UUID | None, key: Any) -> UUID:
        """Return the id of a row of the source, which has none in SQL as long as nothing was written about it."""
        return id if id is not None else self.crm.store.identify(tx, [key])[key]  # type: ignore[attr-defined]

    def _several(self) -> dict[UUID, Contact]:
        """Add contacts, one of them merged into another; return those that go on."""
        with self.crm.begin() as tx:
            for number, name in enumerate(("Ann", "Ben", "გიორგი", "", "Eve")):
                contact = tx.contacts.add(name, locale="ka", points=[ContactPoint.external("shop", number)])
            loser = tx.contacts.add("Eve again", points=[ContactPoint.email("eve@example.com")])
            tx.contacts.update(contact.id, birth_date=date(1980, 2, 29), business=True, owner="ann")
            tx.merges.merge(loser.id, into=contact.id)
        with self.crm.begin() as tx:
            found = [tx.contacts.find(ContactPoint.external("shop", number)) for number in range(5)]
            return self.crm.store.get(tx, [contact.id for contact in found if contact])

    def _scan(self, tx: Transaction, size: int) -> list[Contact]:
        found: list[Contact] = []
        while page := self.crm.store.scan(tx, after=found[-1].id if found else None, limit=size):
            found += page
            if len(page) > size or len(found) > 100:
                break
        return found


def _fields(contact: Contact) -> dict[str, Any]:
    values = {field: getattr(contact, field) for field in _COLUMNS}
    birth_date = contact.birth_date.isoformat() if contact.birth_date else ""
    return values | {
        "birth_date": birth_date,
        "business": int(contact.business),
        "internal": int(contact.internal),
    }


def _plain(row: Any) -> dict[str, Any]:
    return {field: row[field] for field in _COLUMNS}
