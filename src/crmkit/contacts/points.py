"""Contact points: typed addresses, normalised when they are made."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

import attrs

from crmkit.clock import instant
from crmkit.contacts.address import PostalAddress
from crmkit.errors import ValueRefused
from crmkit.text import clean

ADDRESS_LIMIT = 320


class PointKind(StrEnum):
    """What a contact point is the address of."""

    EMAIL = "email"
    PHONE = "phone"
    POSTAL = "postal"
    HANDLE = "handle"
    EXTERNAL = "external"


def _label(value: str) -> str:
    return clean(value, "label of a contact point", limit=60)


def _source(value: str) -> str:
    return clean(value, "source of a contact point", limit=100)


def _verified_at(value: datetime | None) -> datetime | None:
    return None if value is None else instant(value, "verified_at")


@attrs.frozen
class ContactPoint:
    """A typed, normalised address of a contact; make one with `ContactPoint.email` and its sisters.

    Two points are the same address exactly when `kind`, `scope` and `key` are equal.

    Args:
        kind: what it is the address of.
        scope: the network of a handle, the system of an external id, else empty.
        key: the folded form by which it is found.
        value: the form to write to, as the person gave it but for normalising.
        label: what the contact uses it for, such as "home", "work" or "mobile"; or empty.
        source: where it was learnt, such as "checkout" or "import:2026-03"; or empty.
        verified_at: when it was shown to be the contact's own; None if nobody has tried.
        primary: whether it is preferred to the contact's others of its kind.
        parts: the parts of a postal address, if they are known.
    """

    kind: PointKind
    scope: str
    key: str
    value: str = attrs.field(eq=False)
    label: str = attrs.field(default="", eq=False, converter=_label, kw_only=True)
    source: str = attrs.field(default="", eq=False, converter=_source, kw_only=True)
    verified_at: datetime | None = attrs.field(default=None, eq=False, converter=_verified_at, kw_only=True)
    primary: bool = attrs.field(default=False, eq=False, converter=bool, kw_only=True)
    parts: PostalAddress | None = attrs.field(default=None, eq=False, kw_only=True)

    @classmethod
    def email(cls, address: str, **details: Any) -> ContactPoint:
        """Return the point of an email address.

        The key folds the case of both parts and encodes the domain by IDNA; mail goes to the address as given.

        Args:
            address: as people write it.
            details: label, source, verified_at or primary; the same for points of every kind.

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
        return cls(PointKind.EMAIL, "", clean(key, "email address", limit=255), found.normalized, **details)

    @classmethod
    def phone(cls, number: str, region: str | None = None, **details: Any) -> ContactPoint:
        """Return the point of a phone number, kept in E.164 form.

        Args:
            number: the number as people write it.
            region: the country (ISO 3166, two letters) a number without `+` belongs to.
            details: as for `email`.

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
        return cls(PointKind.PHONE, "", e164, e164, **details)

    @classmethod
    def postal(cls, address: str | PostalAddress, country: str = "", **details: Any) -> ContactPoint:
        """Return the point of a postal address.

        Args:
            address: the lines as they are written on an envelope, or the address by its parts.
            country: ISO 3166, two letters, if known and not among the parts.
            details: as for `email`.
        """
        parts = address if isinstance(address, PostalAddress) else None
        lines = address.lines() if isinstance(address, PostalAddress) else address
        text = clean(lines, "postal address", limit=ADDRESS_LIMIT, multiline=True).strip()
        text = clean(text, "postal address", limit=ADDRESS_LIMIT, multiline=True, empty=False)
        scope = clean(country or (parts.country if parts else ""), "country", limit=2).upper()
        folded = " ".join(text.casefold().replace(",", " ").split())
        return cls(PointKind.POSTAL, scope, sha256(folded.encode()).hexdigest(), text, parts=parts, **details)

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

    def with_(self, **details: Any) -> ContactPoint:
        """Return the same address with other details: label, source, verified_at, primary or parts."""
        return attrs.evolve(self, **details)

    def __str__(self) -> str:
        scope = f"{self.scope}:" if self.scope else ""
        return f"{self.kind}:{scope}{self.value}"


def _folded(value: str, what: str, *, limit: int) -> str:
    return clean(value.casefold(), f"{what}, its case folded,", limit=limit)
