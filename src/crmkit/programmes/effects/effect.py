"""What every effect of a declared rule has: inputs out of facts, an amount out of inputs, an award out of both."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

from crmkit.money import allocate
from crmkit.programmes.baskets import Basket
from crmkit.rewards import Award

Inputs = dict[str, Any]

#: The most that one award may come to; what is more is a mistake in the rule.
MOST = 10**15


class EffectKind(Protocol):
    """Computes what a rule gives."""

    @property
    def needs_order(self) -> bool:
        """Whether it is computed from an order."""
        ...

    @property
    def template(self) -> Award:
        """What is the same in all its awards."""
        ...

    def amount(self, basket: Basket | None) -> int | None:
        """Return how much it gives; None where that cannot be said, and `why_not` says why."""
        ...

    def inputs(self, basket: Basket | None) -> Inputs:
        """Return the values that decide, plain data from which `recompute` gets the amount; asked if there is one."""
        ...

    def changes(self, amount: int, basket: Basket | None) -> dict[str, Any]:
        """Return what of an award depends on its amount: lines and cost."""
        ...

    def why_not(self, basket: Basket | None) -> str:
        """Return why there is no amount, with the values."""
        ...


def spread(amount: int, weights: Mapping[str, int]) -> Mapping[str, int]:
    """Return an amount by line, in proportion to weights, by largest remainder; the whole of it.

    Args:
        amount: what is to be spread.
        weights: by line id, in any order; it does not matter in which.
    """
    if len(weights) == 1:
        return MappingProxyType(dict.fromkeys(weights, amount))
    ids = sorted(weights, key=lambda id: (weights[id], id))
    return MappingProxyType(dict(zip(ids, allocate(amount, [weights[id] for id in ids]), strict=True)))
