"""Each suite is seen to fail: what is broken on purpose is found, by the law that it breaks and no later one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from conformance.broken_channels import CHANNELS
from conformance.broken_rules import RULES, suite_for
from conformance.broken_stores import STORES, Break, PlainStore, suite_with
from conformance.wire import BatchSuite, KeySuite, LookupSuite, WireChannel, WireSuite

from crmkit.testing import broken_laws


class TestWireChannel(WireSuite):
    """The channel that the broken ones are made of keeps all laws."""


class TestWireChannelWithKeys(KeySuite):
    """Also where the provider honours keys."""


class TestWireChannelWithLookup(LookupSuite):
    """Also where the provider can be asked."""


class TestWireChannelWithBatches(BatchSuite):
    """Also when it sends in batches."""


@pytest.mark.parametrize("channel, suite, number", CHANNELS, ids=lambda value: getattr(value, "__name__", str(value)))
def test_a_broken_channel_is_found(channel: type[WireChannel], suite: type[WireSuite], number: int) -> None:
    (found,) = broken_laws(type(f"Test{channel.__name__}", (suite,), {"made": channel}), number)
    assert found.number == number
    assert channel.__name__ in str(found).splitlines()[0]
    assert f"channel-suite.md, law {number}" in str(found)


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


def test_a_store_that_breaks_nothing_keeps_its_laws() -> None:
    assert broken_laws(suite_with(PlainStore()), 1, 2, 3, 4) == ()
