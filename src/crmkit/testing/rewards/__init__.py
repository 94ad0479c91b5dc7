"""RewardRuleSuite: a rule is handed over, and attacked."""

from __future__ import annotations

from crmkit.testing.rewards.laws import EarningLaws
from crmkit.testing.rewards.returns import RefundLaws
from crmkit.testing.rewards.spans import LimitLaws

__all__ = ["RewardRuleSuite"]


class RewardRuleSuite(EarningLaws, LimitLaws, RefundLaws):
    """Attacks a reward rule with generated orders, against the laws of `docs/reference/reward-rule-suite.md`.

    Subclass it and set `rule`; `claims` says what more the rule promises. A failing order is shown as code.
    """

    __test__ = False
