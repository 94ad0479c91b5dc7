"""The eighty laws of loyalty as named objects; `docs/reference/laws.md` lists them with the tests that hold them."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files

import attrs

from crmkit.errors import NotFound
from crmkit.settings import did_you_mean
from crmkit.testing.laws import LawBroken


@attrs.frozen
class LoyaltyLaw:
    """A law that holds for every programme, whatever its rules.

    Args:
        number: never given to another law.
        name: `family.law`, such as "refund.partition".
        sentence: the law itself.
        bugs: public reports of other systems that break it, as `owner/name#number` where that is known.
    """

    number: int
    name: str
    sentence: str
    bugs: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """What the law is about: the first word of its name."""
        return self.name.partition(".")[0]

    def check(self, what: str, found: object, expected: object) -> None:
        """Compare the two sides of the law.

        Args:
            what: what is compared, in words.
            found: what was seen.
            expected: what the law asks for.

        Raises:
            LawBroken: if they differ.
        """
        if found != expected:
            raise LawBroken(
                self.number,
                self.sentence,
                subject=what,
                expected=repr(expected),
                found=repr(found),
                hint=f"docs/reference/laws.md, {self.name}",
            )


@cache
def _catalogue() -> tuple[LoyaltyLaw, ...]:
    text = (files("crmkit.testing") / "laws.toml").read_text(encoding="utf-8")
    return tuple(
        LoyaltyLaw(int(number), law["name"], law["says"], tuple(law.get("bugs", ())))
        for number, law in tomllib.loads(text).items()
    )


def loyalty_law(number: int) -> LoyaltyLaw:
    """Return the law with a number.

    Args:
        number: from 1 to 80.

    Raises:
        NotFound: if there is none.
    """
    return loyalty_laws(str(number))[0]


@cache
def loyalty_laws(wanted: str = "*") -> tuple[LoyaltyLaw, ...]:
    """Return laws of loyalty, by number.

    Args:
        wanted: names, families or numbers with commas between them; `*` stands for anything: "refund.*,36".

    Raises:
        NotFound: if a part of it names no law.
    """
    found: set[LoyaltyLaw] = set()
    for part in filter(None, map(str.strip, wanted.split(","))):
        named = {law for law in _catalogue() if _is_named(law, part)}
        if not named:
            known = list({law.name if "." in part else law.family for law in _catalogue()})
            raise NotFound(f"no law of loyalty is named {part!r}{did_you_mean(part, known)}")
        found |= named
    return tuple(sorted(found, key=lambda law: law.number))


def _is_named(law: LoyaltyLaw, part: str) -> bool:
    return part in (str(law.number), law.family) or fnmatchcase(law.name, part)
