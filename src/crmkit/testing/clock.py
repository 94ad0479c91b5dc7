"""A clock that stands still until a test moves it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from crmkit.clock import instant
from crmkit.errors import ValueRefused

#: Where a `FakeClock` begins unless it is told otherwise.
START = datetime(2026, 1, 15, 12, tzinfo=UTC)


class FakeClock:
    """A clock for `CRM(clock=...)` that never moves by itself; safe to use from several threads.

    Args:
        start: the first instant it answers, aware.
    """

    def __init__(self, start: datetime = START) -> None:
        self._lock = threading.Lock()
        self._now = instant(start, "start")

    def __call__(self) -> datetime:
        """Return the instant at which the clock stands, in UTC."""
        with self._lock:
            return self._now

    def advance(
        self,
        by: timedelta | float = 0,
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
    ) -> datetime:
        """Move the clock forward and return where it stands then.

        Args:
            by: how far, as a timedelta or in seconds; what follows is added.
            days: of 24 hours.
            hours: of 60 minutes.
            minutes: of 60 seconds.
            seconds: seconds.

        Raises:
            ValueRefused: if this would move it back; `set` does that.
        """
        step = by if isinstance(by, timedelta) else timedelta(seconds=by)
        step += timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        if step < timedelta(0):
            raise ValueRefused(f"advance by {step} moves the clock back; use set() for that")
        with self._lock:
            self._now += step
            return self._now

    def set(self, to: datetime) -> datetime:
        """Put the clock to an instant, earlier ones included, and return it.

        Args:
            to: an aware datetime.
        """
        moment = instant(to, "to")
        with self._lock:
            self._now = moment
            return moment

    def __repr__(self) -> str:
        return f"<FakeClock at {self().isoformat()}>"
