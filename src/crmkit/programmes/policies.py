"""What a programme settles once for all its rules, where programmes disagree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from fractions import Fraction
from math import ceil, floor

import attrs

from crmkit.money import Money, exponent
from crmkit.orders import Base
from crmkit.programmes.table import Table
from crmkit.rewards import Over
from crmkit.rewards.windows import zone_of

_KEYS = (
    "name version zone currency unit base rounding local_time over free_lines streak_grace worth doc".split()
)


class Rounding(StrEnum):
    """How a fraction is rounded, once, when an award is computed."""

    FLOOR = "floor"  #: down: what is not a whole unit is not given
    NEAREST = "nearest"  #: to the nearest whole unit, halves up
    CEILING = "ceiling"  #: up


ROUND: Mapping[str, Callable[[Fraction], int]] = {
    Rounding.FLOOR: floor,
    Rounding.NEAREST: lambda exact: floor(exact + Fraction(1, 2)),
    Rounding.CEILING: ceil,
}

#: The same of `numerator / denominator`, many times quicker.
DIVIDE: Mapping[str, Callable[[int, int], int]] = {
    Rounding.FLOOR: lambda numerator, denominator: numerator // denominator,
    Rounding.NEAREST: lambda numerator, denominator: (2 * numerator + denominator) // (2 * denominator),
    Rounding.CEILING: lambda numerator, denominator: -(-numerator // denominator),
}


class LocalTime(StrEnum):
    """Whose days and hours `at.*`, streaks and lots go by."""

    PROGRAMME = "programme"  #: those of the programme's zone
    MEMBER = "member"  #: those of the member's zone; of the programme's where that is not known


class FreeLines(StrEnum):
    """Whether products that cost nothing, such as rewards, count in quantities, codes and categories."""

    IGNORE = "ignore"
    COUNT = "count"


@attrs.frozen(kw_only=True)
class Policies:
    """What a programme settles for all its rules; each has a default.

    Args:
        zone: the IANA zone of the programme's days.
        currency: which one `order.total`, and a rate without one, mean; empty if it is always named.
        unit: what points are called.
        base: on which part of an order rates are computed.
        rounding: how a fraction is rounded, once for each award.
        local_time: whose days and hours count.
        over: what becomes of an award that goes over a limit.
        free_lines: whether products that cost nothing count.
        streak_grace: how many days, weeks or months in a row may be left out of a streak.
        worth: what one unit costs the shop, in major units, and the currency; None if nobody says.
        doc: what the programme is for.
    """

    zone: str = "UTC"
    currency: str = ""
    unit: str = "points"
    base: Base = Base.GOODS
    rounding: Rounding = Rounding.FLOOR
    local_time: LocalTime = LocalTime.PROGRAMME
    over: Over = Over.TRUNCATE
    free_lines: FreeLines = FreeLines.IGNORE
    streak_grace: int = 0
    worth: tuple[Fraction, str] | None = None
    doc: str = ""

    @classmethod
    def of(cls, table: Table) -> Policies:
        """Return what the table `[programme]` settles.

        Raises:
            ProgrammeError: if a key is unknown or its value is wrong.
        """
        table.only(_KEYS)
        zone, currency = table.text("zone", "UTC"), table.text("currency", "")
        try:
            zone_of(zone)
        except ValueError as error:
            raise table.wrong("zone", str(error)) from None
        if currency:
            table.currency("currency", currency)
        return cls(
            zone=zone,
            currency=currency,
            unit=table.text("unit", "points", limit=30),
            base=table.choice("base", Base, Base.GOODS),
            rounding=table.choice("rounding", Rounding, Rounding.FLOOR),
            local_time=table.choice("local_time", LocalTime, LocalTime.PROGRAMME),
            over=table.choice("over", Over, Over.TRUNCATE),
            free_lines=table.choice("free_lines", FreeLines, FreeLines.IGNORE),
            streak_grace=table.whole("streak_grace", 0),
            worth=table.price("worth") if "worth" in table.data else None,
            doc=table.text("doc", "", limit=500),
        )

    def cost(self, units: int) -> Money | None:
        """Return what units cost the shop, in whole minor units, up; None if nobody said what one is worth."""
        if self.worth is None:
            return None
        each, currency = self.worth
        numerator, denominator = each.numerator * 10 ** exponent(currency), each.denominator
        return Money(-(-units * numerator // denominator), currency)
