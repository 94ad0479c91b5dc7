"""How alike two texts are: Jaro-Winkler by rapidfuzz where it is installed, else the same in Python."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache


def alike(one: str, other: str) -> float:
    """Return the Jaro-Winkler similarity of two texts, 0 to 1; the same whichever comes first.

    The formula is that of Winkler 1990, the common prefix of at most 4 counting 0.1 a letter where the Jaro similarity
    is above 0.7.
    """
    # the greedy matching of Jaro depends on the order for a few pairs
    return _measure()(one, other) if one <= other else _measure()(other, one)


@lru_cache(maxsize=1)
def _measure() -> Callable[[str, str], float]:
    try:
        from rapidfuzz.distance import JaroWinkler
    except ImportError:
        return jaro_winkler
    measure: Callable[[str, str], float] = JaroWinkler.normalized_similarity
    return measure


def jaro_winkler(one: str, other: str) -> float:
    """Return the Jaro-Winkler similarity in plain Python, some fifteen times as slow."""
    found = _jaro(one, other)
    if found <= 0.7:
        return found
    prefix = 0
    for mine, theirs in zip(one[:4], other[:4], strict=False):
        if mine != theirs:
            break
        prefix += 1
    return found + prefix * 0.1 * (1 - found)


def _jaro(one: str, other: str) -> float:
    if not one or not other:
        return float(one == other)
    mine, theirs = _matching(one, other)
    matches = len(mine)
    if not matches:
        return 0.0
    halves = sum(a != b for a, b in zip(mine, theirs, strict=True))
    return (matches / len(one) + matches / len(other) + (matches - halves // 2) / matches) / 3


def _matching(one: str, other: str) -> tuple[list[str], list[str]]:
    """Return the letters that match within the window, in the order of each text."""
    window = max(max(len(one), len(other)) // 2 - 1, 0)
    taken: set[int] = set()
    mine = []
    for place, letter in enumerate(one):
        for there in range(max(0, place - window), min(len(other), place + window + 1)):
            if there not in taken and other[there] == letter:
                taken.add(there)
                mine.append(letter)
                break
    return mine, [other[place] for place in sorted(taken)]


def one_edit(one: str, other: str) -> bool:
    """Tell whether one letter more, less, other, or two neighbours exchanged make one text of the other."""
    if len(one) > len(other):
        one, other = other, one
    if len(other) - len(one) > 1 or one == other:
        return False
    start = next((at for at, letter in enumerate(one) if letter != other[at]), len(one))
    if len(one) < len(other):
        return one[start:] == other[start + 1 :]
    swapped = one[start + 1 : start + 2] + one[start : start + 1] + one[start + 2 :]
    return one[start + 1 :] == other[start + 1 :] or swapped == other[start:]
