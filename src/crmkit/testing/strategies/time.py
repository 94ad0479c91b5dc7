"""Instants and runs of them: around the ends of months, leap days, midnights and changes of clocks."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

_EDGES = (
    datetime(2024, 2, 29, tzinfo=UTC),
    datetime(2025, 3, 30, 1, tzinfo=UTC),  # clocks go forward in Europe
    datetime(2025, 10, 26, 1, tzinfo=UTC),  # and back
    datetime(2025, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2026, 1, 31, tzinfo=UTC),
)
#: Zones that change their clocks in either hemisphere, at midnight, by half an hour; and one that never does.
ZONES = ("Europe/London", "America/Santiago", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Tbilisi")
#: How far the next instant of a timeline is: nothing, a tick, hours around a change of clocks, months, a leap year.
_STEPS = tuple(
    timedelta(**step)
    for step in (
        {},
        {"microseconds": 1},
        {"hours": 1},
        {"hours": 23},
        {"days": 1},
        {"hours": 25},
        {"days": 28},
        {"days": 31},
        {"days": 365},
        {"days": 366},
    )
)


@cache
def instants() -> st.SearchStrategy[datetime]:
    """Return a strategy for aware instants in UTC of the years 2000 to 2099, to the microsecond."""
    near = st.builds(
        lambda edge, micros: edge + timedelta(microseconds=micros),
        st.sampled_from(_EDGES),
        st.integers(-2, 2),
    )
    anything = st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31), timezones=st.just(UTC))
    return st.one_of(st.just(datetime(2026, 1, 15, 12, tzinfo=UTC)), near, anything)


@st.composite
def timelines(
    draw: st.DrawFn, *, least: int = 1, most: int = 8, start: datetime | None = None, zone: str = ""
) -> list[datetime]:
    """Draw instants none of which lies before the one before it: through leap days, month ends and changes of clocks.

    Args:
        draw: given by Hypothesis.
        least: at least how many.
        most: at most how many.
        start: the first one at the earliest, aware; anything by default.
        zone: an IANA zone to whose midnights many of them lie close; any by default.
    """
    local = ZoneInfo(zone or draw(st.sampled_from(ZONES)))
    now = draw(instants()) if start is None else start
    found = []
    for _ in range(draw(st.integers(least, most))):
        now += draw(st.sampled_from(_STEPS) | st.timedeltas(timedelta(0), timedelta(days=400)))
        if draw(st.booleans()):
            now = max(now, _midnight(now, local) + timedelta(microseconds=draw(st.integers(-1, 1))))
        found.append(now)
    return found


def _midnight(at: datetime, zone: ZoneInfo) -> datetime:
    """Return the next midnight in a zone, or the first instant of a day that has none."""
    day = at.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(day, time(0), zone).astimezone(UTC)
