"""From a vCard to what it says of a contact."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Any
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from crmkit.contacts import ContactPoint, PointKind
from crmkit.errors import ValueRefused
from crmkit.exchange.build import Builder, day
from crmkit.exchange.cards import Card, Property
from crmkit.exchange.cards_out import PRODID
from crmkit.exchange.documents import FIELDS
from crmkit.exchange.incoming import Incoming, Rejected
from crmkit.exchange.said import SaidFact, SaidRelation

#: What says nothing of a contact that is kept; everything else that is not taken is counted as ignored.
_SILENT = frozenset("VERSION PRODID REV X-ABADR X-ABLABEL N FN KIND LABEL CLASS MAILER".split())
_ABOUT = frozenset("VOICE MSG INTERNET PREF POSTAL PARCEL DOM INTL TEXT VIDEO X400".lower().split())
_MESSENGERS = frozenset("AIM ICQ SKYPE JABBER MSN YAHOO GOOGLE-TALK GADUGADU QQ TWITTER".split())
_RELATIVES = {"X-MS-SPOUSE": "spouse", "X-SPOUSE": "spouse", "X-MS-MANAGER": "manager", "X-MANAGER": "manager",
              "X-MS-ASSISTANT": "assistant", "X-ASSISTANT": "assistant", "X-MS-CHILD": "child"}  # fmt: skip
_ANNIVERSARIES = frozenset("ANNIVERSARY X-ANNIVERSARY X-MS-ANNIVERSARY X-EVOLUTION-ANNIVERSARY".split())
_DAY = re.compile(r"^(\d{4})-?(\d\d)-?(\d\d)(?:T.*)?$")
_PARTIAL = re.compile(r"^(--|\d{4}(-\d\d)?$|\d{4}-$|---)")
_LOSSY = frozenset(("ADR", "IMPP"))
OWN = "X-CRMKIT-"  #: what only crmkit writes and reads


@attrs.define
class CardReader:
    """Makes of cards what they say of contacts.

    Args:
        builder: made for the file's mapping; its `keep_bad` is meant for address books.
        left_out: what was left out on purpose so far, by property.
        ignored: properties that are not taken, by name.
    """

    builder: Builder
    left_out: Counter[str] = attrs.field(factory=Counter)
    ignored: Counter[str] = attrs.field(factory=Counter)

    def read(self, card: Card) -> Incoming | Rejected:
        """Return what a card says, or why it cannot be taken."""
        self.left_out += card.left_out
        if card.fault:
            return Rejected(card.line, card.fault, card.raw)
        try:
            return self._read(card)
        except ValueRefused as error:
            return Rejected(card.line, str(error), card.raw)

    def _read(self, card: Card) -> Incoming:
        said = _Said(card, self.builder)
        for one in card.properties:
            if not said.take(one):
                counter = self.left_out if one.name == "BDAY" else self.ignored
                counter["partial date" if one.name == "BDAY" else one.name] += 1
        return said.incoming()


class _Said:
    """What the properties of one card come to."""

    def __init__(self, card: Card, builder: Builder) -> None:
        self._card = card
        self._exact = any(one.name == "PRODID" and one.value == PRODID for one in card.properties)
        columns = attrs.evolve(builder.columns, exact=True) if self._exact else builder.columns
        self._builder = attrs.evolve(builder, columns=columns)
        self._labels = {
            one.group: _label(one.text()) for one in card.properties if one.name == "X-ABLABEL" and one.group
        }
        self.cells: dict[str, list[str]] = {}
        self.points: list[tuple[int, ContactPoint]] = []  # with what its PREF says, 101 for nothing
        self.relations: list[SaidRelation] = []
        self.facts: list[SaidFact] = []
        self.locale = (102, "")

    def take(self, one: Property) -> bool:
        """Take a property; return whether anything was made of it."""
        name = one.name
        if self._exact and name in _LOSSY:  # X-CRMKIT-POINTS says the same, and all of it
            return True
        taker: Callable[[Property], bool] | None = _TAKERS.get(name)
        if taker is not None:
            return taker(self, one)  # type: ignore[call-arg, arg-type]
        if name in _SILENT:
            return True
        if name in _ANNIVERSARIES:
            return self._dated(one, "anniversary")
        if name in _RELATIVES:
            return self._related(_RELATIVES[name], one.text())
        if name.startswith(OWN):
            return self._own(one)
        messenger = name.removeprefix("X-")
        return name.startswith("X-") and messenger in _MESSENGERS and self._handle(one, messenger, one.text())

    def incoming(self) -> Incoming:
        """Return what the card says.

        Raises:
            ValueRefused: if a value is refused.
        """
        self._names()
        if self.locale[1]:
            self.cells.setdefault("locale", [self.locale[1]])
        made = self._builder.build(self.cells, self._card.line, self._card.raw, self._points())
        relations = dict.fromkeys([*made.relations, *self.relations])
        return attrs.evolve(made, relations=tuple(relations), facts=tuple(dict.fromkeys(self.facts)))

    def _names(self) -> None:
        found = {one.name: one for one in reversed(self._card.properties) if one.name in ("N", "FN", "KIND")}
        if "N" in found:
            parts = found["N"].parts() if self._exact else [part.strip() for part in found["N"].parts()]
            family, given, middle, prefix, suffix = (parts + [""] * 5)[:5]
            whole = " ".join(part for part in (given, middle, family, suffix) if part)
            self._set(
                family_name=family, given_name=given, honorific=prefix, name="" if self._exact else whole
            )
        if "FN" in found and (text := found["FN"].text()).strip():
            self.cells["name"] = [text if self._exact else text.strip()]
        if "KIND" in found and found["KIND"].text().strip().lower() in ("org", "organization"):
            self.cells["kind"] = ["organisation"]

    def _points(self) -> tuple[ContactPoint, ...]:
        first: dict[PointKind, tuple[int, int]] = {}
        for place, (rank, point) in enumerate(self.points):
            if rank <= 100:
                first[point.kind] = min(first.get(point.kind, (rank, place)), (rank, place))
        primary = {place for _, place in first.values()}
        return tuple(point.with_(primary=place in primary) for place, (_, point) in enumerate(self.points))

    def _set(self, **cells: str) -> None:
        for name, text in cells.items():
            if text and name not in self.cells:
                self.cells[name] = [text]

    def _own(self, one: Property) -> bool:
        name = one.name.removeprefix(OWN).lower().replace("-", "_")
        if name == "field":
            name = f"field:{one.parameters.get('X-NAME', ('?',))[0]}"
        elif name not in (*FIELDS, "points"):
            return name == "rejected"
        self.cells[name] = [one.text()]
        return True

    def _point(self, one: Property, kind: str, value: str, label: str | None = None) -> bool:
        """Add a point; what is none is kept as a note if the builder is told so."""
        label = self._label(one) if label is None else label
        try:
            point = self._builder.point(kind, label, value)
        except ValueRefused as error:
            if not self._builder.keep_bad:
                raise
            self.cells.setdefault("note", []).append(
                f"{kind} {label}: {value}".replace(" :", ":") + f" ({error})"[:400]
            )
            return True
        self.points.append((_preference(one), point))
        return True

    def _label(self, one: Property) -> str:
        if one.group in self._labels:
            return self._labels[one.group]
        words = ["mobile" if word == "cell" else word for word in one.types if word not in _ABOUT]
        return " ".join(dict.fromkeys(words))[:60]

    def _email(self, one: Property) -> bool:
        return self._point(one, "email", one.text().strip().removeprefix("mailto:"))

    def _phone(self, one: Property) -> bool:
        text, _, extension = one.text().strip().partition(";ext=")
        label = " ".join(
            part for part in (self._label(one), f"ext. {extension}" if extension else "") if part
        )
        return self._point(one, "phone", text, label[:60])

    def _address(self, one: Property) -> bool:
        parts = [part.strip() for part in one.parts()] + [""] * 7
        names = ("box", "extended", "street", "locality", "region", "postcode", "country")
        named = dict(zip(names, parts, strict=False))
        if not any(value for value in named.values()):
            return True
        point = self._builder.address(named, self._label(one))
        if point is not None:
            self.points.append((_preference(one), point))
        return point is not None

    def _instant_message(self, one: Property) -> bool:
        network, _, name = one.text().strip().partition(":")
        service = one.parameters.get("X-SERVICE-TYPE", (network,))[0]
        return self._handle(one, service, name) if name else self._handle(one, "im", network)

    def _messenger(self, one: Property) -> bool:
        return self._handle(one, "im", one.text())

    def _profile(self, one: Property) -> bool:
        network = one.types[0] if one.types else "web"
        user = one.parameters.get("X-USER", ("",))[0]
        return self._handle(
            one, network, user or unquote(urlsplit(one.text()).path.strip("/").rpartition("/")[2])
        )

    def _handle(self, one: Property, network: str, name: str) -> bool:
        if not name.strip():
            return False
        try:
            point = self._builder.point("handle", network.lower(), unquote(name.strip()))
        except ValueRefused:
            return False
        self.points.append((_preference(one), point))
        return True

    def _uid(self, one: Property) -> bool:
        text = one.text().strip()
        if self._exact:
            self.cells["id"] = [text.removeprefix("urn:uuid:")]
            return True
        if not text:
            return False
        self.points.append((101, self._builder.point("external", "vcard", text[:255])))
        return True

    def _organisation(self, one: Property) -> bool:
        parts = [part.strip() for part in one.parts() if part.strip()]
        if not parts:
            return False
        if self._exact:
            return self._related("employer", parts[0])
        known = any(other.name in ("N", "FN") and other.value.strip(" ;") for other in self._card.properties)
        if known and "organisation" in self.cells:
            return self._related("employer", parts[0])
        self._set(organisation=parts[0])
        if known and len(parts) > 1:
            self._fact(f"department: {', '.join(parts[1:])}")
        return True

    def _title(self, one: Property) -> bool:
        text = one.text().strip()
        if text:
            self._fact(f"job title: {text}")
        return bool(text)

    def _nickname(self, one: Property) -> bool:
        for name in filter(None, one.parts(",")):
            self._fact(f"nickname: {name}")
        return True

    def _fact(self, text: str, on: date | None = None) -> None:
        self.facts.append(SaidFact(text=text[:500], on=on, source=self._builder.columns.origin))

    def _birthday(self, one: Property) -> bool:
        found = _day(one)
        if found is None:
            return False
        self._set(birth_date=found.isoformat())
        return True

    def _dated(self, one: Property, what: str) -> bool:
        on = _day(one)
        self._fact(what if on else f"{what}: {one.text()}", on)
        return True

    def _own_date(self, one: Property) -> bool:
        return self._dated(one, self._labels.get(one.group, "date"))

    def _relative(self, one: Property) -> bool:
        label = self._labels.get(one.group) or next(
            (word for word in one.types if word not in _ABOUT), "related"
        )
        kind = "relative" if label == "kin" else label
        if self._exact and one.parameters.get("VALUE") != ("text",):
            self.relations.append(SaidRelation(kind=kind, contact=one.text().removeprefix("urn:uuid:")))
            return True
        is_link = one.text().strip().startswith(("urn:", "http:", "https:"))
        return (self._exact or not is_link) and self._related(kind, one.text())

    def _related(self, kind: str, name: str) -> bool:
        if not name.strip():
            return False
        origin = self._builder.columns.origin
        self.relations.append(SaidRelation(kind=kind[:60], name=name.strip()[:300], source=origin))
        return True

    def _note(self, one: Property) -> bool:
        if one.value.strip():
            self.cells.setdefault("note", []).append(json.dumps([one.text()]))
        return True

    def _tags(self, one: Property) -> bool:
        self.cells.setdefault("tags", []).append(json.dumps(one.parts(",")))
        return True

    def _gender(self, one: Property) -> bool:
        sex = one.parts()[0].strip() if one.value else ""
        self._set(
            gender={"M": "m", "F": "f", "O": "x"}.get(sex.upper(), "" if sex.upper() in ("N", "U") else sex)
        )
        return True

    def _language(self, one: Property) -> bool:
        rank = _preference(one)
        if rank < self.locale[0]:
            self.locale = (rank, one.text().strip()[:35])
        return True

    def _zone(self, one: Property) -> bool:
        try:
            ZoneInfo(one.text().strip())
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return False
        self._set(zone=one.text().strip())
        return True


_TAKERS: dict[str, Any] = {
    "EMAIL": _Said._email, "TEL": _Said._phone, "ADR": _Said._address, "IMPP": _Said._instant_message,
    "X-SOCIALPROFILE": _Said._profile, "SOCIALPROFILE": _Said._profile, "X-MS-IMADDRESS": _Said._messenger,
    "UID": _Said._uid, "ORG": _Said._organisation, "TITLE": _Said._title, "NICKNAME": _Said._nickname,
    "BDAY": _Said._birthday, "X-ABDATE": _Said._own_date, "X-ABRELATEDNAMES": _Said._relative,
    "RELATED": _Said._relative, "NOTE": _Said._note, "CATEGORIES": _Said._tags, "GENDER": _Said._gender,
    "LANG": _Said._language, "TZ": _Said._zone, "X-MS-TEL": _Said._phone,
}  # fmt: skip


def _preference(one: Property) -> int:
    """What a property says of being preferred: 1 to 100, 101 if nothing."""
    if "pref" in one.types or "1" in one.parameters.get("PREF", ()):
        return 1
    number = one.parameters.get("PREF", ("",))[0]
    return int(number) if number.isdecimal() and 1 <= int(number) <= 100 else 101


def _label(text: str) -> str:
    found = re.fullmatch(r"_\$!<(.*)>!\$_", text.strip())
    return (found[1] if found else text.strip()).lower()[:60]


def _day(one: Property) -> date | None:
    text = one.text().strip()
    omitted = one.parameters.get("X-APPLE-OMIT-YEAR", ("",))[0]
    found = _DAY.match(text)
    if not found or _PARTIAL.match(text) or (omitted and text.startswith(omitted)):
        return None
    try:
        return day("-".join(found.groups()), ())
    except ValueRefused:
        return None


def read_all(cards: Iterable[Card], reader: CardReader) -> Iterator[Incoming | Rejected]:
    """Yield for each card what it says, or why it cannot be taken."""
    return map(reader.read, cards)
