"""What the author of a rule claims about it, and how a rule is found in what was handed over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from crmkit.errors import ValueRefused
from crmkit.orders import Base
from crmkit.plugins import shown
from crmkit.rewards import Award, Facts, NoAward, RewardRule
from crmkit.settings import did_you_mean


def _base(value: Base | str | None) -> Base | None:
    return None if value is None else Base(value)


@attrs.frozen(kw_only=True)
class Claims:
    """What a rule is said to promise; each claim is tested, none is needed.

    Args:
        base: the part of the order that it rewards; by default the base that its awards carry.
        monotone: who spends more never gets less.
        max_per_order: the most units for one order, or None.
        scale: twice the order is twice the award, up to rounding.
    """

    base: Base | None = attrs.field(default=None, converter=_base)
    monotone: bool = False
    max_per_order: int | None = None
    scale: bool = False


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


def rules_of(handed: Any, suite: str) -> tuple[RewardRule, ...]:
    """Return the rules in what an author handed over: a rule, a function, or a plugin with rules.

    Raises:
        ValueRefused: if it is none of these; the message says what would have been right.
    """
    if isinstance(handed, type):
        raise ValueRefused(
            f"{suite}.rule is the class {handed.__name__}; give an instance, {handed.__name__}(...)"
        )
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
        f"{suite}.rule is {shown(handed)}; give a RewardRule, a function of the facts, or a plugin that has "
        "crmkit_reward_rules"
    )
