"""What the author of a rule claims about it, and how a rule is found in what was handed over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import attrs

from crmkit.errors import ValueRefused
from crmkit.orders import Base
from crmkit.plugins import shown
from crmkit.programmes import Programme
from crmkit.rewards import Award, Facts, NoAward, RewardRule
from crmkit.settings import did_you_mean

#: What may be said of refunds.
PROPORTIONAL = "proportional"


def _base(value: Base | str | None) -> Base | None:
    return None if value is None else Base(value)


def _refund(instance: object, attribute: attrs.Attribute[str], value: object) -> None:
    if value not in ("", PROPORTIONAL):
        raise ValueError(f"refund={value!r} is no claim; there is refund={PROPORTIONAL!r}")


def _bound(instance: object, attribute: attrs.Attribute[int | None], value: object) -> None:
    if value is not None and (type(value) is not int or value < 0):
        raise ValueError(f"{attribute.name}={value!r} must be a whole number from 0 on")


@attrs.frozen(kw_only=True)
class Claims:
    """What a rule is said to promise; each claim is tested, none is needed.

    Args:
        base: the part of the order that it rewards; by default the base that its awards carry.
        monotone: who spends more never gets less.
        max_per_order: the most of a unit for one order, or None.
        max_per_day: the most of a unit that a member gets in one day of the member's zone, or None.
        scale: twice the order is twice the award, up to rounding.
        refund: "proportional": who returns a part keeps what the rule gives for the rest, up to rounding.
    """

    base: Base | None = attrs.field(default=None, converter=_base)
    monotone: bool = False
    max_per_order: int | None = attrs.field(default=None, validator=_bound)
    max_per_day: int | None = attrs.field(default=None, validator=_bound)
    scale: bool = False
    refund: str = attrs.field(default="", validator=_refund)


def claims_of(given: Mapping[str, Any], suite: str) -> Claims:
    """Return the claims that a suite makes.

    Args:
        given: the claims by name.
        suite: whose, for the error message.

    Raises:
        ValueRefused: if there is no such claim, or its value is wrong.
    """
    known = [field.name for field in attrs.fields(Claims)]
    for name in given:
        if name not in known:
            raise ValueRefused(f"{suite}.claims: there is no claim {name!r}{did_you_mean(name, known)}")
    try:
        return Claims(**given)
    except ValueError as error:
        raise ValueRefused(f"{suite}.claims: {error}") from None


@attrs.frozen
class FunctionRule:
    """A plain function from facts to an award, as a rule."""

    function: Callable[[Facts], Any]
    version: int = 1

    @property
    def name(self) -> str:
        """The function's name."""
        return getattr(self.function, "__name__", type(self.function).__name__)

    def evaluate(self, facts: Facts) -> Award | NoAward | Iterable[Award | NoAward]:
        """Call the function."""
        answer: Award | NoAward | Iterable[Award | NoAward] = self.function(facts)
        return answer


def rules_of(handed: Any, suite: str, folder: Path) -> tuple[RewardRule, ...]:
    """Return the rules in what an author handed over: a rule, a function, a programme or its file, or a plugin.

    Args:
        handed: what the suite has as `rule`.
        suite: whose, for the error message.
        folder: where the file of a programme is looked for.

    Raises:
        ValueRefused: if it is none of these; the message says what would have been right.
        ProgrammeError: if the file of a programme is wrong.
    """
    if isinstance(handed, type):
        raise ValueRefused(
            f"{suite}.rule is the class {handed.__name__}; give an instance, {handed.__name__}(...)"
        )
    if isinstance(handed, (str, PathLike)):
        return Programme.load(folder / handed).rules
    if isinstance(handed, Programme):
        return handed.rules
    if hasattr(handed, "evaluate"):
        return (handed,)
    if hasattr(handed, "crmkit_reward_rules"):
        found = tuple(handed.crmkit_reward_rules())
        if not found:
            raise ValueRefused(f"{suite}.rule is {shown(handed)}, whose crmkit_reward_rules() gives none")
        return found
    if callable(handed):
        return (FunctionRule(handed),)
    raise ValueRefused(
        f"{suite}.rule is {shown(handed)}; give a RewardRule, a function of the facts, a programme or the name of "
        "its file, or a plugin that has crmkit_reward_rules"
    )
