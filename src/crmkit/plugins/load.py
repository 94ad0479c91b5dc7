"""Plugins enabled and checked: those that the host names or gives, and, to list them, all installed ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

import attrs

from crmkit.errors import ConfigError, PluginInvalid, SettingsError
from crmkit.plugins.made import import_class, make
from crmkit.plugins.marks import check_hooks
from crmkit.plugins.names import attribute, name_all
from crmkit.plugins.offered import PluginInfo, find, installed
from crmkit.plugins.records import Loaded, PluginRecord
from crmkit.plugins.words import shown
from crmkit.settings import did_you_mean


def load(plugins: Sequence[str | object], settings: Mapping[str, Mapping[str, Any]]) -> tuple[Loaded, ...]:
    """Return the enabled plugins in the host's order, constructed and checked.

    Args:
        plugins: names of installed plugins and instances.
        settings: the settings of the core and of each plugin that is enabled by name.

    Raises:
        SettingsError: if settings are wrong, or belong to no plugin that is enabled by name.
        PluginError: if a plugin is missing, fails to load, breaks the contract or claims a taken name.
    """
    if isinstance(plugins, (str, bytes, Mapping, set)) or not isinstance(plugins, Iterable):
        raise ConfigError(f"plugins is {shown(plugins)}; it must be a list such as ['loyalty', MyPlugin()]")
    chosen = tuple(plugins)
    offered = installed() if chosen else ()
    named = dict(zip(name_all(chosen, offered), chosen, strict=True))
    _check_settings(named, settings)
    loaded = tuple(_loaded(name, plugin, offered, settings) for name, plugin in named.items())
    _check_requires(loaded)
    return loaded


def listing(*, check: bool = False) -> tuple[PluginRecord, ...]:
    """Return a record of every installed plugin.

    Args:
        check: whether to import them, which tells their hooks and what hinders them.
    """
    offered = installed()
    return tuple(_listed(info, offered, check) for info in offered)


def _listed(info: PluginInfo, offered: Sequence[PluginInfo], check: bool) -> PluginRecord:
    record = PluginRecord(
        name=info.name, distribution=info.distribution, version=info.version, status="available"
    )
    try:
        find(info.name, offered)
        hooks = check_hooks(import_class(info), str(info), info.name) if check else ()
    except ConfigError as error:
        return attrs.evolve(record, status="failed", error=str(error))
    return attrs.evolve(record, hooks=hooks)


def _check_settings(named: Mapping[str, object], settings: Mapping[str, Any]) -> None:
    if not isinstance(settings, Mapping):
        raise SettingsError(
            f"settings must be a mapping of plugin names to mappings, not {type(settings).__name__}"
        )
    for key in settings:
        if key not in (*named, "core"):
            raise SettingsError(
                f"settings[{key!r}] belongs to no enabled plugin{did_you_mean(str(key), ['core', *named])}"
            )
        if not isinstance(named.get(key, key), str):
            raise SettingsError(
                f"settings[{key!r}]: plugin {key!r} was given as an instance, which brings its own settings; "
                "drop these, or enable it by name"
            )


def _loaded(name: str, plugin: object, offered: Sequence[PluginInfo], settings: Mapping[str, Any]) -> Loaded:
    if isinstance(plugin, str):
        info = find(name, offered)
        made = make(info, settings.get(name))
        return _checked(Loaded(name=name, plugin=made, distribution=info.distribution, version=info.version))
    distribution, version = _home(plugin, offered)
    return _checked(Loaded(name=name, plugin=plugin, distribution=distribution, version=version))


def _home(plugin: object, offered: Sequence[PluginInfo]) -> tuple[str, str]:
    module = plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__module__
    root = module.partition(".")[0]
    homes = {(one.distribution, one.version) for one in offered if re.split(r"[.:]", one.entry)[0] == root}
    return homes.pop() if len(homes) == 1 else ("", "")


def _checked(one: Loaded) -> Loaded:
    hooks = check_hooks(one.plugin, str(one), one.name)
    if type(one.plugin).__eq__ is not object.__eq__:
        raise PluginInvalid(
            f"{one} compares by value, so two of them would pass for one; "
            "use @attrs.define(eq=False), or @dataclass(eq=False)",
            plugin=one.name,
        )
    requires = attribute(one.plugin, "requires", ())
    if not isinstance(requires, (tuple, list)) or not all(isinstance(each, str) for each in requires):
        raise PluginInvalid(
            f"{one}: requires is {shown(requires)}; it must be a tuple of names such as ('loyalty',)",
            plugin=one.name,
        )
    return attrs.evolve(one, hooks=hooks, requires=tuple(requires))


def _check_requires(loaded: Sequence[Loaded]) -> None:
    names = [one.name for one in loaded]
    for place, one in enumerate(loaded):
        for needed in one.requires:
            if needed not in names[:place]:
                how = "move it before" if needed in names else "enable it before"
                raise PluginInvalid(
                    f"{one} requires {needed!r}; {how} {one.name!r} in plugins", plugin=one.name
                )
