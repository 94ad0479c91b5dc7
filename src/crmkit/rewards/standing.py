"""How a rule stands beside others: its optional attributes, read once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from crmkit.rewards.awards import Award
from crmkit.rewards.facts import Facts
from crmkit.rewards.limits import Limit
from crmkit.rewards.rules import TRIGGERS, Owned, RewardRule, reference


@attrs.frozen(eq=False)
class Standing:
    """A rule with what it says of itself, defaults filled in.

    Args:
        rule: the rule.
        owner: who brought it.
        name: its name.
        reference: `name@version`.
        triggers: what it is about.
        reads: the counters and histories that it reads.
        fields: the expression fields that it reads.
        cap: the most of one unit for one event.
        limits: its limits.
        zone: the zone of limits over all members.
        lane: its lane.
        priority: the greatest goes first.
        group: at most one rule of a group in a lane is granted; empty for none.
        best_of: of these rules in a lane the one that gives most is granted; empty for none.
        programme: the programme that states it.
        grants: the rule's own short cut for whoever does not ask why not, if it has one.
    """

    rule: RewardRule
    owner: str
    name: str
    reference: str
    triggers: frozenset[str]
    reads: tuple[str, ...]
    fields: tuple[str, ...]
    cap: int | None
    limits: tuple[Limit, ...]
    zone: str
    lane: str
    priority: int
    group: str
    best_of: str
    programme: str
    grants: Callable[[Facts], Award | None] | None

    @classmethod
    def of(cls, owned: Owned[RewardRule]) -> Standing:
        """Return how a rule stands."""
        rule: Any = owned.value
        return cls(
            rule=rule,
            owner=owned.owner,
            name=rule.name,
            reference=reference(rule),
            triggers=frozenset(getattr(rule, "triggers", TRIGGERS)),
            reads=tuple(getattr(rule, "reads", ())),
            fields=tuple(getattr(rule, "fields", ())),
            cap=getattr(rule, "cap", None),
            limits=tuple(getattr(rule, "limits", ())),
            zone=getattr(rule, "zone", ""),
            lane=getattr(rule, "lane", ""),
            priority=getattr(rule, "priority", 0),
            group=getattr(rule, "group", ""),
            best_of=getattr(rule, "best_of", ""),
            programme=getattr(rule, "programme", ""),
            grants=getattr(rule, "grants", None),
        )
