"""When what is earned may be spent: holds, and the ways in which lots lapse."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import StrEnum

import attrs

from crmkit import FOREVER, Lot
from crmkit_loyalty.periods import day_start, local_day, months_later


class Ends(StrEnum):
    """At the end of which calendar period lots lapse."""

    DAY = "day"
    MONTH = "month"
    YEAR = "year"


@attrs.frozen(kw_only=True)
class Validity:
    """When the units of an award may be spent; of several ends the first counts.

    Args:
        hold_days: after how many days they become active.
        days: after how many days they lapse; None for no such end.
        months: after how many months; the day is clamped to the month's last (31 January + 1 is 28 February).
        ends: the end of which calendar period is then waited for.
        on: the first day on which they are gone, whenever they were earned.
        zone: the IANA zone of days, months and years.
    """

    hold_days: int = 0
    days: int | None = None
    months: int | None = None
    ends: Ends | None = None
    on: date | None = None
    zone: str = "UTC"

    def lot(self, at: datetime) -> Lot:
        """Return the validity of what is earned at an instant."""
        held = at + timedelta(days=self.hold_days) if self.hold_days else None
        return Lot(active_from=held, expires_at=self.expires_at(at))

    def expires_at(self, at: datetime) -> datetime:
        """Return before when units earned at an instant must be spent."""
        fixed = FOREVER if self.on is None else day_start(self.on, self.zone)
        return min(self._rolling(at), fixed)

    def _rolling(self, at: datetime) -> datetime:
        if (self.days, self.months, self.ends) == (None, None, None):
            return FOREVER
        at += timedelta(days=self.days or 0)
        if self.months is not None:
            at = months_later(at, self.months, self.zone)
        return at if self.ends is None else period_end(at, self.ends, self.zone)


def period_end(at: datetime, ends: Ends, zone: str) -> datetime:
    """Return the instant at which the calendar period ends that it is at an instant."""
    day = local_day(at, zone)
    if ends is Ends.DAY:
        return day_start(day + timedelta(days=1), zone)
    if ends is Ends.YEAR:
        return day_start(date(day.year + 1, 1, 1), zone)
    year, month = divmod(day.year * 12 + day.month, 12)
    return day_start(date(year, month + 1, 1), zone)
