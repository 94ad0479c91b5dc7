"""Ids grow with the clock, and when it stands still or goes back."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from crmkit.clock import FOREVER, IdSource, from_micros, instant, micros
from crmkit.errors import ValueRefused

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def test_ids_are_uuids_of_version_7_that_tell_their_millisecond() -> None:
    id = IdSource(lambda: NOW)()
    assert id.version == 7
    assert id.variant == "specified in RFC 4122"
    assert id.int >> 80 == micros(NOW) // 1000


def test_ids_grow_while_the_clock_stands_still_or_goes_back() -> None:
    times = iter([NOW] * 5000 + [NOW - timedelta(days=1)] * 5000 + [NOW + timedelta(seconds=9)])
    source = IdSource(lambda: next(times))
    ids = [source() for _ in range(10001)]
    assert ids == sorted(set(ids))


def test_ids_are_distinct_over_threads() -> None:
    source = IdSource(lambda: NOW)
    made: list[UUID] = []
    threads = [threading.Thread(target=lambda: made.extend(source() for _ in range(2000))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 8000


def test_instants_are_exact_to_the_microsecond() -> None:
    for value in (
        NOW,
        FOREVER,
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ):
        assert from_micros(micros(value)) == value


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(ValueRefused, match="has no zone"):
        instant(NOW.replace(tzinfo=None), "placed_at")
