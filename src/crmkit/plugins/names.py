"""The names of the enabled plugins: what owns a table, a rule, a posting, for as long as the data lives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from crmkit.errors import PluginConflict, PluginInvalid
from crmkit.plugins.offered import PluginInfo
from crmkit.plugins.records import an_instance
from crmkit.plugins.words import said

_RESERVED = ("core", "host")


def name_all(chosen: Sequence[object], offered: Sequence[PluginInfo]) -> tuple[str, ...]:
    """Return the names of plugins, in their order.

    Args:
        chosen: names and instances.
        offered: what is installed.

    Raises:
        PluginInvalid: if one is a class, or its name cannot own anything.
        PluginConflict: if two have one name.
    """
    names = tuple(_name(plugin, place, offered) for place, plugin in enumerate(chosen))
    for place, name in enumerate(names):
        first = names.index(name)
        if first != place:
            raise PluginConflict(
                f"plugin {name!r} is enabled twice: plugins[{first}] is {_whence(chosen[first], offered)} and "
                f"plugins[{place}] is {_whence(chosen[place], offered)}; drop one, or give an instance another `name`",
                plugin=name,
            )
    return names


def attribute(plugin: object, name: str, default: object) -> Any:
    """Return an attribute of a plugin, or the default.

    Raises:
        PluginInvalid: if it cannot be read.
    """
    try:
        return getattr(plugin, name, default)
    except (Exception, SystemExit) as error:
        raise PluginInvalid(f"{name!r} of {an_instance(plugin)} could not be read: {said(error)}") from error


def _name(plugin: object, place: int, offered: Sequence[PluginInfo]) -> str:
    if isinstance(plugin, type):
        raise PluginInvalid(
            f"plugins[{place}] is the class {plugin.__qualname__}; pass an instance, {plugin.__name__}(...), "
            "or the name under which it is installed"
        )
    name = plugin if isinstance(plugin, str) else _own_name(plugin, offered)
    if not re.fullmatch(r"[\w.-]{1,60}", name) or name in _RESERVED:
        raise PluginInvalid(
            f"plugins[{place}] is named {name!r}; a plugin's name has 1 to 60 letters, digits, '_', '-' or '.', "
            f"and is none of: {', '.join(_RESERVED)}"
        )
    return name


def _own_name(plugin: object, offered: Sequence[PluginInfo]) -> str:
    if isinstance(plugin, ModuleType):
        return plugin.__name__.rpartition(".")[2]
    name = attribute(plugin, "name", None)
    if isinstance(name, str):
        return name
    # the name under which it is installed, so that what it owns is its own however it is enabled
    known = [info.name for info in offered if info.is_of(type(plugin))]
    return known[0] if known else type(plugin).__name__.lower().removesuffix("plugin") or "plugin"


def _whence(plugin: object, offered: Sequence[PluginInfo]) -> str:
    if isinstance(plugin, str):
        return str(next((info for info in offered if info.name == plugin), repr(plugin)))
    return an_instance(plugin)
