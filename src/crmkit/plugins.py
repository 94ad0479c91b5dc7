"""Plugins: found by entry point, enabled by name or given as instances, checked before they are asked."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FunctionType, MethodType, ModuleType
from typing import Any, Literal

import attrs

from crmkit.errors import (
    ConfigError,
    PluginConflict,
    PluginInvalid,
    PluginLoadError,
    PluginNotFound,
    SettingsError,
)
from crmkit.hookspecs import PROJECT, Specs
from crmkit.settings import build_settings, did_you_mean

#: The entry-point group in which distributions offer plugins.
GROUP = "crmkit"

#: Every hook with the names of its arguments.
HOOKS: Mapping[str, tuple[str, ...]] = {
    name: function.__code__.co_varnames[1 : function.__code__.co_argcount]
    for name, function in vars(Specs).items()
    if hasattr(function, f"{PROJECT}_spec")
}

_MARK = f"{PROJECT}_impl"
_RESERVED = ("core", "host")


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
        origin = f"{self.distribution} {self.version}" if self.distribution else _instance(self.plugin)
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


def installed() -> tuple[PluginInfo, ...]:
    """Return the plugins that installed distributions offer, sorted by name, without importing any."""
    from importlib.metadata import entry_points  # imported when first used

    offered = [
        PluginInfo(entry.name, entry.dist.name, entry.dist.version, entry.value)
        for entry in entry_points(group=GROUP)
        if entry.dist is not None
    ]
    return tuple(sorted(offered, key=lambda info: (info.name, info.distribution)))


def listing(*, check: bool = False) -> tuple[PluginRecord, ...]:
    """Return a record of every installed plugin.

    Args:
        check: whether to import them, which tells their hooks and what hinders them.
    """
    offered = installed()
    return tuple(_listed(info, offered, check) for info in offered)


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
    names = tuple(_name(plugin, place) for place, plugin in enumerate(chosen))
    offered = installed() if chosen else ()
    _check_names(names, chosen, offered)
    _check_settings(names, chosen, settings)
    loaded = tuple(
        _by_name(_find(plugin, offered), settings)
        if isinstance(plugin, str)
        else _given(name, plugin, offered)
        for name, plugin in zip(names, chosen, strict=True)
    )
    _check_requires(loaded)
    return loaded


def shown(value: object, limit: int = 120) -> str:
    """Return a repr for an error message or a log: short, and never an exception of its own."""
    try:
        text = repr(value)
    except (Exception, SystemExit) as error:
        text = f"<{type(value).__name__} whose repr raised {type(error).__name__}>"
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def said(error: BaseException) -> str:
    """Return an exception's type and words, even if it has a broken `__str__`."""
    try:
        words = str(error)
    except (Exception, SystemExit):
        words = ""
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def oddity(function: object) -> str:
    """Return why calling a function would run none of it ("async", "a generator function"), or an empty text."""
    for call in (function, type(function).__call__):
        if inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call):
            return "async"
        if inspect.isgeneratorfunction(call):
            return "a generator function"
    return ""


def _listed(info: PluginInfo, offered: Sequence[PluginInfo], check: bool) -> PluginRecord:
    record = PluginRecord(
        name=info.name, distribution=info.distribution, version=info.version, status="available"
    )
    try:
        _find(info.name, offered)
        if not check:
            return record
        hooks = check_hooks(_import(info), str(info), info.name)
    except ConfigError as error:
        return attrs.evolve(record, status="failed", error=str(error))
    return attrs.evolve(record, hooks=hooks)


def _name(plugin: object, place: int) -> str:
    if isinstance(plugin, type):
        raise PluginInvalid(
            f"plugins[{place}] is the class {plugin.__qualname__}; pass an instance, {plugin.__name__}(...), "
            "or the name under which it is installed"
        )
    name = plugin if isinstance(plugin, str) else _own_name(plugin)
    if not re.fullmatch(r"[\w.-]{1,60}", name) or name in _RESERVED:
        raise PluginInvalid(
            f"plugins[{place}] is named {name!r}; a plugin's name has 1 to 60 letters, digits, '_', '-' or '.', "
            f"and is none of: {', '.join(_RESERVED)}"
        )
    return name


def _own_name(plugin: object) -> str:
    if isinstance(plugin, ModuleType):
        return plugin.__name__.rpartition(".")[2]
    name = _attribute(plugin, "name", None)
    return name if isinstance(name, str) else type(plugin).__name__.lower().removesuffix("plugin") or "plugin"


def _attribute(plugin: object, name: str, default: object) -> Any:
    try:
        return getattr(plugin, name, default)
    except (Exception, SystemExit) as error:
        raise PluginInvalid(f"{name!r} of {_instance(plugin)} could not be read: {said(error)}") from error


def _check_names(names: Sequence[str], chosen: Sequence[object], offered: Sequence[PluginInfo]) -> None:
    for place, name in enumerate(names):
        first = names.index(name)
        if first != place:
            raise PluginConflict(
                f"plugin {name!r} is enabled twice: plugins[{first}] is {_whence(chosen[first], offered)} and "
                f"plugins[{place}] is {_whence(chosen[place], offered)}; drop one, or give an instance another `name`",
                plugin=name,
            )


def _whence(plugin: object, offered: Sequence[PluginInfo]) -> str:
    if isinstance(plugin, str):
        return str(next((info for info in offered if info.name == plugin), repr(plugin)))
    return _instance(plugin)


def _instance(plugin: object) -> str:
    return f"an instance of {type(plugin).__module__}.{type(plugin).__qualname__}"


def _check_settings(names: Sequence[str], chosen: Sequence[object], settings: Mapping[str, Any]) -> None:
    if not isinstance(settings, Mapping):
        raise SettingsError(
            f"settings must be a mapping of plugin names to mappings, not {type(settings).__name__}"
        )
    for key in settings:
        if key not in (*names, "core"):
            raise SettingsError(
                f"settings[{key!r}] belongs to no enabled plugin{did_you_mean(str(key), ['core', *names])}"
            )
        if key in names and not isinstance(chosen[names.index(key)], str):
            raise SettingsError(
                f"settings[{key!r}]: plugin {key!r} was given as an instance, which brings its own settings; "
                "drop these, or enable it by name"
            )


def _find(name: str, offered: Sequence[PluginInfo]) -> PluginInfo:
    found = [info for info in offered if info.name == name]
    if not found:
        known = sorted({info.name for info in offered})
        raise PluginNotFound(f"no installed plugin is named {name!r}{did_you_mean(name, known)}", plugin=name)
    if len(found) > 1:
        which = " and ".join(f"{info.distribution} {info.version}" for info in found)
        raise PluginConflict(f"plugin {name!r} is offered by {which}; uninstall all but one", plugin=name)
    return found[0]


def _by_name(info: PluginInfo, settings: Mapping[str, Any]) -> Loaded:
    cls = _import(info)
    values = settings.get(info.name)
    with _blamed(info, "built"):
        kind = _settings_class(cls, info)
        if kind is None and values is not None:
            raise SettingsError(f"settings[{info.name!r}]: {info} takes no settings; drop them")
        path = f"settings[{info.name!r}]"
        built = None if kind is None else build_settings(kind, {} if values is None else values, path)
    with _blamed(info, "built"):
        plugin = cls() if kind is None else cls(settings=built)
    return _checked(info.name, plugin, info.distribution, info.version)


def _import(info: PluginInfo) -> type[Any]:
    from importlib.metadata import EntryPoint

    with _blamed(info, "imported"):
        cls = EntryPoint(info.name, info.entry, GROUP).load()
    if not isinstance(cls, type):
        raise PluginInvalid(
            f"{info}: its entry point {info.entry!r} is no class; it must name one", plugin=info.name
        )
    return cls


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


def _given(name: str, plugin: object, offered: Sequence[PluginInfo]) -> Loaded:
    module = plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__module__
    root = module.partition(".")[0]
    homes = {(one.distribution, one.version) for one in offered if re.split(r"[.:]", one.entry)[0] == root}
    distribution, version = homes.pop() if len(homes) == 1 else ("", "")
    return _checked(name, plugin, distribution, version)


def _checked(name: str, plugin: object, distribution: str, version: str) -> Loaded:
    loaded = Loaded(name=name, plugin=plugin, distribution=distribution, version=version)
    label = str(loaded)
    hooks = check_hooks(plugin, label, name)
    if type(plugin).__eq__ is not object.__eq__:
        raise PluginInvalid(
            f"{label} compares by value, so two of them would pass for one; "
            "use @attrs.define(eq=False), or @dataclass(eq=False)",
            plugin=name,
        )
    return attrs.evolve(loaded, hooks=hooks, requires=_requires(plugin, label, name))


def check_hooks(plugin: object, label: str, owner: str) -> tuple[str, ...]:
    """Return the hooks that a plugin implements, sorted; no property of it is run.

    Args:
        plugin: an instance, or a class that is to be instantiated.
        label: how errors name it.
        owner: the plugin's name.

    Raises:
        PluginInvalid: if it implements none, or one that does not exist, or forgot the mark.
    """
    members = {name: inspect.getattr_static(plugin, name, None) for name in dir(plugin) if name[:2] != "__"}
    marks = {member: _marks(value) for member, value in members.items()}
    options = {member: found[_MARK] for member, found in marks.items() if isinstance(found.get(_MARK), dict)}
    hooks = {member: given.get("specname") or member for member, given in options.items()}
    for member, hook in hooks.items():
        if hook not in HOOKS and not options[member].get("optionalhook"):
            hint = did_you_mean(hook, list(HOOKS))
            raise PluginInvalid(f"{label}: there is no hook {hook!r}{hint}", plugin=owner)
    for member, value in members.items():
        if member.startswith(f"{PROJECT}_") and member not in hooks and _is_method(value):
            hint = _hint(marks[member])
            raise PluginInvalid(f"{label}: {member} is not marked as a hook{hint}", plugin=owner)
    found = set(hooks.values()) & set(HOOKS)
    if not found:
        foreign = next(filter(_foreign, marks.values()), {})
        raise PluginInvalid(f"{label} implements no hook{_hint(foreign)}", plugin=owner)
    return tuple(sorted(found))


def _is_method(value: object) -> bool:
    return callable(value) or isinstance(value, (classmethod, property))


def _marks(value: object) -> dict[str, Any]:
    if isinstance(value, (staticmethod, classmethod, MethodType)):
        return {**getattr(value.__func__, "__dict__", {}), **getattr(value, "__dict__", {})}
    return vars(value) if isinstance(value, FunctionType) else {}


def _foreign(marks: Mapping[str, Any]) -> list[str]:
    return [mark.removesuffix("_impl") for mark in marks if mark.endswith("_impl") and mark != _MARK]


def _hint(marks: Mapping[str, Any]) -> str:
    foreign = _foreign(marks)
    theirs = f"; it carries the mark of the project {foreign[0]!r}" if foreign else ""
    return f"{theirs}; mark the methods with @hookimpl from crmkit"


def _requires(plugin: object, label: str, name: str) -> tuple[str, ...]:
    requires = _attribute(plugin, "requires", ())
    if not isinstance(requires, (tuple, list)) or not all(isinstance(one, str) for one in requires):
        raise PluginInvalid(
            f"{label}: requires is {shown(requires)}; it must be a tuple of names such as ('loyalty',)",
            plugin=name,
        )
    return tuple(requires)


def _check_requires(loaded: Sequence[Loaded]) -> None:
    names = [one.name for one in loaded]
    for place, one in enumerate(loaded):
        for needed in one.requires:
            if needed not in names[:place]:
                how = "move it before" if needed in names else "enable it before"
                raise PluginInvalid(
                    f"{one} requires {needed!r}; {how} {one.name!r} in plugins", plugin=one.name
                )
