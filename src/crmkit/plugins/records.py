"""What is known of a plugin: for everybody, and for the core, which asks it."""

from __future__ import annotations

from typing import Literal

import attrs


@attrs.frozen(kw_only=True)
class PluginRecord:
    """What is known of a plugin, for `crm.plugins` and `crmkit plugins`.

    Args:
        name: its name.
        distribution: the distribution it comes from; empty for one that the host wrote itself.
        version: the distribution's version.
        status: "enabled" in a CRM, "available" if installed, "failed" if it cannot be enabled.
        hooks: the hooks it implements, sorted; empty as long as it is not imported.
        error: why it failed, or empty.
        requires: the plugins that must be enabled before it.
    """

    name: str
    distribution: str = ""
    version: str = ""
    status: Literal["enabled", "available", "failed"]
    hooks: tuple[str, ...] = ()
    error: str = ""
    requires: tuple[str, ...] = ()


@attrs.frozen(eq=False, kw_only=True)
class Loaded:
    """An enabled plugin; its text names it in errors.

    Args:
        name: unique in one CRM; owns what the plugin registers.
        plugin: the object that carries the hooks.
        distribution: the distribution it comes from, or empty.
        version: the distribution's version, or empty.
        hooks: the hooks it implements, sorted.
        requires: the plugins that must be enabled before it.
    """

    name: str
    plugin: object = attrs.field(repr=False)
    distribution: str = ""
    version: str = ""
    hooks: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()

    def __str__(self) -> str:
        origin = f"{self.distribution} {self.version}" if self.distribution else an_instance(self.plugin)
        return f"plugin {self.name!r} ({origin})"

    @property
    def record(self) -> PluginRecord:
        """What is known of it, with the status "enabled"."""
        return PluginRecord(
            name=self.name,
            distribution=self.distribution,
            version=self.version,
            status="enabled",
            hooks=self.hooks,
            requires=self.requires,
        )


def an_instance(plugin: object) -> str:
    """Return what error messages call a plugin of which nothing but the object is known."""
    return f"an instance of {type(plugin).__module__}.{type(plugin).__qualname__}"
