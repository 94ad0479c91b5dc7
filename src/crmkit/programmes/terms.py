"""Durations and the terms of lots: when the units of an award may be spent."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

import attrs

from crmkit.clock import FOREVER
from crmkit.programmes.table import Table
from crmkit.rewards import Lot, Window
from crmkit.rewards.windows import first_day, next_window, start_of

_DURATION = re.compile(r"([1-9][0-9]{0,3}) (day|week|month|year)s?")
_END_OF = re.compile(r"end of (day|week|month|year)")
_RIGHT_DURATION = 'it must be a duration such as "14 days" or "3 months"'
_RIGHT_EXPIRY = (
    'it must be "never", a duration such as "12 months", a last day such as "2026-12-31", or "end of year"'
)
#: The least and the greatest number of days that one of each can be.
_DAYS = {"day": (1, 1), "week": (7, 7), "month": (28, 31), "year": (365, 366)}


@attrs.frozen
class Duration:
    """So many days, weeks, months or years of the calendar.

    Args:
        count: how many.
        unit: "day", "week", "month" or "year".
    """

    count: int
    unit: str

    def after(self, at: datetime, zone: tzinfo) -> datetime:
        """Return the instant so much later by the clock on the wall; a day that a month lacks is its last."""
        local = at.astimezone(zone)
        if self.unit in ("day", "week"):
            moved = local.date() + timedelta(days=self.count * _DAYS[self.unit][0])
        else:
            moved = later_month(local.date(), self.count * (12 if self.unit == "year" else 1))
        return datetime.combine(moved, local.timetz()).astimezone(UTC)

    def __str__(self) -> str:
        return f"{self.count} {self.unit}{'s' if self.count > 1 else ''}"


def later_month(day: date, months: int) -> date:
    """Return the same day so many months later, or the last of that month if it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


Expiry = Duration | date | Window | None


@attrs.frozen(kw_only=True)
class LotTerms:
    """When the units of an award may be spent, as a rule states it.

    Args:
        hold: how long they are pending; None for not at all.
        expires: after which duration, after which last day, or at the end of which stretch of the calendar they
            lapse; None for never.
        qualifying: whether they count for tiers.
    """

    hold: Duration | None = None
    expires: Expiry = None
    qualifying: bool = True

    @classmethod
    def of(cls, table: Table) -> LotTerms:
        """Return the terms that a table states.

        Raises:
            ProgrammeError: if one is wrong, or the units would lapse before they may be spent.
        """
        table.only(("hold", "expires", "qualifying"))
        hold = _duration(table, "hold") if "hold" in table.data else None
        expires = _expiry(table)
        if isinstance(expires, Duration) and hold is not None and _most(hold) >= _least(expires):
            raise table.wrong("expires", f"it must be longer than hold, which is {hold}")
        qualifying = table.data.get("qualifying", True)
        if not isinstance(qualifying, bool):
            raise table.wrong("qualifying", "it must be true or false")
        return cls(hold=hold, expires=expires, qualifying=qualifying)

    def lot(self, at: datetime, zone: tzinfo) -> Lot:
        """Return the validity of units that are granted at an instant."""
        active = None if self.hold is None else self.hold.after(at, zone)
        return Lot(active_from=active, expires_at=self._end(at, zone), qualifying=self.qualifying)

    def _end(self, at: datetime, zone: tzinfo) -> datetime:
        if self.expires is None:
            return FOREVER
        if isinstance(self.expires, Duration):
            return self.expires.after(at, zone)
        if isinstance(self.expires, Window):
            today = at.astimezone(zone).date()
            return start_of(next_window(first_day(today, self.expires), self.expires), zone)
        return start_of(self.expires + timedelta(days=1), zone)

    def __str__(self) -> str:
        parts = [f"pending for {self.hold}"] if self.hold is not None else []
        if isinstance(self.expires, Window):
            parts.append(f"until the end of the {self.expires}")
        elif self.expires is not None:
            word = "for" if isinstance(self.expires, Duration) else "until"
            parts.append(f"valid {word} {self.expires}")
        return ", ".join([*parts, *([] if self.qualifying else ["not counting for tiers"])])


#: What a rule without `lot` says.
AT_ONCE = LotTerms()


def _duration(table: Table, key: str) -> Duration:
    value = table.data[key]
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise table.wrong(key, _RIGHT_DURATION)
    return Duration(int(found.group(1)), found.group(2))


def _expiry(table: Table) -> Expiry:
    value: Any = table.data.get("expires", "never")
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if value == "never":
        return None
    if isinstance(value, str) and (end := _END_OF.fullmatch(value)):
        return Window(end.group(1))
    if isinstance(value, str) and _DURATION.fullmatch(value):
        return _duration(table, "expires")
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise table.wrong("expires", _RIGHT_EXPIRY) from None


def _most(duration: Duration) -> int:
    return duration.count * _DAYS[duration.unit][1]


def _least(duration: Duration) -> int:
    return duration.count * _DAYS[duration.unit][0]
