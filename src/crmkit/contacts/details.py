"""What is known about a contact besides its fields and points: frozen values."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

import attrs

from crmkit.clock import instant
from crmkit.contacts.contact import NAME_LIMIT
from crmkit.errors import ValueRefused
from crmkit.text import clean

TAG_LIMIT = 100
NOTE_LIMIT = 100_000
ANSWERS_LIMIT = 50


class NoteKind(StrEnum):
    """What a note is about."""

    NOTE = "note"
    CALL = "call"
    INTERVIEW = "interview"


class PreferenceKind(StrEnum):
    """What a contact has a preference about."""

    TOPIC = "topic"
    PRODUCT = "product"
    CHANNEL = "channel"
    LANGUAGE = "language"


class Liking(StrEnum):
    """Which way a preference goes."""

    LIKES = "likes"
    DISLIKES = "dislikes"


class Privacy(StrEnum):
    """How carefully a personal fact is to be handled."""

    ORDINARY = "ordinary"
    CONFIDENTIAL = "confidential"  #: told in trust: not for every member of staff
    SPECIAL = "special"  #: a special category in the law's sense: health, belief, origin


#: What the other side of a relation is called; any other kind may be used as well.
INVERSES = {
    "parent": "child",
    "child": "parent",
    "spouse": "spouse",
    "partner": "partner",
    "sibling": "sibling",
    "relative": "relative",
    "guardian": "ward",
    "ward": "guardian",
    "friend": "friend",
    "employer": "employee",
    "employee": "employer",
    "manager": "report",
    "report": "manager",
    "colleague": "colleague",
    "referrer": "referred",
    "referred": "referrer",
    "supplier": "customer",
    "customer": "supplier",
}


def tag_of(value: str) -> str:
    """Return a tag as it is kept: its case folded, single spaces.

    Raises:
        ValueRefused: if it is empty, too long or cannot be stored.
    """
    folded = " ".join(clean(value, "tag", limit=TAG_LIMIT).casefold().split())
    return clean(folded, "tag", limit=TAG_LIMIT, empty=False)


def day(value: date | str | None, what: str) -> date | None:
    """Return a calendar day, or None for none.

    Args:
        value: a date, its ISO 8601 text, or nothing.
        what: what the day is, for the error message.

    Raises:
        ValueRefused: if it is no day.
    """
    if value is None or value == "":
        return None
    if isinstance(value, datetime) or not isinstance(value, (date, str)):
        raise ValueRefused(f"{what} is {value!r}; it must be a date such as 2026-09-01")
    try:
        return (
            date.fromisoformat(value) if isinstance(value, str) else date(value.year, value.month, value.day)
        )
    except ValueError:
        raise ValueRefused(f"{what} {value!r} is no date such as 2026-09-01") from None


def one_of(kinds: type[StrEnum], value: str, what: str) -> str:
    """Return `value` as a member of an enum.

    Args:
        kinds: the enum.
        value: a member, or its text.
        what: what it is, for the error message.

    Raises:
        ValueRefused: if there is no such member; the message names them all.
    """
    try:
        return kinds(value)
    except ValueError:
        known = ", ".join(member.value for member in kinds)
        raise ValueRefused(f"{what} is {value!r}; it must be one of {known}") from None


def answers(values: Iterable[str]) -> tuple[str, ...]:
    """Return the answers of an interview, cleaned; one text counts as one answer."""
    found = (values,) if isinstance(values, str) else tuple(values)
    if len(found) > ANSWERS_LIMIT:
        raise ValueRefused(f"an interview keeps at most {ANSWERS_LIMIT} answers of a sort, not {len(found)}")
    return tuple(clean(one, "answer", limit=1000, multiline=True, empty=False) for one in found)


def _text(value: str) -> str:
    return clean(value, "text of a note", limit=NOTE_LIMIT, multiline=True)


def _note_kind(value: str) -> NoteKind:
    return NoteKind(one_of(NoteKind, value, "kind of a note"))


def _source(value: str) -> str:
    return clean(value, "source", limit=100)


def _moment(value: datetime) -> datetime:
    return instant(value, "instant of a note")


@attrs.frozen(kw_only=True)
class Note:
    """What somebody wrote down about a contact, as it stands or in an earlier version.

    Args:
        id: the note's id, the same for every version.
        number: the version, counted from 1.
        contact_id: whom it was written about.
        kind: note, call or interview.
        text: the words.
        needs: of an interview: what the contact needs.
        wanted: of an interview: what the contact would like to know.
        strengths: of an interview: what the contact finds good about the shop.
        weaknesses: of an interview: what the contact finds bad about it.
        about_id: the event, order or other thing it is about, if any.
        author: who wrote this version, as an actor.
        noted_at: when what it tells happened.
        written_at: when this version was written.
    """

    id: UUID
    number: int = 1
    contact_id: UUID
    kind: NoteKind = attrs.field(default=NoteKind.NOTE, converter=_note_kind)
    text: str = attrs.field(default="", converter=_text)
    needs: tuple[str, ...] = attrs.field(default=(), converter=answers)
    wanted: tuple[str, ...] = attrs.field(default=(), converter=answers)
    strengths: tuple[str, ...] = attrs.field(default=(), converter=answers)
    weaknesses: tuple[str, ...] = attrs.field(default=(), converter=answers)
    about_id: UUID | None = None
    author: str
    noted_at: datetime = attrs.field(converter=_moment)
    written_at: datetime

    def __attrs_post_init__(self) -> None:
        asked = self.needs or self.wanted or self.strengths or self.weaknesses
        if asked and self.kind is not NoteKind.INTERVIEW:
            raise ValueRefused(
                f"needs, wanted, strengths and weaknesses belong to an interview, not to a {self.kind}"
            )
        if not self.text.strip() and not asked:
            raise ValueRefused("a note needs a text, an interview at least one answer")


def _preference_kind(value: str) -> PreferenceKind:
    return PreferenceKind(one_of(PreferenceKind, value, "kind of a preference"))


def _preferred(value: str) -> str:
    return clean(value, "value of a preference", limit=200, empty=False)


def _liking(value: str) -> Liking:
    return Liking(one_of(Liking, value, "liking"))


def _per_cent(instance: object, attribute: attrs.Attribute[int], value: object) -> None:
    if type(value) is not int or not 0 <= value <= 100:
        raise ValueRefused(f"{attribute.name} is {value!r}; it must be a whole number from 0 to 100")


@attrs.frozen(kw_only=True)
class Preference:
    """What a contact likes or dislikes.

    Args:
        kind: topic, product, channel or language.
        value: which one.
        liking: likes or dislikes.
        source: how it is known: "asked", "orders"; or empty.
        confidence: how sure that is, 0 to 100.
        set_at: when it was last set.
    """

    kind: PreferenceKind = attrs.field(converter=_preference_kind)
    value: str = attrs.field(converter=_preferred)
    liking: Liking = attrs.field(default=Liking.LIKES, converter=_liking)
    source: str = attrs.field(default="", converter=_source)
    confidence: int = attrs.field(default=100, validator=_per_cent)
    set_at: datetime = attrs.field(eq=False)


def _relation_kind(value: str) -> str:
    folded = " ".join(clean(value, "kind of a relation", limit=60).casefold().split())
    return clean(folded, "kind of a relation", limit=60, empty=False)


def _other_name(value: str) -> str:
    return " ".join(clean(value, "name of the other side", limit=NAME_LIMIT).split())


def _began_on(value: date | str | None) -> date | None:
    return day(value, "began_on")


@attrs.frozen(kw_only=True)
class Relation:
    """How somebody stands to a contact: "the `kind` of this contact is `other`".

    Args:
        id: the relation's id, the same from both sides.
        kind: what the other side is to the contact: "parent", "employer", "referrer".
        other_id: the other side, if it is a contact.
        other_name: its name, if it is none.
        source: how it is known; or empty.
        began_on: since when, if known.
        ended_at: when it ended, or None.
    """

    id: UUID
    kind: str = attrs.field(converter=_relation_kind)
    other_id: UUID | None = None
    other_name: str = attrs.field(default="", converter=_other_name)
    source: str = attrs.field(default="", converter=_source)
    began_on: date | None = attrs.field(default=None, converter=_began_on)
    ended_at: datetime | None = None

    def __attrs_post_init__(self) -> None:
        if (self.other_id is None) == (not self.other_name):
            raise ValueRefused("the other side of a relation is a contact's id or a name, one of them")
        if self.other_id is not None:
            _relation_kind(inverse(self.kind))  # it is read from the other side as well


def inverse(kind: str) -> str:
    """Return what a contact is to the other side of a relation: of "employer" "employee", of others "... of"."""
    return INVERSES.get(kind) or (kind.removesuffix(" of") if kind.endswith(" of") else f"{kind} of")


def _fact_text(value: str) -> str:
    return clean(value, "text of a fact", limit=500, empty=False)


def _on(value: date | str | None) -> date | None:
    return day(value, "day of a fact")


def _privacy(value: str) -> Privacy:
    return Privacy(one_of(Privacy, value, "privacy"))


def _purpose(value: str) -> str:
    return clean(value, "purpose", limit=60)


@attrs.frozen(kw_only=True)
class PersonalFact:
    """Something personal that is good to know: "daughter starts school", on a day.

    Args:
        id: its id.
        contact_id: whom it was noted about.
        text: the fact.
        on: the day it is about, if there is one.
        source: how it is known; or empty.
        privacy: ordinary, confidential or special.
        purpose: what it may be used for; or empty. A special one needs it.
        added_at: when it was noted.
    """

    id: UUID
    contact_id: UUID
    text: str = attrs.field(converter=_fact_text)
    on: date | None = attrs.field(default=None, converter=_on)
    source: str = attrs.field(default="", converter=_source)
    privacy: Privacy = attrs.field(default=Privacy.ORDINARY, converter=_privacy)
    purpose: str = attrs.field(default="", converter=_purpose)
    added_at: datetime

    def __attrs_post_init__(self) -> None:
        if self.privacy is Privacy.SPECIAL and not self.purpose:
            raise ValueRefused(
                "a fact of a special category needs a purpose, such as 'allergies in catering'"
            )


@attrs.frozen(kw_only=True)
class FieldChange:
    """That a field of a contact was changed.

    Args:
        before: its value until then, as text.
        after: its value from then on, as text.
        at: when.
        actor: by whom.
        why: the reason, where one was given.
    """

    before: str
    after: str
    at: datetime
    actor: str
    why: str = ""
