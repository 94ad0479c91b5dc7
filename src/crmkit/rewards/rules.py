"""What a rule is, who brought it, and what a set of rules decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar, runtime_checkable

import attrs

from crmkit.rewards.awards import Award, NoAward
from crmkit.rewards.facts import Facts

T = TypeVar("T")

#: What a rule without `triggers` is about.
TRIGGERS = ("order.paid",)


@runtime_checkable
class RewardRule(Protocol):
    """A named, versioned, pure function from facts to awards.

    Optional attributes: `triggers` (default `("order.paid",)`), `reads` (counters, default none), `fields` (names of
    the expression fields it reads, default none), `cap` (the most of one unit for one order; None for no cap, 0 for
    never), `limits` (a tuple of `Limit`), `zone` (the IANA zone of limits over all members), `lane`, `priority`,
    `group` and `best_of` (how it stands beside other rules), `programme` (`name@version`), `recompute(inputs)` (the
    amount of an award, from its inputs) and `grants(facts)` (as `evaluate`, for whoever does not ask why not: an
    award, or None).
    """

    @property
    def name(self) -> str:
        """The rule's name, unique in one CRM."""
        ...

    @property
    def version(self) -> int:
        """Counts up when the rule's meaning changes; every award carries it."""
        ...

    def evaluate(self, facts: Facts) -> Award | NoAward | Iterable[Award | NoAward]:
        """Return what the facts earn."""
        ...


@attrs.frozen(kw_only=True)
class Owned(Generic[T]):
    """An object with the plugin that brought it.

    Args:
        owner: the plugin's name.
        value: the object itself.
    """

    owner: str
    value: T


@attrs.frozen(kw_only=True)
class RuleFailure:
    """A rule or veto that raised or answered garbage.

    Args:
        owner: the plugin at fault.
        rule: what failed.
        error: the exception.
    """

    owner: str
    rule: str
    error: BaseException = attrs.field(eq=False)


@attrs.frozen(kw_only=True)
class Decision:
    """What a set of rules decided over one set of facts.

    Args:
        awards: granted, in the order of the rules.
        refusals: not granted, each with its reason.
        failures: rules and vetoes that failed; what they touched is not granted.
    """

    awards: tuple[Award, ...] = ()
    refusals: tuple[NoAward, ...] = ()
    failures: tuple[RuleFailure, ...] = ()


#: A veto answers a reason to refuse the award, or None.
Veto = Callable[[Award, Facts], str | None]


def reference(rule: RewardRule) -> str:
    """Return how postings and traces name a rule: `name@version`."""
    return f"{rule.name}@{rule.version}"
