"""The plugins that installed distributions offer."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from crmkit.errors import PluginConflict, PluginNotFound
from crmkit.settings import did_you_mean

#: The entry-point group in which distributions offer plugins.
GROUP = "crmkit"


@attrs.frozen
class PluginInfo:
    """A plugin that a distribution offers, not imported.

    Args:
        name: the name by which it is enabled.
        distribution: the distribution that offers it.
        version: the distribution's version.
        entry: where its class is, `module:Class`.
    """

    name: str
    distribution: str
    version: str
    entry: str

    def __str__(self) -> str:
        return f"plugin {self.name!r} ({self.distribution} {self.version})"

    def is_of(self, cls: type) -> bool:
        """Tell whether the class is the one that is offered, perhaps under a shorter path."""
        module, _, name = self.entry.partition("[")[0].strip().partition(":")
        return name == cls.__qualname__ and module.partition(".")[0] == cls.__module__.partition(".")[0]


def installed() -> tuple[PluginInfo, ...]:
    """Return the plugins that installed distributions offer, sorted by name, without importing any."""
    from importlib.metadata import entry_points  # imported when first used

    offered = [
        PluginInfo(entry.name, entry.dist.name, entry.dist.version, entry.value)
        for entry in entry_points(group=GROUP)
        if entry.dist is not None
    ]
    return tuple(sorted(offered, key=lambda info: (info.name, info.distribution)))


def find(name: str, offered: Sequence[PluginInfo]) -> PluginInfo:
    """Return the one plugin of that name.

    Raises:
        PluginNotFound: if none is installed.
        PluginConflict: if two distributions offer it.
    """
    found = [info for info in offered if info.name == name]
    if not found:
        known = sorted({info.name for info in offered})
        raise PluginNotFound(f"no installed plugin is named {name!r}{did_you_mean(name, known)}", plugin=name)
    if len(found) > 1:
        which = " and ".join(f"{info.distribution} {info.version}" for info in found)
        raise PluginConflict(f"plugin {name!r} is offered by {which}; uninstall all but one", plugin=name)
    return found[0]
