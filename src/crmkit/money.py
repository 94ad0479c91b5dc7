"""Money: an integer of minor units in one ISO 4217 currency."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation
from functools import cache
from typing import Any

import attrs

from crmkit.errors import ValueRefused

#: The greatest amount in minor units: what a signed 64-bit column holds.
LARGEST = 2**63 - 1

# the caller's own context would round what it has no digits for
_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation])


@cache
def exponent(currency: str) -> int:
    """Return how many decimal digits the currency's minor unit has (GBP 2, JPY 0, KWD 3).

    Source: ISO 4217 list one, as the `iso4217` package ships it.

    Raises:
        ValueRefused: if ISO 4217 has no such currency, or it has no minor unit (gold, test codes).
    """
    from iso4217 import Currency  # reads an XML table: imported when first asked

    try:
        digits = Currency(currency).exponent
    except ValueError:
        raise ValueRefused(
            f"currency {currency!r} is not in ISO 4217; use a code of three capital letters such as 'EUR'"
        ) from None
    if digits is None:
        raise ValueRefused(f"currency {currency!r} has no minor unit, so nothing can be priced in it")
    return int(digits)


def _whole(instance: object, attribute: attrs.Attribute[int], value: object) -> None:
    if type(value) is not int:
        raise ValueRefused(
            f"Money.minor must be an int of minor units, not {type(value).__name__}: {value!r}; "
            "for a decimal amount use Money.of('12.50', 'GBP')"
        )
    if not -LARGEST <= value <= LARGEST:
        raise ValueRefused(f"Money.minor is {value}; its size may be at most {LARGEST}")


def _known(instance: object, attribute: attrs.Attribute[str], value: object) -> None:
    if type(value) is not str:
        raise ValueRefused(f"Money.currency must be an ISO 4217 code, not {value!r}")
    exponent(value)


@attrs.frozen(order=False)
class Money:
    """An exact amount of one currency.

    Args:
        minor: the amount in minor units (pence, cents), negative for money that goes back.
        currency: the ISO 4217 code.

    Raises:
        ValueRefused: if the amount is no int of at most 64 bits, or the currency is unknown.
    """

    minor: int = attrs.field(validator=_whole)
    currency: str = attrs.field(validator=_known)

    @classmethod
    def of(cls, amount: str | int | Decimal, currency: str) -> Money:
        """Return the money that `amount` major units are, exactly.

        Args:
            amount: major units as text, int or Decimal; a float is refused, it is not exact.
            currency: the ISO 4217 code.

        Raises:
            ValueRefused: if the amount has more digits than the currency's minor unit.
        """
        if isinstance(amount, (bool, float)) or not isinstance(amount, (str, int, Decimal)):
            raise ValueRefused(f"amount {amount!r} is a {type(amount).__name__}; give text, int or Decimal")
        try:
            scaled = Decimal(amount, _EXACT).scaleb(exponent(currency), _EXACT)
        except DecimalException:
            raise ValueRefused(f"amount {amount!r} is not a decimal number such as '12.50'") from None
        if (
            not scaled.is_finite()
            or scaled.adjusted() > 20
            or scaled != scaled.to_integral_value(context=_EXACT)
        ):
            raise ValueRefused(
                f"amount {amount!r} does not fit {currency}, which has {exponent(currency)} decimal digits"
            )
        return cls(int(scaled), currency)

    @property
    def amount(self) -> Decimal:
        """The amount in major units, exactly."""
        return Decimal(self.minor).scaleb(-exponent(self.currency), _EXACT)

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other).minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other).minor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other).minor

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._same(other).minor

    def __gt__(self, other: Money) -> bool:
        return self.minor > self._same(other).minor

    def __ge__(self, other: Money) -> bool:
        return self.minor >= self._same(other).minor

    def __str__(self) -> str:
        return f"{self.amount:,f} {self.currency}"

    def _same(self, other: Any) -> Money:
        if not isinstance(other, Money):
            raise TypeError(f"{self!r} and {other!r}: Money combines with Money only")
        if other.currency != self.currency:
            raise ValueRefused(f"{self} and {other} are in different currencies; convert one first")
        return other


def allocate(amount: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Split `amount` in proportion to `weights`, exactly, by largest remainder.

    Args:
        amount: what is to be split, an int of either sign.
        weights: one non-negative int for each part; ties of remainders go to the earlier part.

    Raises:
        ValueRefused: if a weight is negative, or all are 0 and there is something to split.
    """
    total = sum(weights)
    if any(weight < 0 for weight in weights):
        raise ValueRefused(f"weights {list(weights)} hold a negative one")
    if total == 0:
        if amount:
            raise ValueRefused(f"{amount} cannot be split over weights {list(weights)}: all are 0")
        return tuple(0 for _ in weights)
    sign, size = (-1, -amount) if amount < 0 else (1, amount)
    parts = [size * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(size * weights[i] % total), i))
    for index in by_remainder[: size - sum(parts)]:
        parts[index] += 1
    return tuple(sign * part for part in parts)
