"""Laws of contacts: found again as they were kept, under each of their points, by everybody once."""

from __future__ import annotations

from unicodedata import normalize

from crmkit.contacts import ContactKind, ContactPoint
from crmkit.errors import NotFound, PointTaken, ValueRefused
from crmkit.events import ContactUpdated
from crmkit.testing.laws import law
from crmkit.testing.storage.stage import Stage

#: Names as people have them: other scripts, combining marks, one name only, very long, beside the BMP.
NAMES = (
    "Ann Example",
    "გიორგი მაისურაძე",
    "Nguyễn Thị Ngọc",
    normalize("NFD", "Nguyễn Thị Ngọc Ánh"),
    "Suharto",
    "ა" * 200,
    "𐐀𐐨 👩‍🚀",
    "o'Brien \"; --\\%_",
    "ANN EXAMPLE ",
)

_ANN = ContactPoint.email


class ContactLaws(Stage):
    """Laws 1 to 4."""

    __test__ = False

    @law(1, "writable")
    def test_01_a_contact_comes_back_as_it_was_kept(self) -> None:
        """Every field and point of a contact is read as it was written, names of every script included."""
        with self.crm.begin() as tx:
            kept = [
                tx.contacts.add(
                    name,
                    given_name=name.split()[0],
                    kind=ContactKind.ORGANISATION if number % 2 else ContactKind.PERSON,
                    locale="vi",
                    zone="Asia/Ho_Chi_Minh",
                    points=self._points(number),
                )
                for number, name in enumerate(NAMES)
            ]
        with self.crm.begin() as tx:
            for number, (contact, name) in enumerate(zip(kept, NAMES, strict=True)):
                found = tx.contacts.get(contact.id)
                self.same(1, "the contact", contact, found)
                self.same(1, "its name, in NFC", normalize("NFC", name), found.name)
                points = sorted(str(point) for point in self._points(number))
                self.same(1, "its points", points, sorted(str(point) for point in found.points))
            many = tx.contacts.get_many([contact.id for contact in kept])
            self.same(1, "get_many", {contact.id: contact for contact in kept}, many)
        self.refused(1, "get of an unknown id", NotFound, lambda tx: tx.contacts.get(tx.new_id()))

    @law(2, "writable")
    def test_02_a_contact_is_found_by_any_of_its_points(self) -> None:
        """A point finds its contact, email addresses without regard to case; one that nobody has finds None."""
        points = (
            _ANN("Ann.Example@Example.com"),
            ContactPoint.handle("mastodon", "@Ann"),
            ContactPoint.external("shop", "A1"),
        )
        with self.crm.begin() as tx:
            ann = tx.contacts.add("Ann", points=points)
            ben = tx.contacts.add("Ben", points=[_ANN("ben@example.com")])
        nobody = (
            _ANN("ann@example.com"),
            ContactPoint.handle("x", "ann"),
            ContactPoint.external("shop", "a1"),
        )
        with self.crm.begin() as tx:
            for point in (*points, _ANN("ann.example@EXAMPLE.com"), ContactPoint.handle("Mastodon", "ANN")):
                self.same(2, f"find({point})", ann, tx.contacts.find(point))
            for point in nobody:
                self.same(2, f"find({point})", None, tx.contacts.find(point))
            self.same(
                2, "the first point that anybody has", ben, tx.contacts.find(nobody[0], *ben.points, *points)
            )
            self.same(
                2, "find_or_add of a known point", ann.id, tx.contacts.find_or_add(points, name="Eve").id
            )

    @law(3, "writable")
    def test_03_an_update_changes_what_it_names(self) -> None:
        """An update changes the fields that it names and no other, and the log holds both sides."""
        with self.crm.begin() as tx:
            ann = tx.contacts.add("Ann", points=[_ANN("ann@example.com")], locale="en")
            ben = tx.contacts.add("Ben", points=[_ANN("ben@example.com")])
        self.later()
        with self.crm.begin() as tx:
            changed = tx.contacts.update(ann.id, name="ანა", zone="Asia/Tbilisi")
            tx.contacts.update(ben.id, name="Ben")  # as it was
        with self.crm.begin() as tx:
            self.same(3, "the contact", changed, tx.contacts.get(ann.id))
            self.same(
                3, "the fields", ("ანა", "en", "Asia/Tbilisi"), (changed.name, changed.locale, changed.zone)
            )
            self.same(3, "another contact", ben, tx.contacts.get(ben.id))
            logged = tx.events.timeline(ann.id)[0].event
            wanted = ContactUpdated(
                fields=("name", "zone"),
                before={"name": "Ann", "zone": ""},
                after={"name": "ანა", "zone": "Asia/Tbilisi"},
            )
            self.same(3, "the event", wanted, logged)
            self.same(3, "events of an update that changes nothing", 1, len(tx.events.timeline(ben.id)))
        self.refused(
            3, "an unknown field", ValueRefused, lambda tx: tx.contacts.update(ann.id, nickname="Annie")
        )

    @law(4, "writable")
    def test_04_a_point_belongs_to_one_contact_unless_it_is_shared(self) -> None:
        """A point that another contact has is refused, or shared on request, and goes on finding the first one."""
        home = ContactPoint.phone("+442079460001")
        with self.crm.begin() as tx:
            ann = tx.contacts.add("Ann", points=[home])
            ben = tx.contacts.add("Ben")
            tx.contacts.remember(ben.id, _ANN("ben@example.com"), _ANN("ben@example.com"))
            kept = tx.contacts.remember(ben.id, _ANN("BEN@example.com"))
        self.same(4, "points, each once", ["email:ben@example.com"], [str(point) for point in kept.points])
        self.refused(
            4, "a point of another contact", PointTaken, lambda tx: tx.contacts.remember(ben.id, home)
        )
        self.refused(
            4,
            "a new contact with it",
            PointTaken,
            lambda tx: tx.contacts.add("Eve", points=[_ANN("eve@example.com"), home]),
        )
        if self.shared_points:
            with self.crm.begin() as tx:
                tx.contacts.remember(ben.id, home, shared=True)
            with self.crm.begin() as tx:
                self.same(4, "whom a shared point finds", ann.id, (tx.contacts.find(home) or ben).id)
                self.same(4, "whether the other has it too", True, home in tx.contacts.get(ben.id).points)

    def _points(self, number: int) -> tuple[ContactPoint, ...]:
        return (
            ContactPoint.external("shop", number),
            _ANN(f"ann{number}@ví-dụ.vn"),
            ContactPoint.phone(f"+44207946{number:04}"),
            ContactPoint.postal(f"რუსთაველის გამზირი {number}\nთბილისი", "GE"),
        )
