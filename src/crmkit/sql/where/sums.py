"""Sums of whole numbers in SQL, which databases do each in their own way."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, case, func, literal_column
from sqlalchemy import cast as sql_cast

from crmkit.expressions.kinds import HIGHEST, LOWEST

# written out: SQLite computes two sums once only where their texts are the same
_BITS, _LOW = literal_column("32", BigInteger), literal_column(str(2**32 - 1), BigInteger)


def whole_sum(database: str, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the sum of whole numbers, NULL where it leaves 64 bits."""
    if database != "sqlite":
        total: ColumnElement[Any] = func.sum(column)
        return case((total.between(LOWEST, HIGHEST), sql_cast(total, BigInteger)))
    # SQLite's sum ends the statement when it overflows: the halves of the numbers are summed, then put together
    low = func.sum(column.op("&")(_LOW), type_=BigInteger)
    high = func.sum(column.op(">>")(_BITS), type_=BigInteger) + low.op(">>", precedence=7)(_BITS)
    fits = high.between(literal_column(str(-(2**31))), literal_column(str(2**31 - 1)))
    whole = high * literal_column(str(2**32), BigInteger) + low.op("&", precedence=7)(_LOW)
    return case((fits, whole))
