"""Bugs in the arithmetic of awards and refunds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pytest

from crmkit.testing import mutant
from crmkit_loyalty.testing.arithmetic import (
    awards_are_exact,
    partitions_take_back_everything,
    refunds_of_orders_take_back_everything,
)

Patch = pytest.MonkeyPatch

_CLAWED_BACK = "crmkit_loyalty.ledger.clawed_back"


def half_up(earned: int, refunded: Fraction, amount: int, *, whole: bool = False) -> int:
    """Return what `clawed_back` does, rounded to the nearest."""
    return math.floor(earned * refunded / amount + Fraction(1, 2))


@mutant(43, attack=partitions_take_back_everything)
def claw_back_rounds_half_up(patch: Patch) -> None:
    patch.setattr(_CLAWED_BACK, half_up)


@mutant(43, attack=partitions_take_back_everything, origin="solidusio/solidus#707")
def claw_back_of_what_was_left(patch: Patch) -> None:
    def before_this_one(earned: int, refunded: Fraction, amount: int, *, whole: bool = False) -> int:
        return max(0, math.floor(earned * (refunded - 1) / amount))

    patch.setattr(_CLAWED_BACK, before_this_one)


@mutant(42, attack=refunds_of_orders_take_back_everything, origin="akira-io/laravel-sisp#282")
def the_last_unit_is_never_taken_back(patch: Patch) -> None:
    def never_quite(earned: int, refunded: Fraction, amount: int, *, whole: bool = False) -> int:
        return math.floor(earned * refunded / (amount + 1))

    patch.setattr(_CLAWED_BACK, never_quite)


@mutant(11, attack=awards_are_exact, origin="odoo/odoo#111670")
def awards_are_computed_in_floats(patch: Patch) -> None:
    def in_floats(inputs: Mapping[str, Any]) -> int:
        exact: float = float(Fraction(inputs["rate"])) * inputs["minor"] / 10 ** inputs["exponent"]
        return math.floor(exact)

    patch.setattr("crmkit_loyalty.rules.recompute", in_floats)
