"""What a host, a channel, a reward rule or a storage is tested with; pytest and Hypothesis load when used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crmkit.testing import strategies
    from crmkit.testing.attacks import Machine, Property, for_all
    from crmkit.testing.catalogue import LoyaltyLaw, loyalty_law, loyalty_laws
    from crmkit.testing.channels import BAD_EMAILS, ChannelSuite
    from crmkit.testing.clock import FakeClock
    from crmkit.testing.laws import LawBroken
    from crmkit.testing.memory import memory_crm
    from crmkit.testing.memory_contacts import MemoryContacts
    from crmkit.testing.mutants import Hunt, Mutant, hunt, mutant, original
    from crmkit.testing.outbox import Outbox, OutboxMessage, outbox
    from crmkit.testing.recording import Crash, RecordingChannel
    from crmkit.testing.rewards import RewardRuleSuite
    from crmkit.testing.storage import MappedSuite, StorageSuite
    from crmkit.testing.suite import broken_laws
    from crmkit.testing.timelines import program_of, replay, save_timeline
    from crmkit.testing.writing import as_code, as_program

_HOMES = {
    "attacks": "Machine Property for_all",
    "catalogue": "LoyaltyLaw loyalty_law loyalty_laws",
    "channels": "BAD_EMAILS ChannelSuite",
    "clock": "FakeClock",
    "laws": "LawBroken",
    "memory": "memory_crm",
    "memory_contacts": "MemoryContacts",
    "mutants": "Hunt Mutant hunt mutant original",
    "outbox": "Outbox OutboxMessage outbox",
    "recording": "Crash RecordingChannel",
    "rewards": "RewardRuleSuite",
    "storage": "MappedSuite StorageSuite",
    "suite": "broken_laws",
    "timelines": "program_of replay save_timeline",
    "writing": "as_code as_program",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = [
    "BAD_EMAILS",
    "ChannelSuite",
    "Crash",
    "FakeClock",
    "Hunt",
    "LawBroken",
    "LoyaltyLaw",
    "Machine",
    "MappedSuite",
    "MemoryContacts",
    "Mutant",
    "Outbox",
    "OutboxMessage",
    "Property",
    "RecordingChannel",
    "RewardRuleSuite",
    "StorageSuite",
    "as_code",
    "as_program",
    "broken_laws",
    "for_all",
    "hunt",
    "loyalty_law",
    "loyalty_laws",
    "memory_crm",
    "mutant",
    "original",
    "outbox",
    "program_of",
    "replay",
    "save_timeline",
    "strategies",
]


def __getattr__(name: str) -> Any:
    if name == "strategies":
        return import_module("crmkit.testing.strategies")
    if name not in _HOME:
        raise AttributeError(f"module 'crmkit.testing' has no attribute {name!r}")
    value = getattr(import_module(f"crmkit.testing.{_HOME[name]}"), name)
    globals()[name] = value  # also where a submodule of the same name has just been bound
    return value


def __dir__() -> list[str]:
    return __all__
