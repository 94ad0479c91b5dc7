"""Money: currencies of every exponent, amounts that break rounding."""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st

from crmkit.errors import ValueRefused
from crmkit.money import Money, exponent

#: Minor units of 2, 0 and 3 digits.
CURRENCIES = ("EUR", "GBP", "VND", "JPY", "KWD")
_EDGES = (0, 1, 2, 3, 33, 99, 100, 101, 999, 1000, 4999, 5000, 9999)


@cache
def currencies(words: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    """Return a strategy for currency codes, one of each exponent at least.

    Args:
        words: those of them that are currency codes are drawn most often.
    """
    wanted = tuple(word for word in words if _is_currency(word))
    return st.sampled_from(wanted) | st.sampled_from(CURRENCIES) if wanted else st.sampled_from(CURRENCIES)


def _is_currency(word: str) -> bool:
    try:
        return word.isupper() and len(word) == 3 and exponent(word) >= 0
    except ValueRefused:
        return False


def money(
    currency: str | None = None, *, least: int = 0, greatest: int = 1_000_000
) -> st.SearchStrategy[Money]:
    """Return a strategy for money.

    Args:
        currency: its code; any of `currencies()` by default.
        least: the least amount in minor units.
        greatest: the greatest amount in minor units.
    """
    one = st.just(currency) if currency else currencies()
    return st.builds(Money, minors(least, greatest), one)


@cache
def minors(least: int, greatest: int, near: tuple[int, ...] = ()) -> st.SearchStrategy[int]:
    """Return a strategy for amounts in minor units, of every size, many of them just beside a round one.

    Args:
        least: the least.
        greatest: the greatest.
        near: further ones that are drawn often, if they lie between these.
    """
    edges = [edge for edge in (*_EDGES, *near) if least <= edge <= greatest]
    sizes = [st.integers(least, size) for size in (1_000, 10_000) if least < size < greatest]
    return st.one_of(*([st.sampled_from(edges)] if edges else []), *sizes, st.integers(least, greatest))
