"""Instants: around the ends of months, leap days and changes of clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

from hypothesis import strategies as st

_EDGES = (
    datetime(2024, 2, 29, tzinfo=UTC),
    datetime(2025, 3, 30, 1, tzinfo=UTC),  # clocks go forward in Europe
    datetime(2025, 10, 26, 1, tzinfo=UTC),  # and back
    datetime(2025, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2026, 1, 31, tzinfo=UTC),
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
