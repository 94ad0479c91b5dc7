"""The settings of the loyalty plugin."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from types import MappingProxyType
from typing import Any, TypeVar

import attrs

from crmkit import Base, Money, SettingsError, ValueRefused
from crmkit_loyalty.gift_cards.settings import GiftCardSettings
from crmkit_loyalty.ledger import Kind
from crmkit_loyalty.members.settings import MemberSettings
from crmkit_loyalty.nested import group
from crmkit_loyalty.nested import zone as zone_of
from crmkit_loyalty.occasions.settings import OccasionSettings
from crmkit_loyalty.referrals.settings import ReferralSettings
from crmkit_loyalty.tiers.settings import TierSettings
from crmkit_loyalty.validity import Ends, Validity

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


class ReturnedExpiry(StrEnum):
    """What becomes of units that a cancelled redemption gives back to a lot that has lapsed."""

    ORIGINAL = "original"  #: they keep their expiry: they have lapsed
    NEW = "new"  #: they expire as if they were earned now


class NegativeAdjustments(StrEnum):
    """How far a correction by hand may take units away."""

    HELD = "held"  #: down to what may be spent
    DEBT = "debt"  #: as far as it says: the rest is owed


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


def _ends(value: Ends | str | None) -> Ends | None:
    return None if value is None else _one_of(Ends, "lot_ends", value)


def _returned(value: ReturnedExpiry | str) -> ReturnedExpiry:
    return _one_of(ReturnedExpiry, "returned_expiry", value)


def _negative(value: NegativeAdjustments | str) -> NegativeAdjustments:
    return _one_of(NegativeAdjustments, "negative_adjustments", value)


def _date(value: date | str | None) -> date | None:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise wrong("lot_date", value, "must be a date such as '2027-01-01', or None") from None
    if value is not None and type(value) is not date:
        raise wrong("lot_date", value, "must be a date such as '2027-01-01', or None")
    return value


#: What may count as activity, with the kinds of transactions that it is.
_ACTIVITY = {
    "earn": {Kind.EARN},
    "redeem": {Kind.REDEEM, Kind.COMMIT},
    "grant": {Kind.GRANT},
    "transfer": {Kind.TRANSFER},
}


def _activity(value: Iterable[str]) -> frozenset[Kind]:
    names = set() if isinstance(value, str) or not isinstance(value, Iterable) else set(value)
    if not names or names - set(_ACTIVITY):
        raise wrong("activity", value, f"must name some of: {', '.join(_ACTIVITY)}")
    return frozenset(kind for name in names for kind in _ACTIVITY[name])


def _limit(least: int, greatest: int) -> Any:
    def check(instance: object, attribute: attrs.Attribute[int | None], value: int | None) -> None:
        if value is not None and (type(value) is not int or not least <= value <= greatest):
            raise wrong(attribute.name, value, f"must be a whole number from {least} to {greatest}, or None")

    return check


def _unit(instance: object, attribute: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str) or not re.fullmatch(r"[^\W\d][\w -]{0,29}", value):
        raise wrong(attribute.name, value, "must be a text of 1 to 30 letters, digits, spaces and hyphens")


def _gift_cards(value: Any) -> GiftCardSettings:
    return group(GiftCardSettings, "gift_cards", value)


def _members(value: Any) -> MemberSettings:
    return group(MemberSettings, "members", value)


def _occasions(value: Any) -> OccasionSettings:
    return group(OccasionSettings, "occasions", value)


def _referrals(value: Any) -> ReferralSettings | None:
    return None if value is None else group(ReferralSettings, "referrals", value)


def _tiers(value: Any) -> TierSettings:
    return group(TierSettings, "tiers", value)


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
        hold_days: for how many days what was earned is pending: it cannot be spent, and refunds take it back first.
        lot_days: after how many days what was earned expires; None for never.
        lot_months: after how many months it expires, at the same hour of `zone`; a day that the month does not
            have is its last one.
        lot_ends: "day", "month" or "year": what was earned expires at the end of the one in which it would else.
        lot_date: the first day on which it is gone, whenever it was earned, as "YYYY-MM-DD"; of several ends
            the first counts.
        inactivity_days: after how many days in which a contact did nothing that counts its units lapse.
        activity: what counts: some of "earn", "redeem", "grant", "transfer".
        returned_expiry: what a cancelled redemption gives back to a lot that has lapsed: "original", nothing that
            could be spent, or "new", units that expire as if they were earned now.
        negative_adjustments: how far `Loyalty.adjust` takes away: "held", what may be spent, or "debt", all.
        zone: the IANA zone of the programme's days, months and years.
        gift_cards: see `GiftCardSettings`.
        members: see `MemberSettings`.
        occasions: see `OccasionSettings`.
        referrals: see `ReferralSettings`; None for a programme without referrals.
        tiers: see `TierSettings`.

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
    hold_days: int = attrs.field(default=0, validator=_limit(0, 3650))
    lot_months: int | None = attrs.field(default=None, validator=_limit(1, 1200))
    lot_ends: Ends | None = attrs.field(default=None, converter=_ends)
    lot_date: date | None = attrs.field(default=None, converter=_date)
    inactivity_days: int | None = attrs.field(default=None, validator=_limit(1, 36500))
    activity: frozenset[Kind] = attrs.field(default=("earn", "redeem"), converter=_activity)
    returned_expiry: ReturnedExpiry = attrs.field(default=ReturnedExpiry.ORIGINAL, converter=_returned)
    negative_adjustments: NegativeAdjustments = attrs.field(
        default=NegativeAdjustments.HELD, converter=_negative
    )
    zone: str = attrs.field(default="UTC", converter=zone_of)
    gift_cards: GiftCardSettings = attrs.field(factory=GiftCardSettings, converter=_gift_cards)
    members: MemberSettings = attrs.field(factory=MemberSettings, converter=_members)
    occasions: OccasionSettings = attrs.field(factory=OccasionSettings, converter=_occasions)
    referrals: ReferralSettings | None = attrs.field(default=None, converter=_referrals)
    tiers: TierSettings = attrs.field(factory=TierSettings, converter=_tiers)

    @property
    def validity(self) -> Validity:
        """When what is earned may be spent."""
        return Validity(
            hold_days=self.hold_days,
            days=self.lot_days,
            months=self.lot_months,
            ends=self.lot_ends,
            on=self.lot_date,
            zone=self.zone,
        )
