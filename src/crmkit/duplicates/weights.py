"""Fellegi-Sunter weights: what each level of agreement says for or against two records being one contact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import exp, log, log2

import attrs

from crmkit.duplicates.levels import EXACT, FIELDS

#: Of how many pairs that are compared at random one is a duplicate, before anything was learned.
PRIOR = 2.0**-20

#: Probabilities are kept away from 0 and 1 by this much; a double has no room for less.
_EDGE = 1e-12


@attrs.frozen(eq=False)
class Weights:
    """How much each level of each field weighs, in bits.

    The weight of a level is log2(m/u), where m is how often duplicates agree so far and u how often others do (Fellegi
    and Sunter 1969). A better level never weighs less than a worse one, agreement never speaks against, and what is
    missing weighs nothing.

    Args:
        m: by field, how often each level is met among duplicates.
        u: by field, how often among others.
        prior: of how many pairs that are compared at random one is a duplicate; between 0 and 1.
    """

    m: Mapping[str, Sequence[float]] = attrs.field(factory=lambda: {name: f.m for name, f in FIELDS.items()})
    u: Mapping[str, Sequence[float]] = attrs.field(factory=lambda: {name: f.u for name, f in FIELDS.items()})
    prior: float = PRIOR

    @cached_property
    def bits(self) -> Mapping[str, tuple[float, ...]]:
        """The weights by field and level; level 0, missing, weighs 0."""
        return {name: _bits(self.m[name], self.u[name]) for name in FIELDS}

    @property
    def prior_bits(self) -> float:
        """The weight that stands before any comparison."""
        return log2(self.prior / (1 - self.prior))

    def exact(self, field: str, frequency: float) -> float:
        """Return the weight of agreeing exactly in a value, the rarer the more.

        Args:
            field: which.
            frequency: the share of contacts that have the value.
        """
        return max(log2(self.m[field][0] / frequency), self.bits[field][EXACT + 1], 0.0)


def _bits(m: Sequence[float], u: Sequence[float]) -> tuple[float, ...]:
    found = [log2(mine / theirs) for mine, theirs in zip(m, u, strict=True)]
    for level in range(len(found) - 2, -1, -1):
        found[level] = max(found[level], found[level + 1])
    return (0.0, max(found[0], 0.0), *found[1:])


def probability(weight: float) -> float:
    """Return the probability that a pair with so many bits for it is one contact: above 0 and below 1."""
    odds = exp(-abs(weight) * log(2))
    found = 1 / (1 + odds) if weight >= 0 else odds / (1 + odds)
    return min(max(found, _EDGE), 1 - _EDGE)
