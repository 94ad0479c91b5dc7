"""Postal addresses by their parts."""

from __future__ import annotations

import attrs

from crmkit.text import clean


def _part(value: str) -> str:
    return clean(value, "part of a postal address", limit=300, multiline=True).strip()


def _country(value: str) -> str:
    return clean(value, "country", limit=2).upper()


@attrs.frozen(kw_only=True)
class PostalAddress:
    """A postal address by its parts, as the forms of shops and vCards have them; each may be empty.

    Args:
        street: street and number; several lines if it needs them.
        extended: flat, floor, building.
        box: post office box.
        locality: city, town or village.
        region: state, province or county.
        postcode: as it is written.
        country: ISO 3166, two letters.
    """

    street: str = attrs.field(default="", converter=_part)
    extended: str = attrs.field(default="", converter=_part)
    box: str = attrs.field(default="", converter=_part)
    locality: str = attrs.field(default="", converter=_part)
    region: str = attrs.field(default="", converter=_part)
    postcode: str = attrs.field(default="", converter=_part)
    country: str = attrs.field(default="", converter=_country)

    def lines(self) -> str:
        """Return the address as the lines of an envelope, the country's code last."""
        town = " ".join(part for part in (self.postcode, self.locality) if part)
        lines = (self.box, self.extended, self.street, town, self.region, self.country)
        return "\n".join(line for line in lines if line)
