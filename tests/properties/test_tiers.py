"""Tiers under attack: which tier a member has when is a pure function of what qualified.

The numbers are those of the laws of loyalty: 38-40 (time), 64-66 (tiers). Each property
is run against the code and against the broken variants of it that it kills.
"""

from __future__ import annotations

import random
from calendar import monthrange
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from crmkit import FOREVER
from crmkit_loyalty import Tier, periods
from crmkit_loyalty.occasions import jobs as occasions
from crmkit_loyalty.occasions.settings import OccasionSettings
from crmkit_loyalty.tiers import timeline
from crmkit_loyalty.tiers.settings import Downgrade, TierSettings, Window
from crmkit_loyalty.tiers.timeline import Qualifying, Span, span_at

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
LEVELS = (Tier("bronze", 0), Tier("silver", 50), Tier("gold", 100))
ZONES = st.sampled_from(["UTC", "Europe/London", "Asia/Kathmandu", "America/Santiago", "Pacific/Apia"])
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2028, 12, 31), timezones=st.just(UTC))
FOUND = st.lists(st.builds(Qualifying, MOMENTS, st.integers(1, 120)), max_size=8)

HUNT = settings(
    max_examples=max(300, settings().max_examples),
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def policies(**given: Any) -> st.SearchStrategy[TierSettings]:
    """Return settings of tiers with three levels."""
    drawn: dict[str, Any] = {
        "window": st.sampled_from(Window),
        "months": st.integers(1, 24),
        "grace_days": st.sampled_from([0, 0, 1, 30, 400]),
        "downgrade": st.sampled_from(Downgrade),
    }
    fixed = {name: st.just(value) for name, value in given.items()}
    return st.builds(TierSettings, levels=st.just(LEVELS), **(drawn | fixed))


@contextmanager
def broken(where: Any, name: str, variant: Any) -> Iterator[None]:
    """Put a broken variant in the place of real code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(where, name, variant)
        yield


def kills(body: Callable[..., None], strategies: Sequence[Any], where: Any, name: str, variant: Any) -> None:
    """Assert that a property finds a broken variant."""
    with broken(where, name, variant), pytest.raises(AssertionError, match="law"):
        HUNT(given(*strategies)(body))()


# --- law 64: thresholds --------------------------------------------------------------------------------------------


def every_amount_has_one_tier(amount: int, thresholds: list[int]) -> None:
    levels = tuple(Tier(f"t{n}", at) for n, at in enumerate(sorted(set(thresholds))))
    policy = TierSettings(levels=levels)
    fitting = [n for n, level in enumerate(levels) if level.threshold <= amount]
    assert policy.rank(amount) == (fitting[-1] if fitting else -1), "law 64"
    for n, level in enumerate(levels):
        assert policy.rank(level.threshold) == n, "law 64: its own threshold is within a tier"
        assert policy.rank(level.threshold - 1) == n - 1, "law 64: what lies below is the tier before, no gap"


LAW_64 = (st.integers(0, 300), st.lists(st.integers(0, 300), max_size=5))


@given(*LAW_64)
def test_law_64_thresholds_are_inclusive_and_gap_free(amount: int, thresholds: list[int]) -> None:
    every_amount_has_one_tier(amount, thresholds)


def test_law_64_the_first_tier_is_reached_with_nothing() -> None:
    spans = timeline.timeline([], TierSettings(levels=LEVELS), "UTC")
    assert spans == (Span(0, timeline.BEGINNING, FOREVER),)


def test_law_64_is_seen_to_fail() -> None:
    """erpnext#14930, #22167: `>` instead of `>=`."""
    exclusive = lambda self, amount: sum(amount > one.threshold for one in self.levels) - 1  # noqa: E731
    kills(every_amount_has_one_tier, LAW_64, TierSettings, "rank", exclusive)


# --- law 65: idempotent, order-free --------------------------------------------------------------------------------


def order_does_not_matter(found: list[Qualifying], policy: TierSettings, zone: str, seed: int) -> None:
    shuffled = random.Random(seed).sample(found, len(found))
    assert timeline.timeline(found, policy, zone) == timeline.timeline(shuffled, policy, zone), "law 65"


LAW_65 = (FOUND, policies(), ZONES, st.integers(0, 99))


@given(*LAW_65)
def test_law_65_the_order_in_which_it_is_heard_of_does_not_matter(
    found: list[Qualifying], policy: TierSettings, zone: str, seed: int
) -> None:
    order_does_not_matter(found, policy, zone, seed)


def test_law_65_is_seen_to_fail() -> None:
    """Voucherify's "discrepancies in customer tiers": a running sum in the order of arrival."""

    def as_heard(found: Any, policy: TierSettings, zone: str) -> Any:
        amount, steps = 0, [(timeline.BEGINNING, policy.rank(0))]
        for one in found:
            amount += one.amount
            steps.append((one.at, policy.rank(amount)))
        return steps

    kills(order_does_not_matter, LAW_65, timeline, "_reached", as_heard)


# --- law 66: no downgrade before the window's end and the grace ----------------------------------------------------


def held(found: list[Qualifying], policy: TierSettings, zone: str, at: datetime) -> int:
    """The best tier that was qualified for at any instant whose grace still lasts, looked for one by one."""

    def end(one: Qualifying) -> datetime:
        local = one.at.astimezone(ZoneInfo(zone))
        if policy.window is Window.LIFETIME:
            return FOREVER
        if policy.window is Window.YEAR:
            return datetime(local.year + 1, 1, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        return periods.months_later(one.at, policy.months, zone)

    def rank(moment: datetime) -> int:
        return policy.rank(sum(one.amount for one in found if one.at <= moment < end(one)))

    def lasts(moment: datetime, after: datetime) -> bool:
        return after == FOREVER or at < periods.days_later(after, policy.grace_days, zone)

    edges = sorted({timeline.BEGINNING, *(one.at for one in found), *(end(one) for one in found)})
    reached = [
        (
            moment,
            rank(moment),
            next((after for after in edges if after > moment and rank(after) != rank(moment)), FOREVER),
        )
        for moment in edges
        if moment <= at
    ]
    return max(rank_ for moment, rank_, after in reached if lasts(moment, after))


def tiers_are_kept_for_the_grace(
    found: list[Qualifying], policy: TierSettings, zone: str, at: datetime, edge: int
) -> None:
    spans = timeline.timeline(found, policy, zone)
    moment = spans[edge % len(spans)].from_at + timedelta(microseconds=edge % 3 - 1) if edge % 2 else at
    assume(moment >= timeline.BEGINNING)
    assert span_at(spans, moment).rank == held(found, policy, zone, moment), "law 66"
    assert [(a.until_at, a.rank) for a in spans[:-1]] == [(b.from_at, a.rank) for a, b in pairwise(spans)], (
        "law 40: spans follow one another"
    )


LAW_66 = (FOUND, policies(downgrade=Downgrade.EARNED), ZONES, MOMENTS, st.integers(0, 60))


@given(*LAW_66)
def test_law_66_a_tier_is_kept_until_its_window_and_its_grace_have_ended(
    found: list[Qualifying], policy: TierSettings, zone: str, at: datetime, edge: int
) -> None:
    tiers_are_kept_for_the_grace(found, policy, zone, at, edge)


@pytest.mark.parametrize(
    "name, variant",
    [
        ("_kept", lambda steps, days, zone: steps),
        ("days_later", lambda at, days, zone: at + timedelta(days=days, microseconds=1)),
        ("_window_end", lambda at, policy, zone: periods.year_end(at, "UTC")),
    ],
    ids=["no grace", "a microsecond too long", "years of another zone"],
)
def test_law_66_is_seen_to_fail(name: str, variant: Any) -> None:
    kills(tiers_are_kept_for_the_grace, LAW_66, timeline, name, variant)


def falls_go_one_by_one(found: list[Qualifying], policy: TierSettings, zone: str) -> None:
    free = attrs.evolve(policy, downgrade=Downgrade.EARNED)
    spans, earned = (timeline.timeline(found, one, zone) for one in (policy, free))
    for one, following in pairwise(spans):
        assert following.rank >= one.rank - 1, "law 66: one level at a time"
    for edge in {span.from_at for span in (*spans, *earned)}:
        assert span_at(spans, edge).rank >= span_at(earned, edge).rank, "law 66: never below what is earned"
    assert spans[-1].rank == earned[-1].rank, "law 66: in the end it is what is earned"


LAW_66_STEPS = (FOUND, policies(downgrade=Downgrade.ONE_LEVEL), ZONES)


@given(*LAW_66_STEPS)
def test_law_66_one_level_at_a_time(found: list[Qualifying], policy: TierSettings, zone: str) -> None:
    falls_go_one_by_one(found, policy, zone)


def test_law_66_one_level_is_seen_to_fail() -> None:
    """It falls straight to what is earned."""
    kills(falls_go_one_by_one, LAW_66_STEPS, timeline, "_one_level_down", lambda steps, policy, zone: steps)


def ranks_only_rise(found: list[Qualifying], policy: TierSettings, zone: str) -> None:
    ranks = [span.rank for span in timeline.timeline(found, policy, zone)]
    assert ranks == sorted(ranks), "law 66"


LAW_66_NEVER = (FOUND, policies(downgrade=Downgrade.NEVER), ZONES)


@given(*LAW_66_NEVER)
def test_law_66_never_is_never(found: list[Qualifying], policy: TierSettings, zone: str) -> None:
    ranks_only_rise(found, policy, zone)


def test_law_66_never_is_seen_to_fail() -> None:
    """A policy that nobody asks for."""
    kills(ranks_only_rise, LAW_66_NEVER, timeline, "_never_down", lambda steps: steps)


# --- laws 38-40: days that come round, months that clamp -----------------------------------------------------------


def a_birthday_comes_once_a_year(born: date, first: date, late: int) -> None:
    found: dict[int, set[date]] = {}
    for days in range(0, 800, 7):
        for day in occasions.come_round(born, first + timedelta(days=days), OccasionSettings(days_late=late)):
            found.setdefault(day.year, set()).add(day)
    assert all(len(days) == 1 for days in found.values()), "law 38"
    for year, (day,) in found.items():
        clamped = (born.month, born.day) == (2, 29) and year % 4 != 0
        assert (day.month, day.day) == ((2, 28) if clamped else (born.month, born.day)), "law 38"


BORN = st.dates(date(1900, 1, 1), date(2030, 1, 1)) | st.just(date(2000, 2, 29))
LAW_38 = (BORN, st.dates(date(2020, 1, 1), date(2036, 1, 1)), st.integers(0, 60))


@given(*LAW_38)
def test_law_38_a_birthday_comes_once_a_year(born: date, first: date, late: int) -> None:
    a_birthday_comes_once_a_year(born, first, late)


@pytest.mark.parametrize(
    "variant",
    [
        lambda born, year, leap_day: (
            date(year, 3, 1) if (born.month, born.day) == (2, 29) else born.replace(year=year)
        ),
        lambda born, year, leap_day: born + timedelta(days=365 * (year - born.year)),
    ],
    ids=["1 March also in leap years", "years of 365 days"],
)
def test_law_38_is_seen_to_fail(variant: Any) -> None:
    """SMF#5955, Carbon#445."""
    kills(a_birthday_comes_once_a_year, LAW_38, occasions, "birthday", variant)


def months_clamp(at: datetime, months: int, zone: str) -> None:
    local = at.astimezone(ZoneInfo(zone))
    later = periods.months_later(at, months, zone).astimezone(ZoneInfo(zone))
    wanted = local.year * 12 + local.month - 1 + months
    last = monthrange(wanted // 12, wanted % 12 + 1)[1]
    naive = datetime(wanted // 12, wanted % 12 + 1, min(local.day, last), local.hour, local.minute)
    # an hour, or in Apia a day, that the zone skips is as much later
    assert timedelta(0) <= later.replace(tzinfo=None, second=0, microsecond=0) - naive <= timedelta(days=1), (
        "law 39"
    )


LAW_39 = (MOMENTS, st.integers(1, 36), ZONES)


@given(*LAW_39)
def test_law_39_months_clamp_and_never_skip(at: datetime, months: int, zone: str) -> None:
    months_clamp(at, months, zone)


def test_law_39_is_seen_to_fail() -> None:
    """30 days for a month."""
    kills(
        months_clamp,
        LAW_39,
        periods,
        "months_later",
        lambda at, months, zone: at + timedelta(days=30 * months),
    )


def an_instant_lies_in_one_day_and_year(at: datetime, zone: str) -> None:
    day = periods.local_day(at, zone)
    assert periods.day_start(day, zone) <= at < periods.day_start(day + timedelta(days=1), zone), "law 40"
    assert periods.year_start(at, zone) <= at < periods.year_end(at, zone), "law 40"


LAW_40 = (MOMENTS, ZONES)


@given(*LAW_40)
def test_law_40_an_instant_lies_in_one_day_and_one_year(at: datetime, zone: str) -> None:
    an_instant_lies_in_one_day_and_year(at, zone)


def test_law_40_is_seen_to_fail() -> None:
    """Days that begin in UTC."""
    in_utc = lambda day, zone: datetime.combine(day, time(), UTC)  # noqa: E731
    kills(an_instant_lies_in_one_day_and_year, LAW_40, periods, "day_start", in_utc)
