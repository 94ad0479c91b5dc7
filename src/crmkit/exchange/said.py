"""What a row says of a contact besides its fields and points: frozen values, as plain data and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from enum import Enum
from typing import Any, TypeVar
from uuid import UUID

import attrs

from crmkit.clock import EPOCH, instant
from crmkit.consent import ConsentState
from crmkit.contacts import Note, PersonalFact, Preference, Relation
from crmkit.contacts.details import day
from crmkit.errors import ValueRefused
from crmkit.settings import did_you_mean

Said = TypeVar("Said")


def _text(value: str) -> str:
    if not isinstance(value, str):
        raise ValueRefused(f"{value!r:.200} must be text")
    return value


def _texts(value: Iterable[str]) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ValueRefused(f"{value!r:.200} must be a list of texts")
    return tuple(map(_text, value))


def _number(value: int) -> int:
    if type(value) is not int:
        raise ValueRefused(f"{value!r:.200} must be a whole number")
    return value


def _moment(value: datetime | str | None) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    try:
        return instant(datetime.fromisoformat(_text(value)), "instant")
    except ValueError:
        raise ValueRefused(f"{value!r:.200} is no instant such as 2026-09-01T10:00:00+00:00") from None


def _day(value: date | str | None) -> date | None:
    return day(value, "day")


def _id(value: UUID | str | None) -> UUID | None:
    if value is None or isinstance(value, UUID):
        return value
    try:
        return UUID(_text(value))
    except ValueError:
        raise ValueRefused(f"{value!r:.200} is no id of crmkit's") from None


def _word(value: str) -> ConsentState:
    if value not in (ConsentState.GRANTED, ConsentState.WITHDRAWN):
        raise ValueRefused(f"a consent is granted or withdrawn, not {value!r:.200}")
    return ConsentState(value)


@attrs.frozen(kw_only=True)
class SaidNote:
    """A note.

    Args:
        text: the words.
        kind: note, call or interview.
        at: when what it tells happened; None where only its text is known.
        needs: of an interview, as are `wanted`, `strengths` and `weaknesses`.
    """

    text: str = attrs.field(default="", converter=_text)
    kind: str = attrs.field(default="note", converter=_text)
    at: datetime | None = attrs.field(default=None, converter=_moment)
    needs: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    wanted: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    strengths: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    weaknesses: tuple[str, ...] = attrs.field(default=(), converter=_texts)

    def note(self, id: UUID, contact_id: UUID, author: str, now: datetime) -> Note:
        """Return the note that is kept of it.

        Raises:
            ValueRefused: if it is none.
        """
        said = {field.name: getattr(self, field.name) for field in attrs.fields(SaidNote)}
        at = said.pop("at") or now
        return Note(id=id, contact_id=contact_id, author=author, noted_at=at, written_at=now, **said)


@attrs.frozen(kw_only=True)
class SaidRelation:
    """How somebody stands to the contact; the other side is given in one of three ways.

    Args:
        kind: what the other side is to the contact; with `of` what the contact is to the other side.
        name: the other side's name, if it is no contact.
        contact: the other side's id.
        of: the other side's id, where the relation was noted from that side.
        source: how it is known.
        began_on: since when.
        ended_at: when it ended.
    """

    kind: str = attrs.field(converter=_text)
    name: str = attrs.field(default="", converter=_text)
    contact: UUID | None = attrs.field(default=None, converter=_id)
    of: UUID | None = attrs.field(default=None, converter=_id)
    source: str = attrs.field(default="", converter=_text)
    began_on: date | None = attrs.field(default=None, converter=_day)
    ended_at: datetime | None = attrs.field(default=None, converter=_moment)

    def __attrs_post_init__(self) -> None:
        if self.contact is not None and self.of is not None:
            raise ValueRefused("the other side of a relation is 'contact' or 'of', not both")

    @property
    def other(self) -> UUID | None:
        """The contact on the other side, if it is one."""
        return self.contact or self.of

    def relation(self, id: UUID, other_id: UUID | None) -> Relation:
        """Return the relation that is kept of it, from the side that it was noted from.

        Args:
            id: the relation's id.
            other_id: the contact on the other side of that one, or None.

        Raises:
            ValueRefused: if it is none.
        """
        return Relation(
            id=id,
            kind=self.kind,
            other_id=other_id,
            other_name=self.name,
            source=self.source,
            began_on=self.began_on,
            ended_at=self.ended_at,
        )


@attrs.frozen(kw_only=True)
class SaidPreference:
    """What the contact likes or dislikes; see `Preference`."""

    kind: str = attrs.field(converter=_text)
    value: str = attrs.field(converter=_text)
    liking: str = attrs.field(default="likes", converter=_text)
    source: str = attrs.field(default="", converter=_text)
    confidence: int = attrs.field(default=100, converter=_number)

    def preference(self, now: datetime) -> Preference:
        """Return the preference that is kept of it.

        Raises:
            ValueRefused: if it is none.
        """
        return Preference(**attrs.asdict(self), set_at=now)


@attrs.frozen(kw_only=True)
class SaidFact:
    """Something personal that is good to know; see `PersonalFact`."""

    text: str = attrs.field(converter=_text)
    on: date | None = attrs.field(default=None, converter=_day)
    source: str = attrs.field(default="", converter=_text)
    privacy: str = attrs.field(default="ordinary", converter=_text)
    purpose: str = attrs.field(default="", converter=_text)

    def fact(self, id: UUID, contact_id: UUID, now: datetime) -> PersonalFact:
        """Return the fact that is kept of it.

        Raises:
            ValueRefused: if it is none.
        """
        return PersonalFact(id=id, contact_id=contact_id, added_at=now, **attrs.asdict(self))


@attrs.frozen(kw_only=True)
class SaidConsent:
    """That the contact consents, or refuses.

    Args:
        purpose: to what; empty for everything that can be refused.
        channel: over which channel; empty for all.
        state: granted or withdrawn.
        source: where it comes from.
        text_version: which wording the contact saw.
        at: from when; None for the time of the import.
        until: when it ends by itself; None if it does not.
    """

    purpose: str = attrs.field(default="", converter=_text)
    channel: str = attrs.field(default="", converter=_text)
    state: ConsentState = attrs.field(converter=_word)
    source: str = attrs.field(default="", converter=_text)
    text_version: str = attrs.field(default="", converter=_text)
    at: datetime | None = attrs.field(default=None, converter=_moment)
    until: datetime | None = attrs.field(default=None, converter=_moment)

    def __attrs_post_init__(self) -> None:
        if self.until is not None and self.until <= (self.at or EPOCH):
            raise ValueRefused(f"until is {self.until.isoformat()}; a consent must end after it begins")


#: By the name under which they stand in a JSON object and in the header of a table: lists of what is said.
LISTS: Mapping[str, type] = {
    "relations": SaidRelation,
    "preferences": SaidPreference,
    "facts": SaidFact,
    "consents": SaidConsent,
}


def data(said: Any) -> dict[str, Any]:
    """Return what is said as plain data; what is at its default is left out."""
    given = ((field, getattr(said, field.name)) for field in attrs.fields(type(said)))
    return {field.name: _plain(value) for field, value in given if value != field.default}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def said(kind: type[Said], given: Any) -> Said:
    """Return what plain data says.

    Raises:
        ValueRefused: if it says nothing of that kind; the message names what is wrong.
    """
    what = kind.__name__.removeprefix("Said").lower()
    if not isinstance(given, Mapping):
        raise ValueRefused(f"a {what} must be a table, not {given!r:.200}")
    fields = {field.name: field for field in attrs.fields(kind)}  # type: ignore[arg-type]
    for name in given:
        if name not in fields:
            raise ValueRefused(f"a {what} has no {name!r}{did_you_mean(str(name), list(fields))}")
    for name, field in fields.items():
        if field.default is attrs.NOTHING and name not in given:
            raise ValueRefused(f"a {what} needs {name!r}: {dict(given)!r:.200}")
    try:
        return kind(**given)
    except ValueRefused as error:
        raise ValueRefused(f"{what}: {error}") from None
