"""Known bugs of other systems, put into the engine that decides: each names the law that finds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import pytest

from crmkit.orders import OrderLine
from crmkit.rewards import Award
from crmkit.rewards.limits import Asked
from crmkit.testing.mutants import Mutant, mutant, original
from crmkit.testing.rewards.decisions import (
    a_group_grants_once,
    budgets_are_never_overdrawn,
    caps_hold,
    discounts_come_to_their_lines,
    limits_hold_in_each_window,
    lines_stand_in_any_order,
    members_have_limits_of_their_own,
    none_is_no_limit_and_zero_is_never,
    prices_leave_no_line_below_zero,
    refusals_use_nothing_up,
    the_best_of_several_is_granted,
)

Patch = pytest.MonkeyPatch

_CAPPED, _LIMITED = "crmkit.rewards.engine.capped", "crmkit.rewards.engine.limited"


@mutant(24, attack=caps_hold, origin="vendurehq/vendure#4353")
def a_cap_is_for_each_award(patch: Patch) -> None:
    capped = original(_CAPPED)
    patch.setattr(_CAPPED, lambda answer, cap, granted: capped(answer, cap, {}))


@mutant(26, attack=refusals_use_nothing_up, origin="vendurehq/vendure#5278")
def refused_awards_use_the_cap_up(patch: Patch) -> None:
    capped, asked = original(_CAPPED), {}  # type: ignore[var-annotated]

    def greedy(answer: Any, cap: int | None, granted: Mapping[str, int]) -> Any:
        if not granted and isinstance(answer, Award) and answer.inputs.get("n") == 0:
            asked.clear()
        found = capped(answer, cap, dict(asked))
        if isinstance(found, Award):
            asked[found.unit] = asked.get(found.unit, 0) + found.amount
        return found

    patch.setattr(_CAPPED, greedy)


@mutant(30, attack=none_is_no_limit_and_zero_is_never, origin="Sylius/Sylius#2077")
def zero_is_no_limit(patch: Patch) -> None:
    bounded = property(lambda self: bool(self.units or self.times or self.money))
    patch.setattr("crmkit.rewards.limits.Limit.is_bounded", bounded)


@mutant(24, attack=limits_hold_in_each_window, origin="shopware/shopware#11245")
def earlier_awards_are_forgotten(patch: Patch) -> None:
    limited = original(_LIMITED)

    def forgetful(award: Award, limit: Any, tally: Any, used: Any) -> Any:
        return limited(award, limit, tally, type(used)())

    patch.setattr(_LIMITED, forgetful)


@mutant(24, attack=limits_hold_in_each_window)
def a_month_begins_anew_each_day(patch: Patch) -> None:
    window_of = original("crmkit.rewards.limits.window_of")
    day = type(original("crmkit.rewards.limits.Window").DAY).DAY

    def short(at: Any, window: Any, zone: Any) -> Any:
        return window_of(at, day if window == "month" else window, zone)

    patch.setattr("crmkit.rewards.limits.window_of", short)


@mutant(29, attack=members_have_limits_of_their_own, origin="medusajs/medusa#15960")
def members_share_their_limits(patch: Patch) -> None:
    question = original("crmkit.rewards.capping.question")

    def everybodys(*given: Any) -> Asked:
        asked: Asked = attrs.evolve(question(*given), contact_ids=None)
        return asked

    patch.setattr("crmkit.rewards.capping.question", everybodys)


@mutant(28, attack=budgets_are_never_overdrawn, origin="django-oscar's max_discount")
def a_budget_lets_the_last_one_through(patch: Patch) -> None:
    limited = original(_LIMITED)

    def generous(award: Award, limit: Any, tally: Any, used: Any) -> Any:
        there = limit.money is not None and used.money < limit.money.minor
        return award if there else limited(award, limit, tally, used)

    patch.setattr(_LIMITED, generous)


@mutant(57, attack=a_group_grants_once, origin="django-oscar#3162")
def a_group_lets_all_through(patch: Patch) -> None:
    patch.setattr("crmkit.rewards.stacking._first_of_groups", lambda entrants: (list(entrants), []))


@mutant(62, attack=the_best_of_several_is_granted)
def the_first_is_taken_for_the_best(patch: Patch) -> None:
    patch.setattr("crmkit.rewards.stacking.Entrant.size", property(lambda self: 1))


@mutant(53, attack=prices_leave_no_line_below_zero, origin="vendurehq/vendure#2385")
def prices_are_taken_off_unseen(patch: Patch) -> None:
    spread = original("crmkit.rewards.prices._spread")

    def whole(awards: Sequence[Award], facts: Any) -> Any:
        yield from (attrs.evolve(award, lines=spread(award.amount, facts.order.shares)) for award in awards)

    patch.setattr("crmkit.rewards.engine.fitted", whole)


@mutant(18, attack=lines_stand_in_any_order, origin="medusajs/medusa#13431")
def the_first_line_gets_the_odd_penny(patch: Patch) -> None:
    def nothing(line: OrderLine) -> int:
        return 0

    patch.setattr("crmkit.orders._content", nothing)


@mutant(54, attack=discounts_come_to_their_lines, origin="vendurehq/vendure#3003")
def each_share_is_rounded_by_itself(patch: Patch) -> None:
    def rounded(amount: int, weights: Sequence[int]) -> list[int]:
        whole = sum(weights)
        return [amount * weight // whole if whole else 0 for weight in weights]

    patch.setattr("crmkit.orders.allocate", rounded)


#: All of them, in their order.
MUTANTS: tuple[Mutant, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Mutant))
