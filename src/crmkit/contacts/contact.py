"""Contacts: frozen values, normalised when they are made."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

import attrs

from crmkit.clock import instant
from crmkit.contacts.points import ContactPoint, PointKind
from crmkit.errors import ValueRefused
from crmkit.text import clean

NAME_LIMIT = 300


class ContactKind(StrEnum):
    """Whether a contact is one person or an organisation."""

    PERSON = "person"
    ORGANISATION = "organisation"


class Formality(StrEnum):
    """How a contact wishes to be spoken to."""

    UNKNOWN = ""
    FORMAL = "formal"
    INFORMAL = "informal"


class NameOrder(StrEnum):
    """Which part of a contact's name comes first."""

    UNKNOWN = ""
    GIVEN_FIRST = "given_first"
    FAMILY_FIRST = "family_first"


class Stage(StrEnum):
    """Where a contact stands in its life as a customer."""

    UNKNOWN = ""
    LEAD = "lead"
    FIRST_TIME = "first_time"
    REPEAT = "repeat"
    LOYAL = "loyal"
    LAPSED = "lapsed"
    LOST = "lost"


def _by(value: str) -> str:
    return clean(value, "who permitted the first name", limit=100, empty=False)


def _how(value: str) -> str:
    return clean(value, "how the first name was permitted", limit=200, empty=False)


def _at(value: datetime) -> datetime:
    return instant(value, "when the first name was permitted")


@attrs.frozen(kw_only=True)
class FirstNamePermission:
    """That a contact may be called by the first name.

    Args:
        by: who took it down, as an actor: "staff:ann", or "contact:ID" if the contact did it.
        at: when it was given.
        how: on what occasion: "on the phone", "profile page".
    """

    by: str = attrs.field(converter=_by)
    at: datetime = attrs.field(converter=_at)
    how: str = attrs.field(converter=_how)


@attrs.frozen
class HostKey:
    """Where a contact stands in a table of the host.

    Args:
        store: the name of the mapping.
        pk: the primary key there, as the database writes it as text.
    """

    store: str
    pk: str

    def __str__(self) -> str:
        return f"{self.store}:{self.pk}"


def _points(value: Iterable[ContactPoint]) -> tuple[ContactPoint, ...]:
    return tuple(value)


def _name(value: str) -> str:
    return clean(value, "contact name", limit=NAME_LIMIT)


def _word(value: str) -> str:
    return clean(value, "field of a contact", limit=100)


def _birth_date(value: date | str | None) -> date | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueRefused(f"birth date {value!r} is no date such as 1980-02-29") from None
    if isinstance(value, datetime) or not isinstance(value, date):
        raise ValueRefused(f"birth date {value!r} must be a date")
    return date(value.year, value.month, value.day)


def _zone(value: str) -> str:
    if not value:
        return ""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(value).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueRefused(f"zone {value!r} is not an IANA time zone such as 'Europe/London'") from None


def _locale(value: str) -> str:
    return clean(value, "locale", limit=35)


def _permission(value: FirstNamePermission | None) -> FirstNamePermission | None:
    if value is None or isinstance(value, FirstNamePermission):
        return value
    raise ValueRefused(f"first_name is {value!r}; must be a FirstNamePermission or None")


@attrs.frozen(kw_only=True)
class Contact:
    """A person or organisation.

    Args:
        id: given by the store.
        name: the whole name as it is written; may be a single name, may be empty for a guest.
        given_name: the part that friends use, if known.
        family_name: the part that is shared with relatives, if known.
        kind: person or organisation.
        honorific: "Mr", "Ms", "Dr", as the contact wishes it; or empty.
        formality: how the contact wishes to be spoken to.
        name_order: which part of the name comes first; unknown leaves it to the locale.
        first_name: the permission to use the first name; without it nobody is greeted by it.
        birth_date: if known.
        gender: as the contact says, such as "f", "m" or "x"; or empty.
        business: whether the contact buys as a business and not as an individual.
        internal: whether the contact belongs to the shop itself: staff, another department.
        locale: BCP 47 tag of the language to write in, such as "ka" or "vi".
        zone: IANA time zone of the contact's days.
        source: where the contact came from, such as "fair", "referral" or "web"; or empty.
        classification: the shop's own word for the relation, such as "wholesale"; or empty.
        stage: where the contact stands as a customer.
        owner: the member of staff who looks after the contact; or empty.
        points: every contact point, those found first standing first.
        host: where the contact stands in the host's own table, if its store reads one.
        merged: ids of contacts that were merged into this one; None where nobody has looked yet.
    """

    id: UUID
    name: str = attrs.field(default="", converter=_name)
    given_name: str = attrs.field(default="", converter=_name)
    family_name: str = attrs.field(default="", converter=_name)
    kind: ContactKind = attrs.field(default=ContactKind.PERSON, converter=ContactKind)
    honorific: str = attrs.field(default="", converter=_word)
    formality: Formality = attrs.field(default=Formality.UNKNOWN, converter=Formality)
    name_order: NameOrder = attrs.field(default=NameOrder.UNKNOWN, converter=NameOrder)
    first_name: FirstNamePermission | None = attrs.field(default=None, converter=_permission)
    birth_date: date | None = attrs.field(default=None, converter=_birth_date)
    gender: str = attrs.field(default="", converter=_word)
    business: bool = attrs.field(default=False, converter=bool)
    internal: bool = attrs.field(default=False, converter=bool)
    locale: str = attrs.field(default="", converter=_locale)
    zone: str = attrs.field(default="", converter=_zone)
    source: str = attrs.field(default="", converter=_word)
    classification: str = attrs.field(default="", converter=_word)
    stage: Stage = attrs.field(default=Stage.UNKNOWN, converter=Stage)
    owner: str = attrs.field(default="", converter=_word)
    points: tuple[ContactPoint, ...] = attrs.field(default=(), converter=_points)
    host: HostKey | None = attrs.field(default=None, eq=False)
    merged: tuple[UUID, ...] | None = attrs.field(default=None, eq=False)

    @property
    def ids(self) -> tuple[UUID, ...]:
        """Every id under which the contact's rows are recorded, its own first."""
        return (self.id, *(self.merged or ()))

    def point(self, kind: PointKind | str, scope: str = "") -> ContactPoint | None:
        """Return the point of that kind and scope to use: the primary one, else the first, or None."""
        wanted = PointKind(kind)
        found = [p for p in self.points if p.kind is wanted and scope in ("", p.scope)]
        return next((p for p in found if p.primary), found[0] if found else None)


#: The fields of a contact that `tx.contacts.update` may change.
EDITABLE = (
    "name",
    "given_name",
    "family_name",
    "kind",
    "honorific",
    "formality",
    "name_order",
    "first_name",
    "birth_date",
    "gender",
    "business",
    "internal",
    "locale",
    "zone",
    "source",
    "classification",
    "stage",
    "owner",
)
