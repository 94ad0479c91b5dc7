"""The loyalty ledger under attack: a state machine, properties of its arithmetic, and known bugs that they must find.

It needs Hypothesis and pytest, which come with `pip install crmkit[testing]`.
"""

from crmkit_loyalty.testing.baskets import baskets
from crmkit_loyalty.testing.machine import LoyaltyMachine
from crmkit_loyalty.testing.mutants import MUTANTS
from crmkit_loyalty.testing.programme import plugins

__all__ = ["MUTANTS", "LoyaltyMachine", "baskets", "plugins"]
