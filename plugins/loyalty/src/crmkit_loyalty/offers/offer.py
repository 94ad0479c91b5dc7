"""An offer, and whether it can be used once more: pure."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from typing import Any
from uuid import UUID

import attrs

from crmkit import FOREVER, Conflict, Money, Over, ValueRefused

NAME_LIMIT = 60


def _name(value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= NAME_LIMIT:
        raise ValueRefused(f"an offer's name is {value!r}; it must be a text of 1 to {NAME_LIMIT} characters")
    return value


def _limit(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None and (type(value) is not int or not 0 <= value <= 10**15):
        raise ValueRefused(
            f"Offer.{attribute.name} is {value!r}; it must be a whole number from 0 on, or None for no limit"
        )


def _budget(instance: object, attribute: attrs.Attribute[Money | None], value: object) -> None:
    if value is not None and (not isinstance(value, Money) or value.minor < 0):
        raise ValueRefused(f"Offer.budget is {value!r}; it must be Money of 0 or more, or None for no limit")


def _floor(value: Any) -> Fraction | None:
    if value is None:
        return None
    if isinstance(value, (bool, float)):
        raise ValueRefused(f"Offer.margin_floor is {value!r}; give an exact number such as '0.2' or '1/5'")
    try:
        found = Fraction(value)
    except (TypeError, ValueError, ZeroDivisionError):
        found = Fraction(-1)
    if not 0 <= found < 1:
        raise ValueRefused(f"Offer.margin_floor is {value!r}; it must be from 0 to below 1, such as '0.2'")
    return found


@attrs.frozen(kw_only=True)
class Offer:
    """Something that members may use, within limits. None is no limit, 0 is never.

    Args:
        name: unique; a new version under the same name takes its place, and what was used counts on.
        version: counts up with each change.
        budget: the most that all uses cost together.
        units: the most units that all uses give together.
        per_customer: how often one contact may use it.
        margin_floor: the least part of an order's price that must remain as its margin, such as "0.2".
        from_at: since when it is valid.
        until_at: until before when.
        granted_only: whether only those may use it to whom it was granted.
        over: what becomes of the last use, for which the budget does not suffice: "refuse" or "truncate".
    """

    name: str = attrs.field(converter=_name)
    version: int = attrs.field(default=1, validator=_limit)
    budget: Money | None = attrs.field(default=None, validator=_budget)
    units: int | None = attrs.field(default=None, validator=_limit)
    per_customer: int | None = attrs.field(default=1, validator=_limit)
    margin_floor: Fraction | None = attrs.field(default=None, converter=_floor)
    from_at: datetime | None = None
    until_at: datetime = FOREVER
    granted_only: bool = False
    over: Over = attrs.field(default=Over.REFUSE, converter=Over)


@attrs.frozen(kw_only=True)
class Use:
    """That an offer was granted, used, or given back.

    Args:
        id: its id.
        key: unique among uses.
        kind: "grant", "redeem" or "release".
        offer: the offer's name.
        version: its version then.
        contact_id: whose.
        times: 1 for a use, -1 for one that is given back, 0 for a grant.
        units: units that it gives, negative when given back.
        cost: what it costs the shop in minor units, negative when given back.
        order_key: the order, or empty.
        at: when.
    """

    id: UUID
    key: str
    kind: str
    offer: str
    version: int
    contact_id: UUID
    times: int = 0
    units: int = 0
    cost: int = 0
    order_key: str = ""
    at: datetime


@attrs.frozen
class Usage:
    """How much of an offer is used up.

    Args:
        times: how often.
        units: how many units were given.
        cost: what that cost, in minor units.
    """

    times: int = 0
    units: int = 0
    cost: int = 0


class OfferRefused(Conflict):
    """An offer cannot be used.

    Args:
        offer: its name.
        reason: the limit that is in the way, with its values.
    """

    def __init__(self, offer: str, reason: str) -> None:
        super().__init__(f"offer {offer!r} cannot be used: {reason}")
        self.offer = offer
        self.reason = reason


@attrs.frozen(kw_only=True)
class Wanted:
    """What one use would come to.

    Args:
        cost: what it costs the shop.
        units: units that it gives.
        price: what the customer would pay for the order without it, if there is a margin to keep.
        margin: what the shop would keep of that.
    """

    cost: Money
    units: int = 0
    price: Money | None = None
    margin: Money | None = None


def decide(offer: Offer, wanted: Wanted, everybody: Usage, mine: Usage, at: datetime) -> Wanted:
    """Return what an offer gives, cut to what is left if it says so.

    Args:
        offer: as it stands.
        wanted: what one more use would come to.
        everybody: what all have used.
        mine: what the customer has used.
        at: when.

    Raises:
        OfferRefused: naming the limit and its values.
    """
    if (offer.from_at is not None and at < offer.from_at) or at >= offer.until_at:
        raise OfferRefused(
            offer.name, f"it is valid from {offer.from_at or 'the beginning'} to {offer.until_at}"
        )
    if offer.per_customer is not None and mine.times >= offer.per_customer:
        raise OfferRefused(offer.name, f"it was used {mine.times} of {offer.per_customer} times")
    found = _within(offer, wanted, everybody)
    _refuse_thin(offer, found)
    return found


def _within(offer: Offer, wanted: Wanted, everybody: Usage) -> Wanted:
    cost, units = wanted.cost.minor, wanted.units
    if offer.budget is not None:
        if offer.budget.currency != wanted.cost.currency:
            raise ValueRefused(
                f"offer {offer.name!r} has a budget of {offer.budget}; a cost of {wanted.cost} is in another currency"
            )
        cost = _cut(offer, cost, offer.budget.minor - everybody.cost, f"budget of {offer.budget}")
    if offer.units is not None:
        units = _cut(offer, units, offer.units - everybody.units, f"{offer.units} units")
    return attrs.evolve(wanted, cost=Money(cost, wanted.cost.currency), units=units)


def _cut(offer: Offer, amount: int, left: int, limit: str) -> int:
    if amount <= left:
        return amount
    if offer.over is Over.REFUSE or left <= 0:
        raise OfferRefused(offer.name, f"of its {limit} {max(0, left)} are left, {amount} are wanted")
    return left


def _refuse_thin(offer: Offer, wanted: Wanted) -> None:
    if offer.margin_floor is None:
        return
    if wanted.price is None or wanted.margin is None:
        raise ValueRefused(f"offer {offer.name!r} has a margin floor; say what the price and the margin are")
    price, margin = (one.minor - wanted.cost.minor for one in (wanted.price, wanted.margin))
    if Fraction(margin) < offer.margin_floor * price:
        raise OfferRefused(
            offer.name, f"a margin of {margin} would remain of {price}, below {offer.margin_floor} of it"
        )
