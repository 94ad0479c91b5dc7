"""The typed facade over the hooks: the only caller of pluggy, and the keeper of every failure policy.

pluggy finds the implementations; the facade calls them itself, in the host's order, and checks every answer.
What a plugin does wrong (an exception, `sys.exit`, an answer of another type) is told with its name.
`CRMKIT_TRACE=1` in the environment prints each call to standard error.
"""

from crmkit.hooks.calls import HookCall
from crmkit.hooks.facade import HookFailure, Hooks, SuppressionFailed

__all__ = ["HookCall", "HookFailure", "Hooks", "SuppressionFailed"]
