"""Laws of a contact's whole profile, and of what is known of its points."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import attrs

from crmkit.contacts import (
    EDITABLE,
    Contact,
    ContactKind,
    ContactPoint,
    FirstNamePermission,
    Formality,
    NameOrder,
    PointKind,
    PostalAddress,
)
from crmkit.contacts import (
    Stage as LifeStage,
)
from crmkit.errors import ValueRefused
from crmkit.testing.laws import law
from crmkit.testing.storage.stage import Stage

_HOME = PostalAddress(
    street="12 რუსთაველის გამზირი", extended="Flat 3", locality="თბილისი", postcode="0108", country="ge"
)


class PointLaws(Stage):
    """Laws 19 to 21, and 31."""

    __test__ = False

    @law(19, "writable")
    def test_19_every_field_comes_back(self) -> None:
        """Every field of a contact is read as it was written, whether it was added with it or changed to it."""
        given = _every_field(self.clock())
        self.same(19, "the fields that this law tries", sorted(EDITABLE), sorted(given))
        with self.crm.begin() as tx:
            added = tx.contacts.add(points=[ContactPoint.email("ann@example.com")], **given)
            empty = tx.contacts.add(points=[ContactPoint.email("ben@example.com")])
            for field, value in given.items():
                tx.contacts.update(empty.id, **{field: value})
        with self.crm.begin() as tx:
            for what, id in (("added with the contact", added.id), ("changed one by one", empty.id)):
                self.same(19, f"fields, {what}", given, _of(tx.contacts.get(id)))
        with self.crm.begin() as tx:
            tx.contacts.update(added.id, **_of(Contact(id=added.id)))
        with self.crm.begin() as tx:
            self.same(19, "fields, emptied", _of(Contact(id=added.id)), _of(tx.contacts.get(added.id)))
            self.same(19, "fields of another contact", given, _of(tx.contacts.get(empty.id)))

    @law(20, "writable")
    def test_20_what_is_known_of_a_point_comes_back(self) -> None:
        """Label, source, verification, preference and parts of a point are read as they were written last."""
        email = ContactPoint.email("Ann@Example.com").with_(label="home", source="checkout", primary=True)
        other = ContactPoint.email("ann@work.example.com").with_(label="work")
        home = ContactPoint.postal(_HOME).with_(label="home", verified_at=self.clock())
        with self.crm.begin() as tx:
            ann = tx.contacts.add("Ann", points=[email, home])
            tx.contacts.remember(ann.id, other)
        self._same_points(ann, (email, home, other))
        self.later()
        verified = email.with_(label="", source="", primary=False, verified_at=self.clock())
        preferred = other.with_(primary=True, source="import:2026-03")
        with self.crm.begin() as tx:
            self.crm.store.set_point(tx, ann.id, verified)
            self.crm.store.set_point(tx, ann.id, preferred)
        self._same_points(ann, (verified, home, preferred))
        with self.crm.begin() as tx:
            self.crm.store.set_point(tx, ann.id, verified.with_(primary=True))
        self._same_points(ann, (verified.with_(primary=True), home, preferred.with_(primary=False)))
        with self.crm.begin() as tx:
            found = tx.contacts.get(ann.id).point(PointKind.EMAIL)
        self.same(20, "the address to use", "email:Ann@example.com", str(found))

    @law(21, "writable")
    def test_21_a_point_that_is_taken_away_is_gone(self) -> None:
        """A point that is taken away finds nobody, or the next of those who share it, and can be given again."""
        email, home = ContactPoint.email("ann@example.com"), ContactPoint.phone("+442079460001")
        with self.crm.begin() as tx:
            ann = tx.contacts.add("Ann", points=[email, home])
            ben = tx.contacts.add("Ben", points=[ContactPoint.email("ben@example.com")])
            if self.shared_points:
                tx.contacts.remember(ben.id, home, shared=True)
        with self.crm.begin() as tx:
            self.crm.store.remove_point(tx, ann.id, email)
            self.crm.store.remove_point(tx, ann.id, home)
        with self.crm.begin() as tx:
            self.same(21, "the points that are left", (), tx.contacts.get(ann.id).points)
            self.same(21, "whom the point finds", None, tx.contacts.find(email))
            if self.shared_points:
                heir = tx.contacts.find(home)
                self.same(21, "whom the shared point finds", ben.id, heir and heir.id)
            tx.contacts.remember(ben.id, email)
        with self.crm.begin() as tx:
            self.same(21, "whom it finds when it is given again", ben.id, (tx.contacts.find(email) or ann).id)

    @law(31, "writable")
    def test_31_one_point_of_a_kind_is_primary(self) -> None:
        """Of a contact's points of one kind at most one is primary: the last one that was given as primary."""
        old, new, third = (
            ContactPoint.email(f"{who}@example.com").with_(primary=True) for who in ("old", "new", "third")
        )
        phone = ContactPoint.phone("+442079460001").with_(primary=True)
        with self.crm.begin() as tx:
            ann = tx.contacts.add("Ann", points=[old, phone])
            ben = tx.contacts.add("Ben", points=[ContactPoint.email("ben@example.com").with_(primary=True)])
        with self.crm.begin() as tx:
            tx.contacts.remember(ann.id, new)
            tx.contacts.remember(ann.id, third.with_(primary=False))
            tx.contacts.remember(ann.id, old)  # she has it: it is left alone
        self._same_primaries(ann, new, phone)
        self._same_primaries(ben, *ben.points)
        with self.crm.begin() as tx:
            self.same(31, "the address to use", new, tx.contacts.get(ann.id).point(PointKind.EMAIL))
            self.crm.store.set_point(tx, ann.id, third)
        self._same_primaries(ann, third, phone)
        two = tuple(ContactPoint.email(f"{who}@example.org").with_(primary=True) for who in ("a", "b"))
        self.refused(31, "a contact with two", ValueRefused, lambda tx: tx.contacts.add("Eve", points=two))
        self.refused(31, "two more", ValueRefused, lambda tx: tx.contacts.remember(ann.id, *two))
        self._same_primaries(ann, third, phone)

    def _same_primaries(self, contact: Contact, *points: ContactPoint) -> None:
        with self.crm.begin() as tx:
            found = [str(point) for point in tx.contacts.get(contact.id).points if point.primary]
        self.same(31, "the primary points", sorted(map(str, points)), sorted(found))

    def _same_points(self, contact: Contact, points: tuple[ContactPoint, ...]) -> None:
        with self.crm.begin() as tx:
            found = tx.contacts.get(contact.id)
        wanted = {str(point): attrs.asdict(point) for point in points}
        self.same(20, "points with their details", wanted, {str(p): attrs.asdict(p) for p in found.points})


def _every_field(now: datetime) -> dict[str, Any]:
    return {
        "name": "Dr. Nino Beridze",
        "given_name": "ნინო",
        "family_name": "ბერიძე",
        "kind": ContactKind.ORGANISATION,
        "honorific": "Dr.",
        "formality": Formality.FORMAL,
        "name_order": NameOrder.FAMILY_FIRST,
        "first_name": FirstNamePermission(by="staff:ann", at=now, how="on the phone"),
        "birth_date": date(1980, 2, 29),
        "gender": "f",
        "business": True,
        "internal": True,
        "locale": "ka",
        "zone": "Asia/Tbilisi",
        "source": "fair",
        "classification": "wholesale",
        "stage": LifeStage.LOYAL,
        "owner": "ann",
    }


def _of(contact: Contact) -> dict[str, Any]:
    return {field: getattr(contact, field) for field in EDITABLE}
