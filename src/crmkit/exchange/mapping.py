"""Which column of a file is which field of a contact or an order, and how their values are written."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from crmkit.consent import is_import
from crmkit.errors import ValueRefused
from crmkit.exchange.headers import SYNONYMS
from crmkit.orders import LineKind
from crmkit.settings import did_you_mean

#: Fields of an order's line, for `import orders`.
ORDER_FIELDS = (
    "order", "placed_at", "state", "channel", "currency", "line", "sku", "product", "category", "quantity", "price",
    "total", "tax", "line_kind", "refund_of",
)  # fmt: skip
#: Fields that carry a name of their own behind a colon.
NAMED = ("email", "phone", "handle", "external", "field", "consent", "postal", "street", "extended", "box",
         "locality", "region", "postcode", "country")  # fmt: skip


def _frozen(value: Mapping[str, str]) -> Mapping[str, str]:
    given: Mapping[Any, Any] = value
    for text in (*given, *given.values()):
        if not isinstance(text, str):
            raise ValueRefused(f"columns must be a table of texts; {text!r} is none")
    for field in value.values():
        _check(field)
    return MappingProxyType(dict(value))


def _constants(value: Mapping[str, Any]) -> Mapping[str, str]:
    for field in value:
        _check(field)
    return MappingProxyType({field: str(given) for field, given in value.items()})


def _check(field: str) -> None:
    kind, colon, name = field.partition(":")
    known = (*SYNONYMS, *ORDER_FIELDS, "handle", "external", "field", "consent")
    if field and (kind not in known or (colon and (kind not in NAMED or not name))):
        raise ValueRefused(f"no field is called {field!r}{did_you_mean(field, list(known))}")
    if field in ("handle", "external", "field", "consent"):
        raise ValueRefused(f"field {field!r} needs a name behind a colon, such as '{field}:shop'")


def _kinds(value: Mapping[str, str]) -> Mapping[str, str]:
    for kind in value.values():
        if kind not in list(LineKind):
            raise ValueRefused(f"a line is one of {', '.join(LineKind)}, not {kind!r}")
    return MappingProxyType(dict(value))


def _texts(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _delimiter(value: str) -> str:
    found = "\t" if value == "\\t" else value
    if len(found) > 1 or found in ('"', "\r", "\n"):
        raise ValueRefused(f"delimiter {value!r} must be one character, such as ';' or a tab, and no quote")
    return found


def _region(value: str) -> str:
    from phonenumbers import SUPPORTED_REGIONS  # imported when first used

    found = value.upper()
    if found and found not in SUPPORTED_REGIONS:
        raise ValueRefused(f"region {found!r} is no country; write its two letters, such as 'GB'")
    return found


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueRefused(f"zone {value!r} is not an IANA time zone such as 'Europe/London'") from None
    return value


@attrs.frozen(kw_only=True)
class ColumnMap:
    """How to read a file; made from a TOML or JSON file by `read_mapping`, or by guessing.

    Args:
        columns: by header: the field; an empty field leaves the column out on purpose.
        constants: by field: a value for every row that gives none.
        region: the country (ISO 3166, two letters) of phone numbers without a country code.
        dates: further forms of dates, as `strptime` writes them; ISO 8601 is always read.
        zone: the IANA zone of times without one.
        tags_separator: what stands between tags in one cell.
        decimal: the decimal sign of numbers.
        currency: of orders whose rows name none.
        delimiter: what stands between cells; found out if empty.
        encoding: of the file; found out if empty.
        source: what contacts and points are said to come from, where the file does not say.
        whole: columns whose values are whole numbers that a spreadsheet has written with a fraction, "17850.0".
        kinds: by sku: what such a line of an order is, "shipping", "fee", "discount" or "gift_card".
        refunds: how orders of negative quantities are taken: "refund" or "reject".
        exact: whether spaces around values belong to them, as in files that crmkit has exported.
    """

    columns: Mapping[str, str] = attrs.field(factory=dict, converter=_frozen)
    constants: Mapping[str, str] = attrs.field(factory=dict, converter=_constants)
    region: str = attrs.field(default="", converter=_region)
    dates: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    zone: str = attrs.field(default="UTC", converter=_zone)
    tags_separator: str = ";"
    decimal: str = "."
    currency: str = ""
    delimiter: str = attrs.field(default="", converter=_delimiter)
    encoding: str = ""
    source: str = "import"
    whole: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    kinds: Mapping[str, str] = attrs.field(factory=dict, converter=_kinds)
    refunds: str = attrs.field(default="refund", validator=attrs.validators.in_(("refund", "reject")))
    exact: bool = False

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Return the mapping of plain data.

        Raises:
            ValueRefused: if a key is unknown or a value wrong.
        """
        known = [field.name for field in attrs.fields(cls)]
        for key in data:
            if key not in known:
                raise ValueRefused(f"a mapping has no key {key!r}{did_you_mean(key, known)}")
        try:
            return cls(**data)
        except (TypeError, ValueError) as error:
            raise ValueRefused(f"the mapping is wrong: {error}") from None

    @property
    def origin(self) -> str:
        """What relations, facts and consents are said to come from."""
        return imported(self.source)

    def missing(self, headers: Collection[str]) -> list[str]:
        """Return the columns that the mapping names and a file has not."""
        return [column for column in self.columns if column not in headers]

    def plain(self) -> dict[str, Any]:
        """Return the mapping as plain data."""
        return {
            field.name: dict(value)
            if isinstance(value, Mapping)
            else list(value)
            if isinstance(value, tuple)
            else value
            for field in attrs.fields(type(self))
            for value in [getattr(self, field.name)]
        }


def imported(source: str) -> str:
    """Return a source so that it says that it was imported: a consent of such a one takes back no refusal."""
    return source if is_import(source) else f"import:{source}"[:100]


def read_mapping(path: Path) -> ColumnMap:
    """Return the mapping that a TOML or JSON file describes.

    Raises:
        ValueRefused: if it cannot be read, or names a field that does not exist.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        data = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise ValueRefused(f"mapping {str(path)!r} cannot be read: {error}") from None
    if not isinstance(data, dict):
        raise ValueRefused(f"mapping {str(path)!r} must be a table with 'columns'")
    return ColumnMap.of(data)
