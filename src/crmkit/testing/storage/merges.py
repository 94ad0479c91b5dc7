"""The law of merges: what a store answers of several contacts reads as one, and as it did once that is undone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from crmkit.contacts import EDITABLE, Contact, ContactPoint, PointKind
from crmkit.testing.laws import law
from crmkit.testing.storage.stage import Stage
from crmkit.transaction import Transaction

_ADDRESSES = tuple(ContactPoint.email(f"{who}@example.com") for who in ("ann", "anna", "ben"))
_PHONE = ContactPoint.phone("+442079460001")

Reads = dict[UUID, dict[str, Any]]


class MergeLaws(Stage):
    """Law 32."""

    __test__ = False

    @law(32, "writable")
    def test_32_a_merge_reads_as_one_and_an_undo_restores(self) -> None:
        """Contacts that were merged read as one, by any of their ids; an undo restores what each of them read as."""
        ids = self._people()
        ann, anna, ben = ids
        before = self._reads(ids)
        with self.crm.begin() as tx:
            merges = [tx.merges.merge(anna, ann), tx.merges.merge(ben, ann)]
        with self.crm.begin() as tx:
            self._read_as_one(tx, ids)
            if self.shared_points:
                tx.contacts.remember(anna, _PHONE)  # Ben's, which is the same person's now
                before[anna]["points"] = [*before[anna]["points"], (str(_PHONE), False, "")]
        with self.crm.begin() as tx:
            tx.merges.unmerge(merges[1].id)
        self.same(32, "one of three, parted again", before[ben], self._reads(ids)[ben])
        with self.crm.begin() as tx:
            tx.merges.unmerge(merges[0].id)
        self.same(32, "all of them, parted again", before, self._reads(ids))

    def _people(self) -> list[UUID]:
        mine, hers, his = _ADDRESSES
        with self.crm.begin() as tx:
            ann = tx.contacts.add("Ann Example", points=[mine], locale="en")
            hers = hers.with_(primary=True, label="home")
            anna = tx.contacts.add("Anna", points=[hers], locale="ka", gender="f")
            ben = tx.contacts.add("Ben", points=[his, _PHONE], gender="m", zone="Asia/Tbilisi")
        return [ann.id, anna.id, ben.id]

    def _read_as_one(self, tx: Transaction, ids: Sequence[UUID]) -> None:
        ann, *others = ids
        one = tx.contacts.get(ann)
        fields = (one.name, one.locale, one.gender, one.zone)
        self.same(
            32, "fields, each the first that there is", ("Ann Example", "en", "f", "Asia/Tbilisi"), fields
        )
        points = sorted(map(str, (*_ADDRESSES, _PHONE)))
        self.same(32, "points, those of all", points, sorted(map(str, one.points)))
        self.same(32, "the address to use", _ADDRESSES[1], one.point(PointKind.EMAIL))
        self.same(32, "ids", (ann, *sorted(others)), one.ids)
        for id, found in tx.contacts.get_many(ids).items():
            self.same(32, f"get_many, {id}", _plain(one), _plain(found))
            self.same(32, f"the contact by the id {id}", _plain(one), _plain(tx.contacts.get(id)))
        for point in (*_ADDRESSES, _PHONE):
            self.same(32, f"whom {point} finds", ann, _id(tx.contacts.find(point)))
        self.same(32, "the list of all", [ann], [contact.id for contact in tx.contacts.page()])

    def _reads(self, ids: Sequence[UUID]) -> Reads:
        with self.crm.begin() as tx:
            listed = [contact.id for contact in tx.contacts.page()]
            finds = {str(point): _id(tx.contacts.find(point)) for point in (*_ADDRESSES, _PHONE)}
            many = tx.contacts.get_many(ids)
            return {
                id: {
                    **_plain(tx.contacts.get(id)),
                    "ids": tx.contacts.ids(id),
                    "is read with many": tx.contacts.get(id) == many.get(id),
                    "is found by": [name for name, found in finds.items() if found == id],
                    "is listed": listed.count(id),
                }
                for id in ids
            }


def _plain(contact: Contact) -> dict[str, Any]:
    points = sorted((str(point), point.primary, point.label) for point in contact.points)
    return {"id": contact.id, "points": points, **{field: getattr(contact, field) for field in EDITABLE}}


def _id(contact: Contact | None) -> UUID | None:
    return contact.id if contact else None
