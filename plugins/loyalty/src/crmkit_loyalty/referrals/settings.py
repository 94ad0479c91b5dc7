"""The settings of referrals."""

from __future__ import annotations

from typing import Any

import attrs

from crmkit_loyalty.nested import refused, whole


def _window(value: Any) -> int:
    return int(whole("referrals", "window_days", 1, 3660)(value))


def _hold(value: Any) -> int:
    return int(whole("referrals", "hold_days", 0, 365)(value))


def _least(value: Any) -> int:
    return int(whole("referrals", "least", 0, 10**15)(value))


def _new_only(value: Any) -> bool:
    if not isinstance(value, bool):
        raise refused("referrals", "new_only", value, "must be True or False")
    return value


@attrs.frozen(kw_only=True)
class ReferralSettings:
    """The settings of referrals, given as `settings={"loyalty": {"referrals": {...}}}`; `{}` for the defaults.

    Args:
        window_days: for how many days after the claim an order of the friend counts.
        hold_days: for how many days after it was paid the reward waits: the time in which orders are returned.
        least: what must be left of the order to count, in minor units of its currency.
        new_only: whether a friend who has paid for an order before can be claimed.
    """

    window_days: int = attrs.field(default=30, converter=_window)
    hold_days: int = attrs.field(default=14, converter=_hold)
    least: int = attrs.field(default=1, converter=_least)
    new_only: bool = attrs.field(default=True, converter=_new_only)
