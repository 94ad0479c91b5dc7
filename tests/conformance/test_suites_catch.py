"""Each suite is seen to fail: what is broken on purpose is found, by the law that it breaks and no later one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import Phase, settings

from conformance.broken_channels import CHANNELS
from conformance.broken_rules import RULES, divides_by_zero, suite_for
from conformance.broken_stores import (
    MAPPINGS,
    RACES,
    STORES,
    Break,
    PlainStore,
    suite_in_autocommit,
    suite_over_a_table,
    suite_with,
)
from conformance.wire import BatchSuite, KeySuite, LookupSuite, WireChannel, WireSuite
from crmkit import MappedContacts
from crmkit.testing import ChannelSuite, RewardRuleSuite, StorageSuite, broken_laws
from crmkit.testing.laws import law_of, laws_in


class TestWireChannel(WireSuite):
    """The channel that the broken ones are made of keeps all laws."""


class TestWireChannelWithKeys(KeySuite):
    """Also where the provider honours keys."""


class TestWireChannelWithLookup(LookupSuite):
    """Also where the provider can be asked."""


class TestWireChannelWithBatches(BatchSuite):
    """Also when it sends in batches."""


@pytest.mark.parametrize(
    "channel, suite, number", CHANNELS, ids=lambda value: getattr(value, "__name__", str(value))
)
def test_a_broken_channel_is_found(channel: type[WireChannel], suite: type[WireSuite], number: int) -> None:
    (found,) = broken_laws(type(f"Test{channel.__name__}", (suite,), {"made": channel}), number)
    assert found.number == number
    assert channel.__name__ in str(found).splitlines()[0]
    assert f"channel-suite.md, law {number}" in str(found)


@pytest.fixture
def unshrunk() -> Iterator[None]:
    """Let Hypothesis show the first failing example: to shrink it is its own business, and takes long."""
    before = settings()
    settings.register_profile("unshrunk", before, phases=[Phase.generate], database=None)
    settings.load_profile("unshrunk")
    yield
    settings.register_profile("before", before)
    settings.load_profile("before")


@pytest.mark.usefixtures("unshrunk")
@pytest.mark.parametrize(
    "rule, claims, number, words", RULES, ids=lambda value: getattr(value, "__name__", str(value))
)
def test_a_broken_rule_is_found(
    rule: Callable[..., Any], claims: dict[str, Any], number: int, words: str
) -> None:
    (found,) = broken_laws(suite_for(rule, claims), number)
    assert found.number == number
    assert words in str(found)
    assert "to repeat it:" in str(found)
    assert "facts = Facts(" in str(found)


@pytest.mark.parametrize("what, number", STORES, ids=lambda value: getattr(value, "__name__", str(value)))
def test_a_broken_store_is_found(
    what: type[PlainStore] | Break, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(what, type):
        suite = suite_with(what())
    else:
        what(monkeypatch)
        suite = suite_with()
    (found,) = broken_laws(suite, number)
    assert found.number == number
    assert f"storage-suite.md, law {number}" in str(found)


@pytest.mark.parametrize("what, number", MAPPINGS, ids=lambda value: getattr(value, "__name__", str(value)))
def test_a_broken_mapping_is_found(
    what: type[MappedContacts] | Break, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(what, type):
        suite = suite_over_a_table(what)
    else:
        what(monkeypatch)
        suite = suite_over_a_table()
    (found,) = broken_laws(suite, number)
    assert found.number == number


@pytest.mark.parametrize("what, number", RACES, ids=lambda value: getattr(value, "__name__", str(value)))
def test_a_race_is_found(
    what: type[PlainStore] | Break, number: int, monkeypatch: pytest.MonkeyPatch, postgresql_url: str
) -> None:
    if isinstance(what, type):
        suite = suite_with(what(), url=postgresql_url)
    else:
        what(monkeypatch)
        make = suite_over_a_table if number == 30 else suite_with
        suite = make(url=postgresql_url)
    (found,) = broken_laws(suite, number)
    assert found.number == number


def test_an_engine_in_autocommit_is_found() -> None:
    (found,) = broken_laws(suite_in_autocommit(), 7)
    assert "the SQLite connection is in autocommit mode" in str(found)


def test_a_store_that_breaks_nothing_keeps_its_laws() -> None:
    assert broken_laws(suite_with(PlainStore()), 1, 2, 3, 4) == ()


def test_a_failing_order_is_shown_as_small_as_it_can_be() -> None:
    rule, claims, number, _ = next(one for one in RULES if one[0] is divides_by_zero)
    (found,) = broken_laws(suite_for(rule, claims), number)
    assert "[OrderLine('TEA', 1, Money(0, 'EUR'))]" in str(found)


def test_each_law_has_been_seen_to_fail() -> None:
    seen = {
        ChannelSuite: {number for _, _, number in CHANNELS},
        RewardRuleSuite: {number for _, _, number, _ in RULES},
        StorageSuite: {number for _, number in (*STORES, *MAPPINGS, *RACES)}
        | {7},  # the engine in autocommit
    }
    for suite, numbers in seen.items():
        held = {law.number for function in laws_in(suite).values() if (law := law_of(function))}
        assert held == numbers, suite.__name__
