"""Streaks: how many days, weeks or months in a row somebody ordered."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, tzinfo

from crmkit.rewards import Window
from crmkit.rewards.windows import first_day, next_window


def streak(history: Iterable[datetime], at: datetime, window: Window, grace: int, zone: tzinfo) -> int:
    """Return in how many windows there was an order, from the one of `at` back to the first gap too long.

    Args:
        history: when earlier orders were placed, the latest first.
        at: when this one was; its window counts.
        window: how long one is.
        grace: how many windows in a row may be left out.
        zone: whose days they are.
    """
    current = first_day(at.astimezone(zone).date(), window)
    length = 1
    for instant in history:
        day = first_day(instant.astimezone(zone).date(), window)
        if day >= current:
            continue
        if _missed(day, current, window, grace) > grace:
            break
        length, current = length + 1, day
    return length


def _missed(day: date, until: date, window: Window, most: int) -> int:
    """Return how many windows lie between two, counted to one more than the most that matter."""
    missed, following = 0, next_window(day, window)
    while following < until and missed <= most:
        missed, following = missed + 1, next_window(following, window)
    return missed
