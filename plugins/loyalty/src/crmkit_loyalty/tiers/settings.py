"""The settings of tiers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from hashlib import sha256
from itertools import pairwise
from typing import Any

import attrs

from crmkit import Money, SettingsError, ValueRefused
from crmkit_loyalty.nested import chosen, refused, whole


class Measure(StrEnum):
    """What qualifies for a tier."""

    UNITS = (
        "units"  #: units that were earned, what was clawed back subtracted; spending them takes nothing away
    )
    SPEND = "spend"  #: minor units of a currency that were paid for orders, refunds subtracted
    ORDERS = "orders"  #: paid orders that were neither cancelled nor refunded whole


class Window(StrEnum):
    """For how long what was earned qualifies."""

    YEAR = "year"  #: until the calendar year ends, in the programme's zone
    MONTHS = "months"  #: for a number of months
    LIFETIME = "lifetime"  #: for ever


class Downgrade(StrEnum):
    """To what a member falls that does not qualify any more."""

    EARNED = "earned"  #: to the tier that it qualifies for
    ONE_LEVEL = "one_level"  #: one tier down, and further down after another period
    NEVER = "never"  #: what was reached stays


@attrs.frozen
class Tier:
    """A level of a programme.

    Args:
        name: what it is called.
        threshold: how much qualifies for it, itself included: units, orders, or minor units of the currency.
        benefits: what its members have, in the shop's words.
    """

    name: str
    threshold: int
    benefits: tuple[str, ...] = attrs.field(default=(), converter=tuple)


def _levels(value: Iterable[Tier | Mapping[str, Any]]) -> tuple[Tier, ...]:
    levels = tuple(_level(one) for one in value)
    names = [level.name for level in levels]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SettingsError(f"settings['loyalty']['tiers'] name {', '.join(map(repr, twice))} twice")
    for lower, upper in pairwise(levels):
        if lower.threshold >= upper.threshold:
            raise SettingsError(
                f"settings['loyalty']['tiers']: {upper.name!r} begins at {upper.threshold}, which is not above the "
                f"{lower.threshold} of {lower.name!r}; name the lowest tier first, each with a greater threshold"
            )
    return levels


def _level(value: Tier | Mapping[str, Any]) -> Tier:
    right = "must be a tier such as {'name': 'gold', 'threshold': 1000, 'benefits': ['free shipping']}"
    try:
        level = value if isinstance(value, Tier) else Tier(**value)
    except TypeError:
        raise refused("tiers", "levels", value, right) from None
    name: object = level.name
    if not isinstance(name, str) or not 1 <= len(name) <= 30:
        raise refused("tiers", "levels", level.name, "a tier's name must be a text of 1 to 30 characters")
    whole("tiers", f"threshold of {level.name}", 0, 10**15)(level.threshold)
    return level


def _measure(value: Any) -> Measure:
    return chosen(Measure, "tiers", "measure")(value)


def _window(value: Any) -> Window:
    return chosen(Window, "tiers", "window")(value)


def _downgrade(value: Any) -> Downgrade:
    return chosen(Downgrade, "tiers", "downgrade")(value)


def _months(value: Any) -> int:
    return int(whole("tiers", "months", 1, 1200)(value))


def _grace(value: Any) -> int:
    return int(whole("tiers", "grace_days", 0, 3660)(value))


@attrs.frozen(kw_only=True)
class TierSettings:
    """The settings of tiers, given as `settings={"loyalty": {"tiers": {...}}}`.

    Args:
        levels: the tiers, the lowest first; none for a programme without tiers.
        measure: what qualifies: "units", "spend" or "orders".
        unit: which units, if units qualify.
        currency: in which currency, if spending qualifies.
        window: for how long it does: "year", "months" or "lifetime".
        months: for how many, if the window is months.
        grace_days: for how many days a member keeps its tier after it ceased to qualify.
        downgrade: where it goes then: "earned", "one_level" or "never".

    Raises:
        SettingsError: if a value is wrong, or thresholds do not rise.
    """

    levels: tuple[Tier, ...] = attrs.field(default=(), converter=_levels)
    measure: Measure = attrs.field(default=Measure.UNITS, converter=_measure)
    unit: str = "points"
    currency: str = ""
    window: Window = attrs.field(default=Window.YEAR, converter=_window)
    months: int = attrs.field(default=12, converter=_months)
    grace_days: int = attrs.field(default=0, converter=_grace)
    downgrade: Downgrade = attrs.field(default=Downgrade.EARNED, converter=_downgrade)

    def __attrs_post_init__(self) -> None:
        if self.measure is Measure.SPEND:
            try:
                Money(0, self.currency)
            except ValueRefused as error:
                raise refused("tiers", "currency", self.currency, str(error)) from None

    def rank(self, amount: int) -> int:
        """Return the number of the tier that an amount qualifies for, from 0; -1 if it qualifies for none."""
        return sum(amount >= level.threshold for level in self.levels) - 1

    def name(self, rank: int) -> str:
        """Return the name of a tier by its number; empty text for none."""
        return self.levels[rank].name if rank >= 0 else ""

    @property
    def mark(self) -> str:
        """A text that is another one when any of these settings is."""
        return sha256(repr(self).encode()).hexdigest()[:16]
