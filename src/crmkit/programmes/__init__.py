"""Programmes of reward rules as declarations: read, checked, compiled, and explained.

    programme = Programme.load("rewards.toml")
    evaluate([Owned(owner="host", value=rule) for rule in programme.rules], facts)

What is declared is what a rule written in Python could say; `docs/reference/reward-rules.md` has every key.
"""

from __future__ import annotations

from crmkit.programmes.programme import Programme, programmes
from crmkit.programmes.recompute import described, recompute
from crmkit.programmes.rule import DeclaredRule

__all__ = ["DeclaredRule", "Programme", "described", "programmes", "recompute"]
