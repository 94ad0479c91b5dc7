"""People as shops have them: misspelt, moved, half known, and some twice. Made up, the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import NamedTuple
from uuid import UUID

from crmkit import Contact, ContactPoint, PointKind
from crmkit.contacts import PostalAddress

_STARTS = "b br c ch d dr f g gr h j k kl l m n p r s sh st t tr v w z".split()
_VOWELS = "a e i o u a e ai ea ou".split()
_ENDS = "n r s l m t k ck nd rt x ng".split()
_ENDINGS = {"given": ("a", "ie", "o", "", "e"), "family": ("son", "er", "man", "ley", "", "ford", "s")}
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Person(NamedTuple):
    """A contact, and who it is in truth."""

    contact: Contact
    truth: int


class _Words:
    """Made-up words by rank; the frequent ones are drawn as often as those of a census."""

    def __init__(self, random: Random, size: int, endings: tuple[str, ...], power: float) -> None:
        words: dict[str, None] = {}
        while len(words) < size:
            syllables = random.randint(1, 2)
            stem = "".join(random.choice(_STARTS) + random.choice(_VOWELS) for _ in range(syllables))
            words[stem + random.choice(_ENDS) + random.choice(endings)] = None
        self.words, self.power = list(words), power

    def draw(self, random: Random) -> str:
        """Return a word, low ranks more often."""
        return self.words[int(len(self.words) * random.random() ** self.power)]


class Messy:
    """Makes people.

    Args:
        seed: other seeds make other people.
        typos: how likely a value of a duplicate is misspelt.
        double: how likely a person stands there again, and again after that.
    """

    def __init__(self, seed: int = 1, *, typos: float = 0.12, double: float = 0.2) -> None:
        self.random = Random(seed)
        self.typos, self.double = typos, double
        self.given = _Words(self.random, 4000, _ENDINGS["given"], 2.4)
        self.family = _Words(self.random, 60_000, _ENDINGS["family"], 2.5)
        self.streets = _Words(self.random, 8000, ("street", "road", "lane", "way"), 1.6)
        self.towns = _Words(self.random, 6000, ("ton", "ham", "ville", "field"), 2.0)

    def people(self, number: int) -> Iterator[Person]:
        """Yield so many contacts, duplicates among them, in the order of their ids."""
        made = truth = 0
        waiting: list[tuple[int, dict[str, str], int]] = []  # duplicates that come later
        while made < number:
            if waiting and waiting[0][0] <= made:
                _, values, whose = waiting.pop(0)
                values = self._again(values)
            else:
                truth += 1
                values, whose = self._new(), truth
            if self.random.random() < self.double and len(waiting) < 1000:
                waiting.append((made + len(waiting) + self.random.randint(1, 50), values, whose))
            made += 1
            yield Person(self._contact(made, values), whose)

    def _new(self) -> dict[str, str]:
        draw = self.random
        given, family = self.given.draw(draw), self.family.draw(draw)
        town = self.towns.draw(draw)
        values = {"given": given, "family": family} | self._address(town)
        if draw.random() < 0.7:
            values["birth"] = str(date(1935, 1, 1) + timedelta(days=draw.randrange(27_000)))
        if draw.random() < 0.75:
            values["email"] = self._email(given, family)
        if draw.random() < 0.65:
            values["phone"] = f"+4477{draw.randrange(10**8):08d}"
        return values

    def _email(self, given: str, family: str) -> str:
        where = self.random.choice(("mail.example", "post.example", "web.example", f"{family}.example"))
        return f"{given}.{family}{self.random.randrange(300)}@{where}"

    def _address(self, town: str) -> dict[str, str]:
        street, number = self.streets.draw(self.random), str(self.random.randint(1, 180))
        area = sum(map(ord, town)) * 7919 % 9000 + 10_000
        postcode = str(area * 5 + self.random.randrange(5))
        return {
            "street": f"{number} {street}",
            "town": town,
            "postcode": postcode,
            "region": town[:1].upper(),
        }

    def _again(self, values: dict[str, str]) -> dict[str, str]:
        """Return the same person as somebody else took it down."""
        draw = self.random
        values = dict(values)
        if draw.random() < 0.12:
            values |= self._address(self.towns.draw(draw))
        if draw.random() < 0.04:
            values["given"], values["family"] = values["family"], values["given"]
        if draw.random() < 0.05:
            values["family"] = self.family.draw(draw)
        if draw.random() < 0.3:
            values["email"] = self._email(values["given"], values["family"])
        for name in ("given", "family", "street", "town", "email", "postcode", "birth"):
            if name in values and draw.random() < self.typos:
                values[name] = self._misspelt(values[name], name)
        for name in ("birth", "email", "phone", "street", "postcode"):
            if draw.random() < 0.12:
                values.pop(name, None)
        return values

    def _misspelt(self, text: str, name: str) -> str:
        draw = self.random
        if name == "birth":
            return str(date.fromisoformat(text) + timedelta(days=draw.choice((1, 9, 10, -1, 30, 365))))
        place = draw.randrange(max(len(text) - 6, 1) if name == "email" else len(text))
        letter = str(draw.randrange(10)) if name == "postcode" else draw.choice(_LETTERS)
        kind = draw.randrange(4)
        if kind == 0:
            return text[:place] + letter + text[place:]
        if kind == 1 and len(text) > 2:
            return text[:place] + text[place + 1 :]
        if kind == 2 and place + 1 < len(text):
            return text[:place] + text[place + 1] + text[place] + text[place + 2 :]
        return text[:place] + letter + text[place + 1 :]

    def _contact(self, number: int, values: dict[str, str]) -> Contact:
        points = []
        if email := values.get("email"):
            points.append(ContactPoint(PointKind.EMAIL, "", email, email))
        if phone := values.get("phone"):
            points.append(ContactPoint(PointKind.PHONE, "", phone, phone))
        parts = PostalAddress(
            street=values.get("street", ""),
            locality=values["town"],
            region=values["region"],
            postcode=values.get("postcode", ""),
            country="GB",
        )
        lines = parts.lines()
        # each address is the contact's own, so that two may write the same
        points.append(ContactPoint(PointKind.POSTAL, "GB", f"{number:064x}", lines, parts=parts))
        given, family = values["given"].title(), values["family"].title()
        return Contact(
            id=UUID(int=number),
            name=f"{given} {family}",
            given_name=given,
            family_name=family,
            birth_date=values.get("birth"),
            points=points,
        )
