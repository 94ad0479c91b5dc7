"""Rewards, pure: facts go in, awards come out, and every refusal says why."""

from crmkit.rewards.awards import Award, Effect, Lot, NoAward
from crmkit.rewards.engine import RuleBook, evaluate
from crmkit.rewards.facts import COUNTERS, HISTORIES, Facts
from crmkit.rewards.limits import Asked, Limit, Over, Per, Usage, Used, nothing_used
from crmkit.rewards.rules import Decision, Owned, RewardRule, RuleFailure, Veto, reference
from crmkit.rewards.standing import Standing
from crmkit.rewards.windows import Window, window_of

__all__ = [
    "COUNTERS",
    "HISTORIES",
    "Asked",
    "Award",
    "Decision",
    "Effect",
    "Facts",
    "Limit",
    "Lot",
    "NoAward",
    "Over",
    "Owned",
    "Per",
    "RewardRule",
    "RuleBook",
    "RuleFailure",
    "Standing",
    "Usage",
    "Used",
    "Veto",
    "Window",
    "evaluate",
    "nothing_used",
    "reference",
    "window_of",
]
