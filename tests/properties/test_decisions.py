"""How rules are decided: the kit's own attacks on the engine, and the known bugs that each of them finds.

kills: every mutant of `crmkit.testing.rewards.mutants`, by the law that it names.
"""

from __future__ import annotations

import pytest
from hypothesis import settings

from crmkit.testing import Mutant, Property, hunt
from crmkit.testing.attacks import Tally
from crmkit.testing.rewards import decisions
from crmkit.testing.rewards.mutants import MUTANTS


def holds(attack: Property) -> None:
    """Try as many examples as the profile says."""
    attack.run(settings(deadline=None), Tally())


def test_law_18_lines_stand_in_any_order() -> None:
    holds(decisions.lines_stand_in_any_order)


def test_law_24_caps_hold() -> None:
    holds(decisions.caps_hold)


def test_law_24_limits_hold_in_each_window() -> None:
    holds(decisions.limits_hold_in_each_window)


def test_law_26_refusals_use_nothing_up() -> None:
    holds(decisions.refusals_use_nothing_up)


def test_law_28_budgets_are_never_overdrawn() -> None:
    holds(decisions.budgets_are_never_overdrawn)


def test_law_29_members_have_limits_of_their_own() -> None:
    holds(decisions.members_have_limits_of_their_own)


def test_law_30_none_is_no_limit_and_zero_is_never() -> None:
    holds(decisions.none_is_no_limit_and_zero_is_never)


def test_law_53_prices_leave_no_line_below_zero() -> None:
    holds(decisions.prices_leave_no_line_below_zero)


def test_law_54_discounts_come_to_their_lines() -> None:
    holds(decisions.discounts_come_to_their_lines)


def test_law_57_a_group_grants_once() -> None:
    holds(decisions.a_group_grants_once)


def test_law_62_the_best_of_several_is_granted() -> None:
    holds(decisions.the_best_of_several_is_granted)


@pytest.mark.parametrize("target", MUTANTS, ids=lambda target: target.name)
def test_each_is_seen_to_fail(target: Mutant) -> None:
    found = hunt(target)
    assert found.killed, found
