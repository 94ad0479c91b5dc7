"""Limits: how much a rule may grant for one event, one member or all, in a window of the calendar."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import attrs

from crmkit.errors import ValueRefused
from crmkit.money import Money
from crmkit.rewards.facts import Facts
from crmkit.rewards.windows import Window, window_of, zone_of, zone_or


class Per(StrEnum):
    """For whom a limit holds."""

    EVENT = "event"  #: for one happening, such as one order
    MEMBER = "member"  #: for one member, in windows of the member's zone
    ALL = "all"  #: for all members together, in windows of the programme's zone


class Over(StrEnum):
    """What becomes of an award that goes over a limit."""

    TRUNCATE = "truncate"  #: it is cut to what is left
    REFUSE = "refuse"  #: it is not granted


def _count(instance: object, attribute: attrs.Attribute[int | None], value: object) -> None:
    if value is not None and (type(value) is not int or not 0 <= value <= 2**62):
        raise ValueRefused(
            f"Limit.{attribute.name} is {value!r}; it must be a whole number from 0 on, or None for no limit"
        )


@attrs.frozen(kw_only=True)
class Limit:
    """The most that a rule may grant: so many units, times or so much money. None is no limit, 0 is never.

    Args:
        per: for whom it holds.
        window: for how long; "ever" for one event.
        units: how many units.
        times: how many awards.
        money: how much they may cost the shop.
        over: what becomes of the award that goes over it; where it cannot be cut, it is refused.

    Raises:
        ValueRefused: if more than one of units, times and money is given, or an event is given a window.
    """

    per: Per = attrs.field(converter=Per)
    window: Window = attrs.field(default=Window.EVER, converter=Window)
    units: int | None = attrs.field(default=None, validator=_count)
    times: int | None = attrs.field(default=None, validator=_count)
    money: Money | None = None
    over: Over = attrs.field(default=Over.TRUNCATE, converter=Over)

    def __attrs_post_init__(self) -> None:
        given = [name for name in ("units", "times", "money") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueRefused(
                f"a limit bounds one of units, times and money, this one {' and '.join(given)}"
            )
        if self.money is not None and self.money.minor < 0:
            raise ValueRefused(f"Limit.money is {self.money}; it must be 0 or more")
        if self.per is Per.EVENT and self.window is not Window.EVER:
            raise ValueRefused(f"a limit per event has no window, this one has {self.window.value!r}")

    @property
    def is_bounded(self) -> bool:
        """Whether it bounds anything."""
        return self.units is not None or self.times is not None or self.money is not None

    @property
    def needs_memory(self) -> bool:
        """Whether earlier events count, so that a ledger must be asked."""
        return self.is_bounded and self.per is not Per.EVENT

    def __str__(self) -> str:
        bounds = (f"{self.units} units", f"{self.times} times", str(self.money))
        given = (self.units, self.times, self.money)
        bound = next((text for text, value in zip(bounds, given, strict=True) if value is not None), "any")
        whom = {Per.EVENT: "for one event", Per.MEMBER: "for a member", Per.ALL: "for all"}[self.per]
        when = (
            "" if self.per is Per.EVENT else " ever" if self.window is Window.EVER else f" in a {self.window}"
        )
        return f"at most {bound} {whom}{when}"


@attrs.frozen(kw_only=True)
class Asked:
    """A question to the ledger: how much of a rule's grants still stands.

    What was taken back because its order was refunded or cancelled no longer does.

    Args:
        per: "member" or "all".
        rule: the rule's name, of whatever version.
        unit: the unit of the awards that count, such as "points"; of money the currency.
        currency: in which currency costs are asked for; empty where none are.
        contact_ids: every id of the member, or None for all members.
        start: from when on awards count, by the instant of what they were granted for.
        end: before when.
        excluding: the number of the order that is being decided anew, whose awards do not count; empty for none.
    """

    per: Per
    rule: str
    unit: str
    currency: str = ""
    contact_ids: tuple[UUID, ...] | None
    start: datetime
    end: datetime
    excluding: str = ""


@attrs.frozen(kw_only=True)
class Used:
    """How much of a rule's grants still stands.

    Args:
        units: of the unit asked for.
        times: how many awards.
        money: what they cost, in minor units of the currency asked for.
    """

    units: int = 0
    times: int = 0
    money: int = 0


#: Answers what is used up; every question gets an answer.
Usage = Callable[[Sequence[Asked]], Mapping[Asked, Used]]


def nothing_used(asked: Sequence[Asked]) -> Mapping[Asked, Used]:
    """Answer that nothing has been used up."""
    return dict.fromkeys(asked, Used())


def question(limit: Limit, rule: str, unit: str, facts: Facts, zone: str) -> Asked:
    """Return what to ask the ledger about a limit that needs memory.

    Args:
        limit: the limit.
        rule: the rule's name.
        unit: the unit of the award.
        facts: about which it decides.
        zone: the programme's.
    """
    mine = limit.per is Per.MEMBER
    start, end = window_of(facts.at, limit.window, zone_or(facts.zone, zone) if mine else zone_of(zone))
    anew = facts.trigger == "order.paid" and facts.has_order
    return Asked(
        per=limit.per,
        rule=rule,
        unit=unit,
        currency=limit.money.currency if limit.money is not None else "",
        contact_ids=facts.contact.ids if mine else None,
        start=start,
        end=end,
        excluding=facts.order.key if anew else "",
    )
