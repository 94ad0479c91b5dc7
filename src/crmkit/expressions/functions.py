"""The fixed table of functions: each is total over its parameter types, and exact."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import attrs

from crmkit.expressions.kinds import FieldType, Kind

_WHOLE_CALENDAR = 3_652_059  # days from the first instant of year 1 to the last of year 9999, rounded up


@attrs.frozen
class Function:
    """One function that an expression may call.

    Args:
        name: the name in expressions.
        parameters: the types it takes; where there are several tuples, any one of them.
        result: the kind of the value it gives, or None if it answers yes or no.
        python: the implementation, called with values of the parameter types that are not missing.
        doc: one sentence for people who write expressions.
        python_only: why it has no SQL twin; empty if it has one.
    """

    name: str
    parameters: tuple[tuple[FieldType, ...], ...]
    result: Kind | None
    python: Callable[..., Any] = attrs.field(eq=False, repr=False)
    doc: str
    python_only: str = ""

    def __reduce__(self) -> tuple[Callable[[str], Function], tuple[str]]:
        return FUNCTIONS.__getitem__, (self.name,)


def _days_between(start: datetime.date, end: datetime.date) -> int:
    return (end - start).days


def _month(date: datetime.date) -> int:
    return date.month


def _day(date: datetime.date) -> int:
    return date.day


def _contains(text: str, part: str) -> bool:
    return part in text


_TEXTS = ((FieldType.TEXT, FieldType.TEXT),)
_DATE = ((FieldType.DATE,),)

FUNCTIONS: dict[str, Function] = {
    function.name: function
    for function in (
        Function(
            "contains",
            _TEXTS,
            None,
            _contains,
            "Whether the second text stands anywhere in the first.",
        ),
        Function(
            "day",
            _DATE,
            Kind(FieldType.INTEGER, 0, 1, 31),
            _day,
            "The day of a date's month, 1 to 31.",
        ),
        Function(
            "days_between",
            ((FieldType.DATE, FieldType.DATE), (FieldType.INSTANT, FieldType.INSTANT)),
            Kind(FieldType.INTEGER, 0, -_WHOLE_CALENDAR, _WHOLE_CALENDAR),
            _days_between,
            "Days from the first date to the second; between instants, whole days of 24 hours, rounded down.",
        ),
        Function(
            "month",
            _DATE,
            Kind(FieldType.INTEGER, 0, 1, 12),
            _month,
            "The month of a date, 1 to 12.",
        ),
        Function(
            "starts_with",
            _TEXTS,
            None,
            str.startswith,
            "Whether the first text begins with the second.",
        ),
    )
}

CONSTRUCTORS = ("date", "instant")
