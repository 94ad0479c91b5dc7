"""The words and numbers in a rule, so that the generated orders are about what the rule is about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from types import CodeType
from typing import Any

from crmkit.money import Money
from crmkit.rewards import RewardRule

_MOST = 20


def words_of(rule: RewardRule) -> tuple[str, ...]:
    """Return the short texts in a rule: categories, product codes, channels, if it compares with any."""
    found = (value for value in _values(rule) if isinstance(value, str))
    return tuple(sorted({word for word in found if 0 < len(word) <= 50 and word.count(" ") < 4})[:_MOST])


def amounts_of(rule: RewardRule) -> tuple[int, ...]:
    """Return the whole numbers in a rule, thresholds perhaps, of which amounts in minor units are made."""
    found = {value for value in _values(rule) if type(value) is int and 1 < value <= 1_000_000}
    near = {amount for value in found for amount in (value - 1, value, 100 * value - 1, 100 * value)}
    return tuple(sorted(near)[: 4 * _MOST])


def _values(rule: Any) -> Iterator[Any]:
    """Yield the constants in the rule's code, and what its attributes and the names in its code stand for."""
    function = getattr(rule, "function", None) or getattr(rule.evaluate, "__func__", rule.evaluate)
    code = getattr(function, "__code__", None)
    names = getattr(function, "__globals__", {})
    for inner in _codes(code) if code else ():
        yield from (value for constant in inner.co_consts for value in _flat(constant))
        yield from (value for name in inner.co_names if name in names for value in _flat(names[name]))
    for name in dir(rule):
        if not name.startswith("_") and name not in ("name", "version", "reads", "triggers", "unit"):
            yield from _flat(getattr(rule, name, None))


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, Money):
        yield value.minor
    elif type(value) in (str, int):
        yield value
    elif isinstance(value, (tuple, list, Set, Mapping)) and len(value) <= _MOST:
        yield from (one for one in value if type(one) in (str, int))
