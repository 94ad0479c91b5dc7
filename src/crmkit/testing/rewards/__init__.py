"""RewardRuleSuite: a rule is handed over, and attacked."""

from __future__ import annotations

from crmkit.testing.rewards.laws import RewardRuleSuite

__all__ = ["RewardRuleSuite"]
