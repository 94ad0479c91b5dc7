"""What rules answer: awards and refusals, plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import attrs

from crmkit.clock import FOREVER
from crmkit.errors import ValueRefused
from crmkit.money import Money
from crmkit.orders import Base
from crmkit.text import clean


class Effect(StrEnum):
    """What an award gives; only points fill lots."""

    POINTS = "points"  #: `amount` units of `unit`
    COUPON = "coupon"  #: `amount` coupons of the name `item`
    GIFT_CARD = "gift_card"  #: a card worth `amount` minor units of the currency `unit`
    FREE_PRODUCT = "free_product"  #: `amount` pieces of the product `item`
    PRICE = "price"  #: `amount` minor units of the currency `unit` off the order, by line in `lines`


def _frozen(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(value))


def _unit(value: str) -> str:
    return clean(value, "unit", limit=30, empty=False)


def _units(instance: object, attribute: attrs.Attribute[int], value: object) -> None:
    if type(value) is not int or not 0 <= value <= 2**62:
        raise ValueRefused(f"Award.{attribute.name} is {value!r}; it must be a whole number from 0 on")


@attrs.frozen(kw_only=True)
class Lot:
    """When the units of an award may be spent: from `active_from` until before `expires_at`.

    Args:
        active_from: when they may be spent first; None for at once.
        expires_at: when they may be spent no more.
        qualifying: whether they count for tiers.
    """

    active_from: datetime | None = None
    expires_at: datetime = FOREVER
    qualifying: bool = True


@attrs.frozen(kw_only=True)
class Award:
    """What a rule grants.

    Args:
        amount: how many units, coupons or pieces, or how many minor units of money; see `Effect`.
        unit: what is granted, "points" by default; of a gift card or a price the currency.
        base: the part of the order the amount was computed on; refunds claw back in proportion to it.
        lot: when the units may be spent.
        inputs: the values that decided, plain data, so that the amount can be checked again.
        effect: what is given.
        item: the coupon's name, or the product's code.
        cost: what it costs the shop, for budgets in money; None if nobody said.
        lines: how much of the amount each line of the order earned, by line id, the whole amount in all; empty
            if it was not earned by lines. Only what is given back of these lines claws back.
        rule: `name@version`, set by the engine.
        owner: the plugin that brought the rule, set by the engine.
        lane: the rule's lane, set by the engine.
        programme: `name@version` of the programme that states the rule, if one does; set by the engine.
        capped_from: what the rule asked for, if a cap or limit cut it; set by the engine.
        capped_by: which cap or limit that was, in words; set by the engine.
    """

    amount: int = attrs.field(validator=_units)
    unit: str = attrs.field(default="points", converter=_unit)
    base: Base = attrs.field(default=Base.GOODS, converter=Base)
    lot: Lot = Lot()
    inputs: Mapping[str, Any] = attrs.field(factory=dict, converter=_frozen)
    effect: Effect = attrs.field(default=Effect.POINTS, converter=Effect)
    item: str = ""
    cost: Money | None = None
    lines: Mapping[str, int] = attrs.field(factory=dict, converter=_frozen)
    rule: str = ""
    owner: str = ""
    lane: str = ""
    programme: str = ""
    capped_from: int | None = None
    capped_by: str = ""


@attrs.frozen(kw_only=True)
class NoAward:
    """Why a rule granted nothing.

    Args:
        reason: the condition that failed, with its value.
        rule: `name@version`, set by the engine.
        owner: the plugin that brought the rule, or that vetoed; set by the engine.
        vetoed: the amount that was refused by a veto, else None.
    """

    reason: str
    rule: str = ""
    owner: str = ""
    vetoed: int | None = None
