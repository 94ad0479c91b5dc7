"""A plugin that is enabled by name: its class is imported, its settings are checked, it is built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import attrs

from crmkit.errors import PluginInvalid, PluginLoadError, SettingsError
from crmkit.plugins.offered import GROUP, PluginInfo
from crmkit.plugins.words import said, shown
from crmkit.settings import build_settings


def import_class(info: PluginInfo) -> type[Any]:
    """Return the class that an entry point names.

    Raises:
        PluginLoadError: if it cannot be imported.
        PluginInvalid: if it is no class.
    """
    from importlib.metadata import EntryPoint

    with _blamed(info, "imported"):
        cls = EntryPoint(info.name, info.entry, GROUP).load()
    if not isinstance(cls, type):
        raise PluginInvalid(
            f"{info}: its entry point {info.entry!r} is no class; it must name one", plugin=info.name
        )
    return cls


def make(info: PluginInfo, values: Mapping[str, Any] | None) -> object:
    """Return a plugin made of its settings.

    Args:
        info: which.
        values: its settings, or None if the host gave none.

    Raises:
        SettingsError: if the settings are wrong, or it takes none.
        PluginLoadError: if its own code fails.
        PluginInvalid: if its settings are no attrs class.
    """
    cls = import_class(info)
    with _blamed(info, "built"):
        kind = _settings_class(cls, info)
        path = f"settings[{info.name!r}]"
        if kind is not None:
            return cls(settings=build_settings(kind, {} if values is None else values, path))
        if values is not None:
            raise SettingsError(f"{path}: {info} takes no settings; drop them")
        return cls()


@contextmanager
def _blamed(info: PluginInfo, step: str) -> Iterator[None]:
    try:
        yield
    except (SettingsError, PluginInvalid):
        raise
    except (Exception, SystemExit) as error:
        raise PluginLoadError(f"{info} could not be {step}: {said(error)}", plugin=info.name) from error


def _settings_class(cls: type[Any], info: PluginInfo) -> type[Any] | None:
    if not attrs.has(cls) or "settings" not in attrs.fields_dict(cls):
        return None
    attrs.resolve_types(cls)
    kind = attrs.fields_dict(cls)["settings"].type
    if not isinstance(kind, type) or not attrs.has(kind):
        raise PluginInvalid(
            f"{info}: the field `settings` of {cls.__name__} is annotated {shown(kind)}; it must be one attrs class",
            plugin=info.name,
        )
    return kind
