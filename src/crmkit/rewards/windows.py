"""Windows of the calendar in a zone: half-open intervals of which each instant lies in exactly one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from functools import cache

from crmkit.clock import FOREVER
from crmkit.errors import ValueRefused

BEGINNING = datetime.min.replace(tzinfo=UTC)


class Window(StrEnum):
    """A stretch of the calendar."""

    DAY = "day"
    WEEK = "week"  #: from Monday
    MONTH = "month"
    YEAR = "year"
    EVER = "ever"


@cache
def zone_of(name: str) -> tzinfo:
    """Return the IANA zone of that name; of the empty name UTC.

    Raises:
        ValueRefused: if there is none.
    """
    if not name or name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueRefused(f"there is no zone {name!r}; use an IANA name such as 'Europe/London'") from None


def zone_or(name: str, otherwise: str) -> tzinfo:
    """Return the zone of a member, or the programme's if the member has none that is known."""
    try:
        return zone_of(name or otherwise)
    except ValueRefused:
        return zone_of(otherwise)


def window_of(at: datetime, window: Window, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return from when until before when the window lasts in which an instant lies.

    Args:
        at: the instant, aware.
        window: how long it is.
        zone: whose days they are.
    """
    if window is Window.EVER:
        return BEGINNING, FOREVER
    day = first_day(at.astimezone(zone).date(), window)
    start, end = start_of(day, zone), start_of(next_window(day, window), zone)
    if at >= end:  # a clock put back past midnight shows yesterday once more
        start, end = end, start_of(next_window(next_window(day, window), window), zone)
    return start, end


def first_day(day: date, window: Window) -> date:
    """Return the first day of the window in which a day lies."""
    return _FIRST[window](day)


def next_window(day: date, window: Window) -> date:
    """Return the first day of the window after the one that begins on a day."""
    return first_day(day + timedelta(days=_LONGEST[window]), window)


def start_of(day: date, zone: tzinfo) -> datetime:
    """Return the first instant of a day; where midnight is left out, the first after it."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


_FIRST: Mapping[Window, Callable[[date], date]] = {
    Window.DAY: lambda day: day,
    Window.WEEK: lambda day: day - timedelta(days=day.weekday()),
    Window.MONTH: lambda day: day.replace(day=1),
    Window.YEAR: lambda day: day.replace(month=1, day=1),
}
#: So many days after the first day of a window lies somewhere in the next one.
_LONGEST = {Window.DAY: 1, Window.WEEK: 7, Window.MONTH: 31, Window.YEAR: 366}
