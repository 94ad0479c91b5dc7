"""The marks that `@hookimpl` leaves on a plugin's methods, read without running any property."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cached_property, partialmethod
from types import FunctionType, MethodType
from typing import Any

from crmkit.errors import PluginInvalid
from crmkit.hookspecs import PROJECT, Specs
from crmkit.settings import did_you_mean

#: Every hook with the names of its arguments.
HOOKS: Mapping[str, tuple[str, ...]] = {
    name: function.__code__.co_varnames[1 : function.__code__.co_argcount]
    for name, function in vars(Specs).items()
    if hasattr(function, f"{PROJECT}_spec")
}

_MARK = f"{PROJECT}_impl"

#: What pluggy takes for a method; it leaves other callables alone, for to look at them may run code.
_METHODS = (FunctionType, MethodType, staticmethod, classmethod)


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
        if member.startswith(f"{PROJECT}_") and member not in hooks and _is_code(value):
            raise PluginInvalid(f"{label}: {member} {_unmarked(value, marks[member])}", plugin=owner)
    found = set(hooks.values()) & set(HOOKS)
    if not found:
        foreign = next(filter(_foreign, marks.values()), {})
        raise PluginInvalid(f"{label} implements no hook{_hint(foreign)}", plugin=owner)
    return tuple(sorted(found))


def _is_code(value: object) -> bool:
    return callable(value) or isinstance(value, (classmethod, property, cached_property, partialmethod))


def _unmarked(value: object, marks: Mapping[str, Any]) -> str:
    if isinstance(value, _METHODS):
        return f"is not marked as a hook{_hint(marks)}"
    return f"is a {type(value).__name__}; a hook is a plain method, marked with @hookimpl from crmkit"


def _marks(value: object) -> dict[str, Any]:
    # a static or class method may carry the mark itself, or on the function inside
    carriers = (getattr(value, "__func__", None), value) if isinstance(value, _METHODS) else ()
    return {name: mark for one in carriers for name, mark in getattr(one, "__dict__", {}).items()}


def _foreign(marks: Mapping[str, Any]) -> list[str]:
    return [mark.removesuffix("_impl") for mark in marks if mark.endswith("_impl") and mark != _MARK]


def _hint(marks: Mapping[str, Any]) -> str:
    foreign = _foreign(marks)
    theirs = f"; it carries the mark of the project {foreign[0]!r}" if foreign else ""
    return f"{theirs}; mark the methods with @hookimpl from crmkit"
