"""Stages, pure: what a contact's orders say about where it stands as a customer.

lead ── first_time ── repeat ── loyal        by how many orders count
              └──────────┴────────┴─ lapsed ── lost        by how long the last of them is ago

An order counts once it is paid, unless it was cancelled or refunded whole.

What staff sets is kept until an order that was paid after it. Then the rule decides again, but only upwards: a
contact that staff called loyal stays so at its second order, one that staff called lost comes back with any. Time
alone never changes what staff has set; `release` hands the contact back to the rule.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs

from crmkit.clock import FOREVER
from crmkit.contacts import Stage
from crmkit.errors import SettingsError
from crmkit.settings import CoreSettings

#: The stages that orders lead up to, the lowest first; lapsed and lost stand below all but the unknown.
_RANK = {
    Stage.UNKNOWN: 0,
    Stage.LOST: 1,
    Stage.LAPSED: 2,
    Stage.LEAD: 3,
    Stage.FIRST_TIME: 4,
    Stage.REPEAT: 5,
    Stage.LOYAL: 6,
}


@attrs.frozen(kw_only=True)
class StageRules:
    """When a contact is at which stage.

    Args:
        repeat: from how many orders on it is a repeat customer.
        loyal: from how many orders on it is loyal.
        lapsed_after: how long after its last order it counts as lapsed.
        lost_after: how long after its last order it counts as lost.

    Raises:
        SettingsError: if they contradict one another.
    """

    repeat: int = 2
    loyal: int = 5
    lapsed_after: timedelta = timedelta(days=180)
    lost_after: timedelta = timedelta(days=365)

    def __attrs_post_init__(self) -> None:
        if not 2 <= self.repeat <= self.loyal:
            raise SettingsError(
                f"stage_repeat is {self.repeat} and stage_loyal {self.loyal}; they must be 2 or more, the lesser first"
            )
        if not timedelta(0) < self.lapsed_after <= self.lost_after:
            raise SettingsError(
                f"stage_lapsed_after is {self.lapsed_after} and stage_lost_after {self.lost_after}; "
                "they must be positive, the shorter first"
            )


def rules_of(settings: CoreSettings) -> StageRules:
    """Return the rules that the core's settings state.

    Raises:
        SettingsError: if they contradict one another.
    """
    return StageRules(
        repeat=settings.stage_repeat,
        loyal=settings.stage_loyal,
        lapsed_after=settings.stage_lapsed_after,
        lost_after=settings.stage_lost_after,
    )


@attrs.frozen(kw_only=True)
class OrderFacts:
    """What is known of a contact's orders that count.

    Args:
        count: how many.
        last_at: when the latest was paid; None if there is none.
    """

    count: int = 0
    last_at: datetime | None = None

    def __add__(self, other: OrderFacts) -> OrderFacts:
        """Return the facts of two ids of one contact together."""
        known = [at for at in (self.last_at, other.last_at) if at is not None]
        return OrderFacts(count=self.count + other.count, last_at=max(known, default=None))


@attrs.frozen(kw_only=True)
class Verdict:
    """What comes of looking at a contact.

    Args:
        stage: where it stands.
        kept: whether what staff set goes on.
        due_at: when it has to be looked at again, though nothing happened.
        reason: what decided, in words.
    """

    stage: Stage
    kept: bool = False
    due_at: datetime = FOREVER
    reason: str = ""


def stage_of(facts: OrderFacts, rules: StageRules, now: datetime) -> Verdict:
    """Return the stage that orders say.

    Args:
        facts: of all the contact's orders.
        rules: the settings.
        now: the present instant.
    """
    if facts.last_at is None or not facts.count:
        return Verdict(stage=Stage.LEAD, reason="no order counts")
    if now - facts.last_at >= rules.lost_after:
        return Verdict(stage=Stage.LOST, reason=_ago(facts.last_at, now))
    lost_at = _after(facts.last_at, rules.lost_after)
    if now - facts.last_at >= rules.lapsed_after:
        return Verdict(stage=Stage.LAPSED, due_at=lost_at, reason=_ago(facts.last_at, now))
    stage = Stage.FIRST_TIME
    if facts.count >= rules.repeat:
        stage = Stage.LOYAL if facts.count >= rules.loyal else Stage.REPEAT
    reason = f"{facts.count} {'order' if facts.count == 1 else 'orders'}"
    return Verdict(stage=stage, due_at=_after(facts.last_at, rules.lapsed_after), reason=reason)


def decide(
    current: Stage, kept_since: datetime | None, facts: OrderFacts, rules: StageRules, now: datetime
) -> Verdict:
    """Return where a contact stands, what staff set about it considered.

    Args:
        current: its stage until now.
        kept_since: when staff set it; None if the rule did.
        facts: of all its orders.
        rules: the settings.
        now: the present instant.
    """
    found = stage_of(facts, rules, now)
    if kept_since is None:
        return found
    is_news = facts.last_at is not None and facts.last_at > kept_since
    if is_news and _RANK[found.stage] > _RANK[current]:
        return found
    return Verdict(stage=current, kept=True)


def _ago(last_at: datetime, now: datetime) -> str:
    return f"the last order is {(now - last_at).days} days ago"


def _after(at: datetime, period: timedelta) -> datetime:
    return FOREVER if FOREVER - at <= period else at + period
