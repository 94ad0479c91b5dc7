"""The settings of the loyalty plugin."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from types import MappingProxyType
from typing import Any, TypeVar

import attrs

from crmkit import Base, Money, SettingsError, ValueRefused

#: What a rate may be written as; each is exact.
Rate = int | Fraction | Decimal | str

E = TypeVar("E", bound=StrEnum)

_HIGHEST = 10**6
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12}|/[0-9]{1,12})?")


class Rounding(StrEnum):
    """How a fraction of a unit is rounded, once, when an award is computed."""

    FLOOR = "floor"  #: down: what is not a whole unit is not earned
    NEAREST = "nearest"  #: to the nearest whole unit, halves up
    CEILING = "ceiling"  #: up


def wrong(name: str, value: object, right: str) -> SettingsError:
    """Return the error for a setting: its name, its value and what would have been right."""
    return SettingsError(f"settings['loyalty'][{name!r}] is {value!r}; {right}")


def _rate(value: Rate, name: str) -> Fraction:
    right = "must be an exact number from 0 to 1,000,000: an int, Fraction, Decimal, or text such as '0.5' or '1/3'"
    if isinstance(value, Decimal) and value.is_finite() and -12 <= value.adjusted() <= 6:
        value = f"{value:f}" if -12 <= int(value.as_tuple().exponent) <= 6 else ""
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise wrong(name, value, right)
    if isinstance(value, bool) or not isinstance(value, (int, Fraction, str)):
        raise wrong(name, value, right)
    try:
        rate = Fraction(value)
    except ZeroDivisionError:
        raise wrong(name, value, right) from None
    if not 0 <= rate <= _HIGHEST or rate.denominator > 10**12:
        raise wrong(name, value, right)
    return rate


def _rates(value: Mapping[str, Rate]) -> Mapping[str, Fraction]:
    if not isinstance(value, Mapping):
        raise wrong(
            "rates", value, "must be a mapping of currencies to numbers such as {'GBP': 1, 'JPY': '1/100'}"
        )
    for currency in value:
        try:
            Money(0, currency)
        except ValueRefused as error:
            raise SettingsError(f"settings['loyalty']['rates']: {error}") from None
    return MappingProxyType({code: _rate(rate, f"rates[{code}]") for code, rate in value.items()})


def _own_rate(value: Rate) -> Fraction:
    return _rate(value, "points_per_unit")


def _base(value: Base | str) -> Base:
    return _one_of(Base, "base", value)


def _rounding(value: Rounding | str) -> Rounding:
    return _one_of(Rounding, "rounding", value)


def _one_of(kind: type[E], name: str, value: str) -> E:
    try:
        return kind(value)
    except ValueError:
        raise wrong(name, value, f"must be one of: {', '.join(kind)}") from None


def _limit(least: int, greatest: int) -> Any:
    def check(instance: object, attribute: attrs.Attribute[int | None], value: int | None) -> None:
        if value is not None and (type(value) is not int or not least <= value <= greatest):
            raise wrong(attribute.name, value, f"must be a whole number from {least} to {greatest}, or None")

    return check


def _unit(instance: object, attribute: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str) or not re.fullmatch(r"[^\W\d][\w -]{0,29}", value):
        raise wrong(attribute.name, value, "must be a text of 1 to 30 letters, digits, spaces and hyphens")


@attrs.frozen(kw_only=True)
class LoyaltySettings:
    """The settings of the loyalty plugin, given as `settings={"loyalty": {...}}`.

    Args:
        points_per_unit: how many points a unit of the order's own currency earns (a pound, a euro, a yen);
            0 brings no rule: only the awards of other plugins are posted.
        rates: the same by currency; if it is given, orders in other currencies earn nothing.
        base: the part of the order that counts: "goods", "net" (goods without tax) or "total".
        unit: what is earned.
        rounding: "floor", "nearest" or "ceiling"; applied once, to the sum.
        cap: the most that one order earns; None for no cap, 0 for never.
        lot_days: after how many days what was earned expires; None for never.

    Raises:
        SettingsError: if a value is wrong; floats are, they are not exact.
    """

    points_per_unit: Fraction = attrs.field(default=Fraction(1), converter=_own_rate)
    rates: Mapping[str, Fraction] = attrs.field(factory=dict, converter=_rates)
    base: Base = attrs.field(default=Base.GOODS, converter=_base)
    unit: str = attrs.field(default="points", validator=_unit)
    rounding: Rounding = attrs.field(default=Rounding.FLOOR, converter=_rounding)
    cap: int | None = attrs.field(default=None, validator=_limit(0, 10**15))
    lot_days: int | None = attrs.field(default=None, validator=_limit(1, 36500))
