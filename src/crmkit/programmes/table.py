"""Plain data of a file, read key by key; what is wrong is told with file, rule, key and value."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any, TypeVar

import attrs

from crmkit.errors import ProgrammeError, ValueRefused
from crmkit.money import Money, exponent
from crmkit.settings import did_you_mean

E = TypeVar("E", bound=StrEnum)

_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12}|/[0-9]{1,12})?")
_MONEY = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?) ([A-Z]{3})")
_EXACT = 'an exact number such as 2, 0.5 or "1/3"'
_AMOUNT = 'an amount with its currency, such as "12.50 GBP"'
_MISSING: Any = object()


@attrs.frozen
class Table:
    """One table of a file.

    Args:
        data: keys and values.
        where: the file, and the rule within it.
        path: the table's own key, with a dot at its end; empty for the outermost.
    """

    data: Mapping[str, Any]
    where: str
    path: str = ""

    def wrong(self, key: str, right: str, value: Any = _MISSING) -> ProgrammeError:
        """Return the error that says what is wrong with a key.

        Args:
            key: the key in this table.
            right: what would have been right, such as "must be a text".
            value: what it is, if not what stands in the table.
        """
        found = self.data.get(key, _MISSING) if value is _MISSING else value
        said = "is missing" if found is _MISSING else f"is {_shown(found)}"
        return ProgrammeError(f"{self.where}: {self.path}{key} {said}; {right}")

    def only(self, known: Collection[str]) -> None:
        """Refuse a key that nobody reads.

        Raises:
            ProgrammeError: naming it and the one that was meant.
        """
        for key in self.data:
            if key not in known:
                hint = did_you_mean(str(key), list(known))
                raise ProgrammeError(f"{self.where}: there is no key {self.path}{key}{hint}")

    def one_of(self, known: Collection[str]) -> str:
        """Return which one of some keys is given.

        Raises:
            ProgrammeError: if none or several are.
        """
        given = [key for key in self.data if key in known]
        if len(given) != 1:
            others = [] if given else [str(key) for key in self.data]
            said = " and ".join(given or others) or "nothing"
            meant = _meant(others[0], sorted(known)) if others else ""
            whole, options = self.path.rstrip(".") or "it", ", ".join(sorted(known))
            raise ProgrammeError(f"{self.where}: {whole} gives {said}; give one of {options}{meant}")
        return given[0]

    def text(self, key: str, default: str | None = None, *, limit: int = 100) -> str:
        """Return a text; without a default it is needed and not empty."""
        value = self.data.get(key, default)
        if not isinstance(value, str) or len(value) > limit or (default is None and not value.strip()):
            raise self.wrong(key, f"it must be a text of at most {limit} characters")
        return value

    def whole(self, key: str, default: int | None = None, *, least: int = 0) -> int:
        """Return a whole number."""
        value = self.data.get(key, default)
        if type(value) is not int or not least <= value <= 10**15:
            raise self.wrong(key, f"it must be a whole number from {least} on")
        return value

    def signed(self, key: str, default: int) -> int:
        """Return a whole number of either sign."""
        value = self.data.get(key, default)
        if type(value) is not int or abs(value) > 10**6:
            raise self.wrong(key, "it must be a whole number")
        return value

    def number(self, key: str) -> Fraction:
        """Return an exact number from 0 on."""
        value = self.data.get(key, _MISSING)
        text = f"{value:f}" if isinstance(value, Decimal) and value.is_finite() else str(value)
        if (
            isinstance(value, bool)
            or not isinstance(value, str | int | Decimal)
            or not _NUMBER.fullmatch(text)
        ):
            raise self.wrong(key, f"it must be {_EXACT}")
        if text.partition("/")[2].strip("0") == "" and "/" in text:
            raise self.wrong(key, f"it divides by 0; it must be {_EXACT}")
        return Fraction(text)

    def choice(self, key: str, options: type[E], default: E) -> E:
        """Return one of the words of an enumeration."""
        value = self.data.get(key, default.value)
        found = {option.value: option for option in options}.get(value) if isinstance(value, str) else None
        if found is None:
            words = [option.value for option in options]
            raise self.wrong(key, f"it must be one of {', '.join(words)}{_meant(value, words)}")
        return found

    def money(self, key: str) -> Money:
        """Return an amount of money that whole minor units make."""
        amount, currency = self.price(key)
        minor = amount * 10 ** exponent(currency)
        if minor.denominator != 1:
            raise self.wrong(key, f"{currency} has {exponent(currency)} decimal digits")
        return Money(int(minor), currency)

    def price(self, key: str) -> tuple[Fraction, str]:
        """Return an amount in major units, of any number of digits, and its currency."""
        value = self.data.get(key)
        found = _MONEY.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            raise self.wrong(key, f"it must be {_AMOUNT}")
        self.currency(key, found.group(2))
        return Fraction(found.group(1)), found.group(2)

    def currency(self, key: str, code: str) -> str:
        """Return the code of a currency that there is."""
        try:
            exponent(code)
        except ValueRefused as error:
            raise self.wrong(key, str(error)) from None
        return code

    def texts(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """Return one text or several."""
        value = self.data.get(key, default)
        given = (value,) if isinstance(value, str) else value
        if (
            not isinstance(given, (list, tuple))
            or not given
            or any(not isinstance(one, str) for one in given)
        ):
            raise self.wrong(key, "it must be a text or a list of texts")
        return tuple(dict.fromkeys(given))

    def table(self, key: str) -> Table:
        """Return a table within this one; empty if it is not given."""
        value = self.data.get(key, {})
        if not isinstance(value, Mapping):
            raise self.wrong(key, "it must be a table, such as { points = 100 }")
        return Table(value, self.where, f"{self.path}{key}.")

    def tables(self, key: str) -> Iterator[Table]:
        """Yield the tables of a list within this one."""
        value = self.data.get(key, ())
        if not isinstance(value, (list, tuple)) or any(not isinstance(one, Mapping) for one in value):
            raise self.wrong(key, "it must be a list of tables")
        for number, one in enumerate(value, 1):
            yield Table(one, self.where, f"{self.path}{key}[{number}].")


def _meant(value: object, words: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(value, words, n=1) if isinstance(value, str) else []
    return f"; did you mean {near[0]!r}?" if near else ""


def _shown(value: Any) -> str:
    if isinstance(value, Decimal | date):
        return str(value)
    return repr(value)[:100]
