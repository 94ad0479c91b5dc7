"""Functions of dates and instants in SQL, by whole numbers alone, so that every database gives the same."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, String, and_, case, cast, func, literal, type_coerce
from sqlalchemy.sql.elements import Grouping

_DAY = 86_400_000_000
_MONTHS = tuple(f"{month:02}" for month in range(1, 13))
_LONG = ("01", "03", "05", "07", "08", "10", "12")


def number(value: int) -> ColumnElement[Any]:
    """Return a whole number."""
    return literal(value, BigInteger)


def quotient(a: ColumnElement[Any], b: int, database: str) -> ColumnElement[Any]:
    """Return a divided by b, rounded toward zero."""
    divided = Grouping(a).op("DIV" if database == "mariadb" else "/")(number(b))
    return Grouping(type_coerce(divided, BigInteger))


def part(date: ColumnElement[Any], start: int, length: int) -> ColumnElement[Any]:
    """Return digits of a date as a number."""
    return cast(func.substr(date, start, length, type_=String()), BigInteger)


def day_number(date: ColumnElement[Any], database: str) -> ColumnElement[Any]:
    """Return how many days a date is after the first of March of year 0.

    Years begin in March there, so that the leap day is the last: see
    https://howardhinnant.github.io/date_algorithms.html#days_from_civil
    """
    month = part(date, 6, 2)
    early = case((month <= number(2), number(1)), else_=number(0))
    year = Grouping(part(date, 1, 4) - early)
    of_year = Grouping(month + number(12) * early - number(3))
    in_year = quotient(number(153) * of_year + number(2), 5, database) + part(date, 9, 2) - number(1)
    leaps = quotient(year, 4, database) - quotient(year, 100, database) + quotient(year, 400, database)
    return Grouping(number(365) * year + leaps + in_year)


def days_between(
    start: ColumnElement[Any], end: ColumnElement[Any], *, instants: bool, database: str
) -> ColumnElement[Any]:
    """Return the days from start to end; between instants whole ones, rounded down."""
    if not instants:
        return day_number(end, database) - day_number(start, database)
    apart = Grouping(end - start)
    up = quotient(number(_DAY - 1) - apart, _DAY, database)
    return case((apart >= number(0), quotient(apart, _DAY, database)), else_=-up)


def is_date(text: ColumnElement[Any], database: str) -> ColumnElement[bool]:
    """Return the condition that a text is a date of the calendar in ISO 8601, such as 2024-02-29."""
    digits = [
        func.substr(text, place, 1, type_=String()).between(literal("0", String()), literal("9", String()))
        for place in (1, 2, 3, 4, 6, 7, 9, 10)
    ]
    dashes = [func.substr(text, place, 1, type_=String()) == literal("-", String()) for place in (5, 8)]
    year, month, day = (func.substr(text, a, n, type_=String()) for a, n in ((1, 4), (6, 2), (9, 2)))
    # numbers are made only of what is known to be digits
    written = and_(func.length(text) == 10, *digits, *dashes)
    leap = _divides(text, 4, database) & (~_divides(text, 100, database) | _divides(text, 400, database))
    last = case((month.in_(_LONG), "31"), (month != "02", "30"), (leap, "29"), else_="28")
    inside = and_(year != "0000", month.in_(_MONTHS), day >= literal("01", String()), day <= last)
    return (
        case((written, inside), else_=False)
        if database == "postgresql"
        else case((written, inside), else_=0) == 1
    )


def _divides(text: ColumnElement[Any], by: int, database: str) -> ColumnElement[bool]:
    year = part(text, 1, 4)
    return year - quotient(year, by, database) * number(by) == number(0)
