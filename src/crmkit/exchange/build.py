"""From the cells of a row to what it says of a contact."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import attrs

from crmkit.consent import ConsentState
from crmkit.contacts import EDITABLE, Contact, ContactKind, ContactPoint, FirstNamePermission, PostalAddress
from crmkit.contacts.details import tag_of
from crmkit.errors import ValueRefused
from crmkit.exchange.incoming import Incoming
from crmkit.exchange.mapping import ColumnMap, imported
from crmkit.exchange.points import oddity, point_from
from crmkit.exchange.said import LISTS, SaidConsent, SaidNote, SaidRelation, said

#: The values of a row by field; a field that several columns name has several.
Cells = Mapping[str, Sequence[str]]

_PARTS = tuple(field.name for field in attrs.fields(PostalAddress))
_ADDRESSES = frozenset(("email", "phone", "handle", "external", "postal"))
_TRUE = frozenset("1 yes y true x ja oui si sí sim oo có კი да".split())
_FALSE = frozenset("0 no n false nein non não hindi không არა нет".split())
_FLAGS = frozenset(("business", "internal"))
_SIMPLE = frozenset(EDITABLE) - _FLAGS - {"first_name", "birth_date"}


@attrs.frozen
class _Shape:
    """Which fields a row has, by what they are; the rows of a file have few shapes.

    Args:
        plain: fields of contacts.
        addresses: each with its kind and name.
        labels: of addresses by their parts: each with the parts and their fields.
        values: custom fields, each with its name.
        consents: each with the purpose.
    """

    plain: tuple[str, ...]
    addresses: tuple[tuple[str, str, str], ...]
    labels: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    values: tuple[tuple[str, str], ...]
    consents: tuple[tuple[str, str], ...]


@lru_cache(maxsize=256)
def _shape(fields: tuple[str, ...]) -> _Shape:
    split = [(field, *field.partition(":")[::2]) for field in fields]
    labels = dict.fromkeys(name for _, kind, name in split if kind in _PARTS)
    parts = {label: [(part, f"{part}:{label}" if label else part) for part in _PARTS] for label in labels}
    return _Shape(
        plain=tuple(field for field in fields if field in _SIMPLE or field in _FLAGS),
        addresses=tuple(one for one in split if one[1] in _ADDRESSES),
        labels=tuple(
            (label, tuple(one for one in some if one[1] in fields)) for label, some in parts.items()
        ),
        values=_named(fields, "field:"),
        consents=_named(fields, "consent:"),
    )


def _named(fields: Sequence[str], prefix: str) -> tuple[tuple[str, str], ...]:
    return tuple((field, field.removeprefix(prefix)) for field in fields if field.startswith(prefix))


@attrs.define
class Builder:
    """Makes of rows what they say of contacts.

    Args:
        columns: how the file is to be read.
        new_id: gives ids for contacts that are new.
        keep_bad: whether an address or birth date that cannot be used is kept as a note, and does not cost the row.
    """

    columns: ColumnMap
    new_id: Callable[[], UUID]
    keep_bad: bool = False

    def build(
        self, cells: Cells, line: int, raw: tuple[str, ...], found: Sequence[ContactPoint] = ()
    ) -> Incoming:
        """Return what a row says.

        Args:
            cells: its values by field.
            line: on which it begins.
            raw: as it was read.
            found: points that are made already; those of the cells come after them.

        Raises:
            ValueRefused: if a value is refused; the message names the field.
        """
        shape = _shape(tuple(cells))
        notes: list[str] = []
        points = self._distinct(found, list(self._every_point(cells, shape, notes)))
        fields = self._fields(cells, shape, notes)
        employer = self._employer(cells, fields)
        lists = {name: _said(cells, name) for name in LISTS}
        id = _id(cells)
        named = any(fields.get(name) for name in ("name", "given_name", "family_name"))
        if not (points or named or id):
            raise ValueRefused("the row has neither a name nor an address")
        contact = Contact(id=id or self.new_id(), points=points, **fields)
        return Incoming(
            line=line,
            contact=contact,
            fields=tuple(fields),
            named=id is not None,
            tags=tuple(dict.fromkeys(self._tags(cells))),
            notes=_once([*self._notes(cells), *(SaidNote(text=text) for text in notes)]),
            values=_by_name(cells, shape.values),
            consents=(*self._answers(cells, shape), *map(_imported, lists["consents"])),
            relations=(*employer, *lists["relations"]),
            preferences=lists["preferences"],
            facts=lists["facts"],
            warnings=tuple(_oddities(contact)),
            raw=raw,
        )

    def _fields(self, cells: Cells, shape: _Shape, notes: list[str]) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for name in shape.plain:
            if text := _joined(cells, name):
                fields[name] = truth(text, name) if name in _FLAGS else text
        if found := self._birth_date(_joined(cells, "birth_date"), notes):
            fields["birth_date"] = found
        if permission := _permission(cells):
            fields["first_name"] = permission
        if self.columns.exact:
            return fields
        if not fields.get("name") and (whole := _whole(fields)):
            fields["name"] = whole
        fields.setdefault("source", self.columns.source)
        if not fields["source"]:
            del fields["source"]
        return fields

    def _birth_date(self, text: str, notes: list[str]) -> date | None:
        try:
            return day(text, self.columns.dates) if text else None
        except ValueRefused as error:
            if not self.keep_bad:
                raise
            notes.append(f"birth date: {text} ({error})"[:500])
            return None

    def _answers(self, cells: Cells, shape: _Shape) -> Iterator[SaidConsent]:
        for name, value in _by_name(cells, shape.consents).items():
            purpose, _, channel = name.partition(":")
            yes = truth(value, "consent")
            yield SaidConsent(
                purpose=purpose,
                channel=channel,
                state=ConsentState.GRANTED if yes else ConsentState.WITHDRAWN,
                source=self.columns.origin,
            )

    def _employer(self, cells: Cells, fields: dict[str, Any]) -> tuple[SaidRelation, ...]:
        company = _joined(cells, "organisation")
        if not company or self.columns.exact:
            return ()
        if fields.get("name"):
            return (SaidRelation(kind="employer", name=company, source=self.columns.origin),)
        fields |= {"name": company, "kind": fields.get("kind", ContactKind.ORGANISATION)}
        return ()

    def _tags(self, cells: Cells) -> Iterator[str]:
        for cell in cells.get("tags", ()):
            separator = self.columns.tags_separator
            for tag in _several(cell, (str,)) or (cell.split(separator) if separator else [cell]):
                if tag.strip():
                    yield tag_of(tag)

    def _notes(self, cells: Cells) -> Iterator[SaidNote]:
        kinds = (str, dict) if self.columns.exact else (str,)
        for cell in cells.get("note", ()):
            for one in _several(cell, kinds) or [cell]:
                yield SaidNote(text=one) if isinstance(one, str) else said(SaidNote, one)

    def _distinct(
        self, found: Sequence[ContactPoint], points: Sequence[ContactPoint]
    ) -> tuple[ContactPoint, ...]:
        ordered = [*points, *found] if self.columns.exact else [*found, *points]
        return tuple(dict.fromkeys(ordered))

    def _every_point(self, cells: Cells, shape: _Shape, notes: list[str]) -> Iterator[ContactPoint]:
        for cell in cells.get("points", ()):
            yield from map(point_from, _points(cell)) if cell else ()
        for field, kind, name in shape.addresses:
            for value in cells[field]:
                if value and (point := self._point(kind, name, value, notes)):
                    yield point
        for label, parts in shape.labels:
            if point := self.address({part: _joined(cells, field) for part, field in parts}, label):
                yield point

    def _point(self, kind: str, name: str, value: str, notes: list[str]) -> ContactPoint | None:
        try:
            return self.point(kind, name, value)
        except ValueRefused as error:
            if not self.keep_bad:
                raise
            notes.append(f"{kind} {name}: {value}".replace(" :", ":") + f" ({error})"[:500])
            return None

    def point(self, kind: str, name: str, value: str) -> ContactPoint:
        """Return the point of a value.

        Args:
            kind: email, phone, handle, external or postal.
            name: the network of a handle, the system of an external id, else the label.
            value: as it is written.
        """
        source = self.columns.source
        if kind == "email":
            return ContactPoint.email(value, source=source, label=name)
        if kind == "phone":
            return ContactPoint.phone(value, self.columns.region or None, source=source, label=name)
        if kind == "postal":
            return ContactPoint.postal(value, source=source, label=name)
        made = ContactPoint.handle(name, value) if kind == "handle" else ContactPoint.external(name, value)
        return made.with_(source=source)

    def address(self, parts: Mapping[str, str], label: str) -> ContactPoint | None:
        """Return the point of a postal address by its parts; None if nothing but a country is given.

        A country that is no code of two letters and not known by its name is written with the region.

        Args:
            parts: by name; the country's may be its name.
            label: what the contact uses it for.
        """
        if not any(value for name, value in parts.items() if name != "country"):
            return None
        given, country = dict(parts), parts.get("country", "")
        if country and not (len(country) == 2 and country.isalpha()):
            given["country"] = country_code(country)
            if not given["country"]:
                given["region"] = ", ".join(part for part in (given.get("region", ""), country) if part)
        return ContactPoint.postal(PostalAddress(**given), source=self.columns.source, label=label)


def _joined(cells: Cells, field: str) -> str:
    values = cells.get(field, ())
    return values[0] if len(values) == 1 else " ".join(value for value in values if value)


def _whole(fields: Mapping[str, Any]) -> str:
    parts = [fields.get("given_name", ""), fields.get("family_name", "")]
    if fields.get("name_order") == "family_first":
        parts.reverse()
    return " ".join(part for part in parts if part)


def _by_name(cells: Cells, fields: Sequence[tuple[str, str]]) -> dict[str, str]:
    return {name: text for field, name in fields if (text := _joined(cells, field))}


def _id(cells: Cells) -> UUID | None:
    text = _joined(cells, "id")
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise ValueRefused(
            f"id {text!r} is none of crmkit's; map the column to external:NAME instead"
        ) from None


def _permission(cells: Cells) -> FirstNamePermission | None:
    if not _joined(cells, "first_name_at"):
        return None
    at, by, how = (_joined(cells, f"first_name_{part}") for part in ("at", "by", "how"))
    try:
        return FirstNamePermission(at=datetime.fromisoformat(at), by=by, how=how)
    except ValueError as error:
        raise ValueRefused(f"permission to use the first name: {error}") from None


def _several(cell: str, kinds: tuple[type, ...]) -> list[Any]:
    """The members of a cell that is a list in JSON, as crmkit exports what has no other way to be told apart."""
    if not cell.startswith("["):
        return []
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        return []
    return found if isinstance(found, list) and all(isinstance(one, kinds) for one in found) else []


def _once(notes: Sequence[SaidNote]) -> tuple[SaidNote, ...]:
    """Return notes without the texts alone of those that are told whole as well."""
    whole = {one.text for one in notes if one.at is not None}
    return tuple(dict.fromkeys(one for one in notes if one.at is not None or one.text not in whole))


def _said(cells: Cells, name: str) -> tuple[Any, ...]:
    if name not in cells:
        return ()
    return tuple(dict.fromkeys(said(LISTS[name], one) for cell in cells[name] for one in _listed(cell, name)))


def _imported(word: SaidConsent) -> SaidConsent:
    return attrs.evolve(word, source=imported(word.source))


def _points(cell: str) -> list[Any]:
    found = _listed(cell, "points")
    if len(found) > 1000:
        raise ValueRefused("points must be a list of at most 1000 points")
    return found


def _listed(cell: str, name: str) -> list[Any]:
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError) as error:
        raise ValueRefused(f"{name} are no JSON: {error}") from None
    if not isinstance(found, list):
        raise ValueRefused(f"{name} must be a list in JSON, not {cell[:60]!r}")
    return found


def _oddities(contact: Contact) -> Iterator[str]:
    if odd := oddity(contact.name):
        yield f"name {contact.name!r} {odd}"
    for point in contact.points:
        if odd := oddity(point.value):
            yield f"{point.kind} {point.value!r} {odd}"


def truth(text: str, what: str) -> bool:
    """Return whether a cell says yes.

    Raises:
        ValueRefused: if it says neither yes nor no.
    """
    word = text.strip().casefold()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueRefused(f"{what} is {text!r}; write yes or no")


def day(text: str, forms: Sequence[str]) -> date:
    """Return the day that a cell names: in ISO 8601, with or without hyphens, or in one of the forms.

    Raises:
        ValueRefused: if it names none.
    """
    word = text.strip()
    for form in forms:
        try:
            return datetime.strptime(word, form).date()
        except ValueError:
            continue
    try:
        return date.fromisoformat(word) if len(word) <= 10 else datetime.fromisoformat(word).date()
    except ValueError:
        also = f", and {', '.join(forms)}," if forms else ""
        raise ValueRefused(
            f"date {text!r} is none; ISO 8601 such as 1980-02-29{also} is read: say others as 'dates' in the mapping"
        ) from None


def country_code(name: str) -> str:
    return _COUNTRIES.get(name.strip().casefold().rstrip("."), "")


#: Names under which address books write the countries whose codes are most often missing.
_COUNTRIES = {
    "usa": "US", "u.s.a": "US", "united states": "US", "united states of america": "US", "uk": "GB",
    "united kingdom": "GB", "great britain": "GB", "england": "GB", "scotland": "GB", "wales": "GB", "canada": "CA",
    "germany": "DE", "deutschland": "DE", "france": "FR", "austria": "AT", "österreich": "AT", "switzerland": "CH",
    "schweiz": "CH", "italy": "IT", "italia": "IT", "spain": "ES", "españa": "ES", "portugal": "PT", "brazil": "BR",
    "brasil": "BR", "netherlands": "NL", "nederland": "NL", "belgium": "BE", "ireland": "IE", "eire": "IE",
    "australia": "AU", "new zealand": "NZ", "philippines": "PH", "pilipinas": "PH", "vietnam": "VN", "việt nam": "VN",
    "georgia": "GE", "საქართველო": "GE", "poland": "PL", "polska": "PL", "denmark": "DK", "sweden": "SE",
    "norway": "NO", "finland": "FI", "japan": "JP", "india": "IN", "china": "CN", "mexico": "MX", "south africa": "ZA",
}  # fmt: skip
