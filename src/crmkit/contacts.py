"""Contacts and contact points: frozen values, normalised when they are made."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from hashlib import sha256
from uuid import UUID

import attrs

from crmkit.errors import ValueRefused
from crmkit.text import clean

NAME_LIMIT = 300
ADDRESS_LIMIT = 320


class PointKind(StrEnum):
    """What a contact point is the address of."""

    EMAIL = "email"
    PHONE = "phone"
    POSTAL = "postal"
    HANDLE = "handle"
    EXTERNAL = "external"


class ContactKind(StrEnum):
    """Whether a contact is one person or an organisation."""

    PERSON = "person"
    ORGANISATION = "organisation"


@attrs.frozen
class ContactPoint:
    """A typed, normalised address of a contact; make one with `ContactPoint.email` and its sisters.

    Two points are the same address exactly when `kind`, `scope` and `key` are equal.

    Args:
        kind: what it is the address of.
        scope: the network of a handle, the system of an external id, else empty.
        key: the folded form by which it is found.
        value: the form to write to, as the person gave it but for normalising.
    """

    kind: PointKind
    scope: str
    key: str
    value: str = attrs.field(eq=False)

    @classmethod
    def email(cls, address: str) -> ContactPoint:
        """Return the point of an email address.

        The key folds the case of both parts and encodes the domain by IDNA; mail goes to the address as given.

        Raises:
            ValueRefused: if it is not exactly one address that can receive mail.
        """
        from email_validator import EmailNotValidError, validate_email  # imported when first used

        text = clean(address, "email address", limit=ADDRESS_LIMIT, empty=False)
        try:
            found = validate_email(text, check_deliverability=False, test_environment=True, strict=True)
        except EmailNotValidError as error:
            raise ValueRefused(f"email address {text!r} is not valid: {error}") from None
        key = f"{found.local_part.casefold()}@{found.ascii_domain.casefold()}"
        return cls(PointKind.EMAIL, "", clean(key, "email address", limit=255), found.normalized)

    @classmethod
    def phone(cls, number: str, region: str | None = None) -> ContactPoint:
        """Return the point of a phone number, kept in E.164 form.

        Args:
            number: the number as people write it.
            region: the country (ISO 3166, two letters) a number without `+` belongs to.

        Raises:
            ValueRefused: if the numbering plan of its country has no such number.
        """
        import phonenumbers  # tables of every country: imported when first used

        text = clean(number, "phone number", limit=60, empty=False)
        try:
            parsed = phonenumbers.parse(text, region)
        except phonenumbers.NumberParseException as error:
            hint = "" if region else "; write it as +<country code> or give region='GB'"
            raise ValueRefused(f"phone number {text!r} cannot be read: {error}{hint}") from None
        if not phonenumbers.is_valid_number(parsed):
            raise ValueRefused(f"phone number {text!r} does not exist in its country's numbering plan")
        e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
        return cls(PointKind.PHONE, "", e164, e164)

    @classmethod
    def postal(cls, address: str, country: str = "") -> ContactPoint:
        """Return the point of a postal address.

        Args:
            address: the lines as they are written on an envelope.
            country: ISO 3166, two letters, if known.
        """
        text = clean(address, "postal address", limit=ADDRESS_LIMIT, multiline=True).strip()
        text = clean(text, "postal address", limit=ADDRESS_LIMIT, multiline=True, empty=False)
        scope = clean(country, "country", limit=2).upper()
        folded = " ".join(text.casefold().replace(",", " ").split())
        return cls(PointKind.POSTAL, scope, sha256(folded.encode()).hexdigest(), text)

    @classmethod
    def handle(cls, network: str, name: str) -> ContactPoint:
        """Return the point of an account on a social network; a leading `@` is dropped.

        Args:
            network: the network's name, such as "mastodon".
            name: the account's name there.
        """
        text = clean(name, "handle", limit=300).strip().removeprefix("@")
        text = clean(text, "handle", limit=255, empty=False)
        scope = _folded(clean(network, "network", limit=60, empty=False), "network", limit=60)
        return cls(PointKind.HANDLE, scope, _folded(text, "handle", limit=255), text)

    @classmethod
    def external(cls, system: str, id: str | int) -> ContactPoint:
        """Return the point that is the contact's id in another system, such as the shop's own user table.

        Args:
            system: the name of that system.
            id: the id there, compared exactly.
        """
        if isinstance(id, bool) or not isinstance(id, (str, int)):
            raise ValueRefused(f"external id must be text or int, not {type(id).__name__}: {id!r}")
        text = clean(str(id), "external id", limit=255, empty=False)
        return cls(PointKind.EXTERNAL, clean(system, "system", limit=60, empty=False), text, text)

    def __str__(self) -> str:
        scope = f"{self.scope}:" if self.scope else ""
        return f"{self.kind}:{scope}{self.value}"


def _folded(value: str, what: str, *, limit: int) -> str:
    return clean(value.casefold(), f"{what}, its case folded,", limit=limit)


def _points(value: Iterable[ContactPoint]) -> tuple[ContactPoint, ...]:
    return tuple(value)


def _name(value: str) -> str:
    return clean(value, "contact name", limit=NAME_LIMIT)


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


@attrs.frozen(kw_only=True)
class Contact:
    """A person or organisation.

    Args:
        id: given by the store.
        name: the whole name as it is written; may be a single name, may be empty for a guest.
        given_name: the part that friends use, if known.
        family_name: the part that is shared with relatives, if known.
        kind: person or organisation.
        locale: BCP 47 tag of the language to write in, such as "ka" or "vi".
        zone: IANA time zone of the contact's days.
        points: every contact point, those found first standing first.
    """

    id: UUID
    name: str = attrs.field(default="", converter=_name)
    given_name: str = attrs.field(default="", converter=_name)
    family_name: str = attrs.field(default="", converter=_name)
    kind: ContactKind = attrs.field(default=ContactKind.PERSON, converter=ContactKind)
    locale: str = attrs.field(default="", converter=_locale)
    zone: str = attrs.field(default="", converter=_zone)
    points: tuple[ContactPoint, ...] = attrs.field(default=(), converter=_points)

    def point(self, kind: PointKind | str, scope: str = "") -> ContactPoint | None:
        """Return the first point of that kind and scope, or None."""
        wanted = PointKind(kind)
        return next((p for p in self.points if p.kind is wanted and scope in ("", p.scope)), None)


#: The fields of a contact that `tx.contacts.update` may change.
EDITABLE = ("name", "given_name", "family_name", "kind", "locale", "zone")
