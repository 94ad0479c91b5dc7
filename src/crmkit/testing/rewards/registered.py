"""A suite for each rule that a CRM has, made without a test file."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from crmkit.errors import ConfigError
from crmkit.testing.rewards import RewardRuleSuite

if TYPE_CHECKING:
    from crmkit.crm import CRM


def suites_module(crm: CRM) -> ModuleType:
    """Return a module with a `RewardRuleSuite` for each reward rule of a CRM, named after plugin and rule.

    Args:
        crm: whose rules are attacked; a rule may carry its `claims`.

    Raises:
        ConfigError: if it has none.
    """
    module = ModuleType("crmkit_rules")
    for owned in crm.registry.rules:
        name = f"Test_{_word(owned.owner)}_{_word(owned.value.name)}"
        members = {"rule": owned.value, "__module__": module.__name__}
        setattr(module, name, type(name, (RewardRuleSuite,), members))
    if not crm.registry.rules:
        raise ConfigError(f"{crm!r} has no reward rules to attack")
    return module


def _word(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)
