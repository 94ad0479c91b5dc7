"""Plugins: found by entry point, enabled by name or given as instances, checked before they are asked."""

from crmkit.plugins.load import listing, load
from crmkit.plugins.marks import HOOKS
from crmkit.plugins.offered import PluginInfo, installed
from crmkit.plugins.records import Loaded, PluginRecord
from crmkit.plugins.words import oddity, said, shown

__all__ = [
    "HOOKS",
    "Loaded",
    "PluginInfo",
    "PluginRecord",
    "installed",
    "listing",
    "load",
    "oddity",
    "said",
    "shown",
]
