"""Days, months and years in a zone; every one of them is half-open."""

from __future__ import annotations

from calendar import isleap, monthrange
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def local_day(at: datetime, zone: str) -> date:
    """Return the day that it is at an instant in a zone."""
    return at.astimezone(ZoneInfo(zone or "UTC")).date()


def day_start(day: date, zone: str) -> datetime:
    """Return the instant at which a day begins in a zone."""
    # of a midnight that the clocks skip, the instant at which they do; of one that comes twice, the first
    return datetime.combine(day, time(), ZoneInfo(zone or "UTC")).astimezone(UTC)


def year_start(at: datetime, zone: str) -> datetime:
    """Return the instant at which the year began that it is at an instant."""
    return day_start(date(local_day(at, zone).year, 1, 1), zone)


def year_end(at: datetime, zone: str) -> datetime:
    """Return the instant at which the next year begins."""
    return day_start(date(local_day(at, zone).year + 1, 1, 1), zone)


def months_later(at: datetime, months: int, zone: str) -> datetime:
    """Return the instant some months later, on the same day and at the same hour of the zone.

    A day that the month does not have is its last one: a month after 31 January is 28 or 29 February.
    """
    local = at.astimezone(ZoneInfo(zone or "UTC"))
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    day = min(local.day, monthrange(year, month + 1)[1])
    return local.replace(year=year, month=month + 1, day=day).astimezone(UTC)


def birthday(born: date, year: int, *, leap_day: date) -> date:
    """Return the day on which a date comes round in a year.

    Args:
        born: the date.
        year: the year.
        leap_day: of any year without 29 February, the day on which whoever was born on it celebrates.
    """
    if (born.month, born.day) == (2, 29) and not isleap(year):
        return leap_day.replace(year=year)
    return born.replace(year=year)


def days_later(at: datetime, days: int, zone: str) -> datetime:
    """Return the instant some days later, at the same hour of the zone."""
    local = at.astimezone(ZoneInfo(zone or "UTC"))
    return (local + timedelta(days=days)).astimezone(UTC)
