"""Events of reward rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import attrs

from crmkit.events.log import Event, personal
from crmkit.rewards import Award, NoAward


def _awards(value: Iterable[Award]) -> tuple[Award, ...]:
    return tuple(value)


def _refusals(value: Iterable[NoAward]) -> tuple[NoAward, ...]:
    return tuple(value)


def _frozen(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(value))


@attrs.frozen(kw_only=True)
class RewardsDecided(Event):
    """The rules decided about something other than the payment of an order, which is in `OrderPaid`.

    Args:
        trigger: what happened, such as "member.birthday" or "order.shipped".
        key: names the happening among those of its trigger and contact; of an order its number.
        awards: granted.
        refusals: not granted, each with its reason.
        payload: plain data of what happened.
    """

    trigger: str
    key: str
    awards: tuple[Award, ...] = attrs.field(default=(), converter=_awards)
    refusals: tuple[NoAward, ...] = attrs.field(default=(), converter=_refusals)
    payload: Mapping[str, Any] = personal(factory=dict, converter=_frozen)
