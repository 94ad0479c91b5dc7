"""Who goes next: ways in which several may do at the same time what each does in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


@st.composite
def interleavings(draw: st.DrawFn, deeds: Sequence[Sequence[T]]) -> list[tuple[int, T]]:
    """Draw an order in which all deeds are done, each with the number of whose it is.

    Args:
        draw: given by Hypothesis.
        deeds: what each does, in the order in which it does it; that order is kept.
    """
    turns = draw(st.permutations([number for number, mine in enumerate(deeds) for _ in mine]))
    waiting = [iter(mine) for mine in deeds]
    return [(number, next(waiting[number])) for number in turns]
