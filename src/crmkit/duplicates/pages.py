"""Contacts as their rows come from the database, page by page, into columns: no object is made of any."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from json import loads
from typing import TYPE_CHECKING, Any, NamedTuple

from crmkit.duplicates.folding import fold, fold_email
from crmkit.duplicates.record import Place, apart, first_line, names_of

if TYPE_CHECKING:
    from crmkit.duplicates.columns import Columns, Vocabulary


class Page(NamedTuple):
    """Rows of contacts and of their points.

    Args:
        contacts: id, name, given name, family name, kind, order of the names and birth date, by id.
        points: the contact's id, kind, key, value, scope and parts as JSON text, by id and in the contact's order;
            those of other contacts do not matter.
    """

    contacts: Sequence[Sequence[Any]]
    points: Sequence[Sequence[Any]]


class PageReader:
    """Adds pages to columns.

    Args:
        columns: of them all.
    """

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        words = columns.vocabularies
        self.names = _Folded(words["names"], fold)
        self.parts = {name: _Folded(words[name], fold) for name in Place._fields}
        self.parts["country"] = _Folded(words["country"], str.lower)

    def add(self, page: Page) -> None:
        """Add the contacts of a page."""
        columns, size = self.columns, len(page.contacts)
        ids = [bytes(contact[0]) for contact in page.contacts]
        emails, phones, places = _by_kind(page.points, {id: row for row, id in enumerate(ids)})
        words = columns.vocabularies
        columns.extend_many(
            ("email",), [(row, (words["email"][fold_email(p[2])],)) for row, p in emails], size
        )
        columns.extend_many(("phone",), [(row, (words["phone"][p[2]],)) for row, p in phones], size)
        columns.extend_many(Place._fields, self._places(places), size)
        given, family = self._named(page.contacts)
        columns.extend("given", given)
        columns.extend("family", family)
        columns.extend("birth", [words["birth"][contact[6]] for contact in page.contacts])
        columns.extend_ids(b"".join(ids))

    def _named(self, contacts: Sequence[Sequence[Any]]) -> tuple[list[int], list[int]]:
        folded, words = self.names, self.names.vocabulary
        every_given, every_family = [], []
        for _, name, given, family, kind, order, _birth in contacts:
            if given or family:
                one, other = folded[given], folded[family]
            else:
                first, last = names_of(name, "", "", kind, order)
                one, other = words[first], words[last]
            every_given.append(one)
            every_family.append(other)
        return every_given, every_family

    def _places(self, points: _Rows) -> Iterator[tuple[int, tuple[int, ...]]]:
        # one text of all is read much faster than many
        every = loads(f"[{','.join(point[5] or 'null' for _, point in points)}]")
        number, street, locality, region, postcode, country = (self.parts[name] for name in Place._fields)
        for (row, point), told in zip(points, every, strict=True):
            get = (told or {"street": first_line(point[3])}).get
            house, road = apart(get("street") or get("box") or "")
            codes = (
                number[house],
                street[road],
                locality[get("locality", "")],
                region[get("region", "")],
                postcode[get("postcode", "")],
                country[get("country") or point[4]],
            )
            yield row, codes


#: Rows among those of a page, each with one point.
_Rows = list[tuple[int, Sequence[Any]]]


def _by_kind(points: Sequence[Sequence[Any]], rows: dict[bytes, int]) -> tuple[_Rows, _Rows, _Rows]:
    found: dict[str, _Rows] = {"email": [], "phone": [], "postal": []}
    for point in points:
        row, of = rows.get(bytes(point[0])), found.get(point[1])
        if row is not None and of is not None:
            of.append((row, point))
    return found["email"], found["phone"], found["postal"]


class _Folded(dict[str, int]):
    """Numbers by text as it is written, each folded once.

    Args:
        vocabulary: of the folded texts.
        folding: how they are folded.
    """

    def __init__(self, vocabulary: Vocabulary, folding: Callable[[str], str]) -> None:
        super().__init__()
        self.vocabulary, self.folding = vocabulary, folding

    def __missing__(self, text: str) -> int:
        code = self[text] = self.vocabulary[self.folding(text)]
        return code
