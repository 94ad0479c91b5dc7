"""Greetings: how a contact is addressed in a letter, a mail or a chat, in its own language.

Nobody is called by the first name without a `FirstNamePermission`. A `Greeting` of a locale cannot break that: it is
given an `Addressee`, which holds the given name and the whole name only where they may be used.

Customs, and where they were looked up:

- English: honorific and family name; where none is known a greeting without a name.
- Filipino: "po" makes an utterance polite; G. (Ginoo), Gng. (Ginang, married), Bb. (Binibini, unmarried) stand before
  the family name. https://en.wikipedia.org/wiki/Filipino_styles_and_honorifics
- Georgian: batono and kalbatono (the vocatives of "master" and "lady") stand before the first name, less often
  before the family name, or alone. F. Braun, Terms of Address, de Gruyter 1988, pages 106-113. So without the
  permission the family name takes that place, and where it is unknown they stand alone.
- Vietnamese: the family name stands first, and people are addressed by the last part of their name with a pronoun,
  anh or chị, formally ông or bà. https://vietnam-culture.com/articles-118-17/Addressing-Vietnamese.aspx
  A family name alone names half the country, so without the permission a customer is "Quý khách"; those whose own
  name order has the given name first are addressed by honorific and family name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from unicodedata import category, normalize

import attrs

from crmkit.contacts import Contact, ContactKind, Formality, NameOrder, PointKind
from crmkit.errors import ValueRefused
from crmkit.text import clean


class Medium(StrEnum):
    """How much room and ceremony a channel has."""

    LETTER = "letter"
    MAIL = "mail"
    CHAT = "chat"


_MEDIA = {
    "letter": Medium.LETTER,
    "post": Medium.LETTER,
    "postal": Medium.LETTER,
    "email": Medium.MAIL,
    "mail": Medium.MAIL,
}
_MEDIA_OF_POINTS = {PointKind.POSTAL: Medium.LETTER, PointKind.EMAIL: Medium.MAIL}


class Title(StrEnum):
    """What an honorific says, whatever language it is written in."""

    UNKNOWN = ""
    MR = "mr"
    MS = "ms"
    MRS = "mrs"
    MISS = "miss"


_TITLES = {
    Title.MR: "mr mister sir ginoo ginoong g ბატონი ბატონო ბ-ნი ბ-ნო ông anh",
    Title.MS: "ms madam ქალბატონი ქალბატონო ქ-ნი ქ-ნო bà chị",
    Title.MRS: "mrs ginang gng",
    Title.MISS: "miss binibini binibining bb cô",
}
_TITLE_OF = {word: title for title, words in _TITLES.items() for word in words.split()}
_TITLE_OF_GENDER = {"m": Title.MR, "male": Title.MR, "f": Title.MS, "female": Title.MS}


@attrs.frozen(kw_only=True)
class Addressee:
    """What a greeting may know of a contact: the given name is there only where it may be used.

    Args:
        title: what the honorific says; from the gender where there is none.
        honorific: as the contact wishes it: "Dr", "Ms"; or empty.
        family: the family name; or empty.
        given: the given name, with the permission to use it; else empty.
        full: the whole name in the contact's own order, with that permission; of an organisation its name.
        formality: how the contact wishes to be spoken to.
        organisation: whether it is one.
        family_first: whether the contact's own name order has the family name first; None if it is unknown.
    """

    title: Title = Title.UNKNOWN
    honorific: str = ""
    family: str = ""
    given: str = ""
    full: str = ""
    formality: Formality = Formality.UNKNOWN
    organisation: bool = False
    family_first: bool | None = None

    @property
    def by_first_name(self) -> bool:
        """Whether to greet by the given name: it may be used, and the contact does not wish to be formal."""
        return bool(self.given) and self.formality is not Formality.FORMAL


def _locale(value: str) -> str:
    return clean(value, "locale of a greeting", limit=35, empty=False).replace("_", "-").lower()


@attrs.frozen
class Greeting:
    """How people are greeted in one locale.

    Args:
        locale: BCP 47 tag: "en" serves "en-GB" as well, where that has none of its own.
        greet: called with an addressee and the medium; returns the greeting with its punctuation.
    """

    locale: str = attrs.field(converter=_locale)
    greet: Callable[[Addressee, Medium], str] = attrs.field(hash=False)


def greeting(
    contact: Contact,
    channel: str | Medium | PointKind = Medium.MAIL,
    locale: str = "",
    *,
    greetings: Mapping[str, Greeting] | None = None,
) -> str:
    """Return how to greet a contact, with the punctuation of the language.

    Args:
        contact: who is greeted.
        channel: "letter", "email", or any other channel, where greetings are short; or what it writes to.
        locale: the language to greet in; by default the contact's own, and English where that is unknown.
        greetings: by locale; by default those of the core.

    Raises:
        ValueRefused: if a locale's own code answers anything but a text.
    """
    known = BUILT_IN if greetings is None else greetings
    tag = (locale or contact.locale or "en").replace("_", "-").lower()
    while tag and tag not in known:
        tag = tag.rpartition("-")[0]
    chosen = known.get(tag) or known["en"]
    said: object = chosen.greet(addressee(contact), medium_of(channel))
    if not isinstance(said, str) or not said.strip():
        raise ValueRefused(
            f"the greeting of the locale {chosen.locale!r} answered {said!r}; it must be a text"
        )
    return clean(" ".join(said.split()), "greeting", limit=1000)


def medium_of(channel: str | Medium | PointKind) -> Medium:
    """Return the medium of a channel, by its name or by the kind of points that it writes to."""
    if isinstance(channel, Medium):
        return channel
    if isinstance(channel, PointKind):
        return _MEDIA_OF_POINTS.get(channel, Medium.CHAT)
    return _MEDIA.get(channel.lower(), Medium.CHAT)


def addressee(contact: Contact) -> Addressee:
    """Return what a greeting may know of a contact.

    Without the permission nothing of the given name is there, not even where it is a part of another field: somebody
    whose family name is the given name, too, is greeted without a name.
    """
    permitted = contact.first_name is not None
    secret = set() if permitted else _words(contact.given_name)

    def open_(value: str) -> str:
        return "" if secret & _words(value) else " ".join(value.split())

    organisation = contact.kind is ContactKind.ORGANISATION
    honorific = open_(contact.honorific)
    return Addressee(
        title=_title(honorific, contact.gender),
        honorific=honorific,
        family=open_(contact.family_name),
        given=contact.given_name.strip() if permitted else "",
        full=open_(contact.name) if organisation else (_full(contact) if permitted else ""),
        formality=contact.formality,
        organisation=organisation,
        family_first=_family_first(contact),
    )


def _words(name: str) -> set[str]:
    """Return the words of a name, folded, without accents and what does not show.

    A hyphen, an apostrophe and a capital within a word part it as well, so that no half of a double name slips through.
    """
    plain = "".join(char for char in normalize("NFKD", name) if category(char) not in ("Mn", "Cf"))
    parted = "".join(
        f" {char}" if char.isupper() and before.islower() else char
        for before, char in zip(" " + plain, plain, strict=False)
    )
    found: set[str] = set()
    for text in (plain.casefold(), parted.casefold()):
        found |= {*text.split(), *"".join(char if char.isalnum() else " " for char in text).split()}
        found |= {*"".join(char if char.isalnum() or char in "'’" else " " for char in text).split()}
    return found


def _title(honorific: str, gender: str) -> Title:
    if honorific:
        return _TITLE_OF.get(honorific.casefold().rstrip("."), Title.UNKNOWN)
    return _TITLE_OF_GENDER.get(gender.casefold(), Title.UNKNOWN)


def _family_first(contact: Contact) -> bool | None:
    if contact.name_order is NameOrder.UNKNOWN:
        return None
    return contact.name_order is NameOrder.FAMILY_FIRST


def _full(contact: Contact) -> str:
    parts = [contact.given_name, contact.family_name]
    if contact.name and contact.name_order is NameOrder.UNKNOWN:
        return " ".join(contact.name.split())
    if contact.name_order is NameOrder.FAMILY_FIRST:
        parts.reverse()
    return " ".join(part.strip() for part in parts if part.strip()) or " ".join(contact.name.split())


def _english(who: Addressee, medium: Medium) -> str:
    if who.by_first_name:
        is_casual = who.formality is Formality.INFORMAL or medium is Medium.CHAT
        return f"{'Hi' if is_casual else 'Dear'} {who.given},"
    word = "Hello" if medium is Medium.CHAT else "Dear"
    honorific = who.honorific or {Title.MR: "Mr", Title.MS: "Ms"}.get(who.title, "")
    if not who.organisation and honorific and who.family:
        return f"{word} {honorific} {who.family},"
    if who.full:
        return f"{word} {who.full},"
    return "Hello," if medium is Medium.CHAT else "Dear customer,"


_FILIPINO = {Title.MR: "G.", Title.MS: "Ms.", Title.MRS: "Gng.", Title.MISS: "Bb."}


def _filipino(who: Addressee, medium: Medium) -> str:
    day = "Magandang araw po"
    if who.by_first_name:
        if who.formality is Formality.INFORMAL:
            return f"Kumusta, {who.given}!"
        return f"{day}, {who.given}!" if medium is Medium.CHAT else f"Mahal na {who.given},"
    honorific = _FILIPINO.get(who.title) or who.honorific
    if not who.organisation and honorific and who.family:
        named = f"{honorific} {who.family}"
        return f"{day}, {named}." if medium is Medium.CHAT else f"Mahal na {named},"
    if who.full:
        return f"{day}, {who.full}."
    return "Mahal naming kostumer," if medium is Medium.LETTER else f"{day}."


_GEORGIAN = {
    Title.MR: "ბატონო",
    Title.MS: "ქალბატონო",
    Title.MRS: "ქალბატონო",
    Title.MISS: "ქალბატონო",
}


def _georgian(who: Addressee, medium: Medium) -> str:
    if who.by_first_name and who.formality is Formality.INFORMAL:
        return f"გამარჯობა, {who.given}!"
    honorific = _GEORGIAN.get(who.title) or who.honorific
    if not who.organisation and honorific:
        # with the permission the first name, which custom asks for, however formal it is
        named = " ".join(part for part in (honorific, who.given or who.family) if part)
        return f"{named}!" if medium is Medium.CHAT else f"პატივცემულო {named},"
    if who.by_first_name:
        return f"გამარჯობა, {who.given}!" if medium is Medium.CHAT else f"ძვირფასო {who.given},"
    if who.full:
        return f"მოგესალმებით, {who.full}!"
    if medium is Medium.LETTER:
        return "პატივცემულო მომხმარებელო,"
    return "მოგესალმებით," if medium is Medium.MAIL else "გამარჯობა!"


_VIETNAMESE = {
    Title.MR: ("Ông", "anh"),
    Title.MS: ("Bà", "chị"),
    Title.MRS: ("Bà", "chị"),
    Title.MISS: ("Cô", "chị"),
}


def _vietnamese(who: Addressee, medium: Medium) -> str:
    formal, informal = _VIETNAMESE.get(who.title, (who.honorific, who.honorific))
    dear = "Chào" if medium is Medium.CHAT else "Kính gửi"
    if who.by_first_name and (who.formality is Formality.INFORMAL or medium is Medium.CHAT):
        return " ".join(part for part in ("Chào", informal, _called(who)) if part) + ","
    if who.organisation:
        return f"{dear} {who.full or 'Quý công ty'},"
    if who.given:  # also formally: the family name alone names nobody
        return f"{dear} {formal or 'Quý khách'} {_called(who)},"
    if who.family_first is False and formal and who.family:
        return f"{dear} {formal} {who.family},"
    return f"{dear} Quý khách,"


def _called(who: Addressee) -> str:
    """Return the part of a given name by which a Vietnamese is called: the last, unless the name is a foreign one."""
    return who.given if who.family_first is False else who.given.split()[-1]


def merged(greetings: Iterable[Greeting]) -> Mapping[str, Greeting]:
    """Return the core's greetings and others, which win over them, by locale."""
    return MappingProxyType({**BUILT_IN, **{one.locale: one for one in greetings}})


#: The greetings of the core, by locale.
BUILT_IN: Mapping[str, Greeting] = MappingProxyType(
    {
        one.locale: one
        for one in (
            Greeting("en", _english),
            Greeting("fil", _filipino),
            Greeting("tl", _filipino),
            Greeting("ka", _georgian),
            Greeting("vi", _vietnamese),
        )
    }
)
