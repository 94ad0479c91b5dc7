"""The one source of time and ids."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from crmkit.errors import ValueRefused

#: A clock answers the present instant, aware and in UTC.
Clock = Callable[[], datetime]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: Stands for "no end": later than every instant that is recorded.
FOREVER = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)

_MICROSECOND = timedelta(microseconds=1)


def system_clock() -> datetime:
    """Return the present instant of the machine's clock."""
    return datetime.now(UTC)


def instant(value: datetime, what: str) -> datetime:
    """Return `value` in UTC, or refuse a naive one.

    Args:
        value: an aware datetime in any zone.
        what: what the instant is, for the error message.

    Raises:
        ValueRefused: if it is no datetime, has no zone, or lies outside the years 1 to 9999.
    """
    if not isinstance(value, datetime):
        raise ValueRefused(f"{what} must be a datetime, not {type(value).__name__}: {value!r}")
    if value.tzinfo is None or value.utcoffset() is None:
        raise ValueRefused(f"{what} {value.isoformat()} has no zone; use an aware datetime such as UTC")
    try:
        return value if value.tzinfo is UTC else value.astimezone(UTC)
    except OverflowError:
        raise ValueRefused(f"{what} {value.isoformat()} lies outside the years 1 to 9999 in UTC") from None


def ending(value: datetime, what: str) -> datetime:
    """Return `value` in UTC as `instant` does, or refuse the one that stands for "no end".

    Args:
        value: when something happened, aware.
        what: what the instant is, for the error message.

    Raises:
        ValueRefused: as `instant`, and if it is `FOREVER`.
    """
    found = instant(value, what)
    if found == FOREVER:
        raise ValueRefused(f"{what} is {found.isoformat()}, which stands for 'never'; give when it happened")
    return found


def micros(value: datetime) -> int:
    """Return the microseconds from 1970-01-01 UTC to an aware datetime, exactly."""
    return (value - EPOCH) // _MICROSECOND


def from_micros(value: int) -> datetime:
    """Return the instant that stands `value` microseconds after 1970-01-01 UTC."""
    return EPOCH + timedelta(microseconds=value)


class IdSource:
    """Makes UUIDs of version 7 that grow within this process (RFC 9562, section 6.2, method 1).

    Args:
        clock: gives the milliseconds; when it stands still or goes back, a counter goes on.
        randomness: gives n random bytes.
    """

    def __init__(self, clock: Clock, randomness: Callable[[int], bytes] = os.urandom) -> None:
        self._clock = clock
        self._randomness = randomness
        self._lock = threading.Lock()
        self._last = 0

    def __call__(self) -> UUID:
        """Return the next id."""
        millis = micros(self._clock()) // 1000
        random = int.from_bytes(self._randomness(8), "big")
        with self._lock:
            # 48 bits of milliseconds and a 12-bit counter behind them, as one number that only grows
            self._last = tick = max(self._last + 1, millis << 12)
        high = (tick >> 12) << 16 | 0x7000 | (tick & 0xFFF)
        return UUID(int=high << 64 | 0x2 << 62 | random >> 2)
