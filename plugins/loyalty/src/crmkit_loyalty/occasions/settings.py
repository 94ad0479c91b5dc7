"""The settings of birthdays and anniversaries."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any

import attrs

from crmkit_loyalty.nested import chosen, whole


class LeapDay(StrEnum):
    """When somebody born on 29 February celebrates in a year without one."""

    BEFORE = "28-02"  #: on 28 February
    AFTER = "01-03"  #: on 1 March

    @property
    def day(self) -> date:
        """That day, in any year without 29 February."""
        return date(2001, 2, 28) if self is LeapDay.BEFORE else date(2001, 3, 1)


def _leap_day(value: Any) -> LeapDay:
    return chosen(LeapDay, "occasions", "leap_day")(value)


def _late(value: Any) -> int:
    return int(whole("occasions", "days_late", 0, 60)(value))


@attrs.frozen(kw_only=True)
class OccasionSettings:
    """The settings of birthdays and anniversaries, given as `settings={"loyalty": {"occasions": {...}}}`.

    Args:
        leap_day: when a birthday on 29 February falls in other years: "28-02" or "01-03".
        days_late: for how many days after it a day is made up for, if nothing ran on it.
    """

    leap_day: LeapDay = attrs.field(default=LeapDay.BEFORE, converter=_leap_day)
    days_late: int = attrs.field(default=7, converter=_late)
