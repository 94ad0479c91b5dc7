"""The strategies of the kit: what they promise, and that they reach what goes wrong."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from crmkit import Field, FieldType, ValueRefused
from crmkit.errors import ExpressionError
from crmkit.expressions import check
from crmkit.testing import as_code, strategies
from crmkit.testing.strategies.time import ZONES
from crmkit.testing.writing import as_program

QUICK = settings(max_examples=5000, database=None, derandomize=True)


def drawn(strategy: st.SearchStrategy[Any], condition: Any) -> Any:
    """Return something that the strategy draws and the condition likes, or fail."""
    return find(strategy, condition, settings=QUICK)


@given(strategies.timelines())
def test_a_timeline_never_goes_back(instants: list[datetime]) -> None:
    assert instants == sorted(instants)
    assert all(instant.tzinfo is UTC for instant in instants)


@given(strategies.timelines(least=2, most=3, start=datetime(2026, 1, 1, tzinfo=UTC), zone="Europe/London"))
def test_a_timeline_begins_and_ends_where_it_is_told_to(instants: list[datetime]) -> None:
    assert 2 <= len(instants) <= 3
    assert instants[0] >= datetime(2026, 1, 1, tzinfo=UTC)


def _clock_changes(instants: list[datetime]) -> bool:
    return any(
        one.astimezone(ZoneInfo(zone)).utcoffset()
        != (one + timedelta(hours=2)).astimezone(ZoneInfo(zone)).utcoffset()
        for one in instants
        for zone in ZONES
    )


@pytest.mark.parametrize(
    "condition",
    [
        lambda found: any((at.month, at.day) == (2, 29) for at in found),
        lambda found: any(at.day == calendar.monthrange(at.year, at.month)[1] for at in found),
        lambda found: any(at.microsecond == 999999 for at in found),
        lambda found: len(set(found)) < len(found),
        _clock_changes,
    ],
    ids=["leap day", "month end", "before midnight", "twice at once", "change of clocks"],
)
def test_timelines_reach_what_goes_wrong(condition: Any) -> None:
    assert drawn(strategies.timelines(), condition)


@given(st.data(), st.lists(st.lists(st.integers(), max_size=4), max_size=4))
def test_an_interleaving_keeps_the_order_of_each(data: st.DataObject, deeds: list[list[int]]) -> None:
    turns = data.draw(strategies.interleavings(deeds))
    assert [[deed for whose, deed in turns if whose == number] for number in range(len(deeds))] == deeds


def test_interleavings_take_turns() -> None:
    strategy = strategies.interleavings(["ab", "xy"])
    for wanted in ("abxy", "axby", "xyab"):
        assert drawn(strategy, lambda turns, wanted=wanted: "".join(deed for _, deed in turns) == wanted)


def test_members_have_zones_and_leap_birthdays() -> None:
    assert drawn(strategies.members(), lambda one: one.zone == "Australia/Lord_Howe")
    assert drawn(
        strategies.members(),
        lambda one: one.birth_date and (one.birth_date.month, one.birth_date.day) == (2, 29),
    )
    assert drawn(strategies.members(), lambda one: one.birth_date is None)


FIELDS = [
    Field("count", FieldType.INTEGER, bound=(0, 100)),
    Field("total", FieldType.DECIMAL, scale=2, bound=(-100, 100)),
    Field("city", FieldType.TEXT),
    Field("tags", FieldType.TEXT_SET),
    Field("member", FieldType.BOOLEAN),
    Field("born", FieldType.DATE),
    Field("seen", FieldType.INSTANT),
]


@pytest.mark.parametrize("fields", [FIELDS, *([field] for field in FIELDS)], ids=lambda some: some[-1].name)
def test_expressions_are_right_or_wrong_as_asked(fields: list[Field]) -> None:
    @settings(deadline=None)
    @given(strategies.expressions(fields), strategies.expressions(fields, well_typed=False))
    def law(right: str, wrong: str) -> None:
        check(right, fields)
        with pytest.raises(ExpressionError):
            check(wrong, fields)

    law()


def test_expressions_compare_with_the_words_that_are_given() -> None:
    assert drawn(strategies.expressions(FIELDS, words=["tea"]), lambda text: "'tea'" in text)


def test_expressions_over_nothing_are_refused() -> None:
    with pytest.raises(ValueRefused, match="needs a field"):
        strategies.expressions([])


@given(st.one_of(strategies.facts(), strategies.members()))
def test_a_program_runs_as_it_stands(value: object) -> None:
    namespace: dict[str, Any] = {}
    exec(as_program(f"found = {as_code(value)}"), namespace)
    assert namespace["found"] == value


def test_a_program_imports_only_what_it_names() -> None:
    program = as_program("x = Money(5, 'Order')\ny = law(Fraction(1, 2), Order='no')", law="shop.laws")
    assert program.splitlines() == [
        "from crmkit import Money",
        "from fractions import Fraction",
        "from shop.laws import law",
        "",
        "x = Money(5, 'Order')",
        "y = law(Fraction(1, 2), Order='no')",
    ]
