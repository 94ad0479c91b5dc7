"""The implementations that pluggy finds on the plugins, checked and in the host's order."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from types import MappingProxyType
from typing import Any

import attrs
import pluggy

from crmkit.errors import ConfigError, PluginInvalid
from crmkit.hooks.calls import Implementation
from crmkit.hookspecs import PROJECT, Specs
from crmkit.plugins import HOOKS, Loaded, oddity

#: Hooks that return several objects, and may therefore be generator functions.
_COLLECTING = frozenset(
    f"{PROJECT}_{noun}"
    for noun in (
        "channels reward_rules reactions event_types templates greetings fields jobs pages commands health_checks"
    ).split()
)


class _Manager(pluggy.PluginManager):
    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        # pluggy looks for each name at length; most of a plugin's are dunders, and none of these is a hook
        return None if name.startswith("__") else super().parse_hookimpl_opts(plugin, name)


def find_implementations(loaded: Sequence[Loaded]) -> Mapping[str, tuple[Implementation, ...]]:
    """Return the implementations of each hook.

    Args:
        loaded: the enabled plugins.

    Raises:
        PluginInvalid: if an implementation breaks the contract.
        ConfigError: if pluggy is too old.
    """
    if not hasattr(pluggy.PluginManager, "list_plugin_distributions"):  # came with 1.7
        raise ConfigError(
            f"crmkit needs pluggy 1.7 or later, and {pluggy.__version__} is installed; upgrade it"
        )
    manager = _Manager(PROJECT)
    for one in loaded:
        manager.register(one.plugin, one.name)
    owners = {one.name: one for one in loaded}
    found = {hook: tuple(_found(manager, hook, owners)) for hook in HOOKS}
    try:
        manager.add_hookspecs(Specs)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        name = manager.get_name(error.plugin) or ""
        raise PluginInvalid(f"{owners.get(name, name)}: {error}", plugin=name) from error
    return MappingProxyType(found)


def _found(
    manager: pluggy.PluginManager, hook: str, owners: Mapping[str, Loaded]
) -> Iterator[Implementation]:
    caller = getattr(manager.hook, hook, None)
    order = list(owners)
    # pluggy calls the last registered first, and promises no order of this list
    for each in sorted(
        caller.get_hookimpls() if caller else (), key=lambda each: order.index(each.plugin_name)
    ):
        one = Implementation(hook, owners[each.plugin_name], each.function)
        for complaint in _complaints(hook, each):
            raise one.refusal(complaint)
        yield attrs.evolve(one, function=_by_position(hook, each.function))


def _complaints(hook: str, found: pluggy.HookImpl) -> Iterator[str]:
    for option in ("wrapper", "hookwrapper", "tryfirst", "trylast"):
        if getattr(found, option):
            yield f"is marked {option}; drop it: plugins are asked in the order of the host's list"
    odd = oddity(found.function)
    if odd == "async":
        yield "is async; hooks are not: write def, and leave what takes long to a job"
    if odd and hook not in _COLLECTING:
        yield f"is {odd}, so nobody would run it; return the answer"
    if _lacks_self(hook, found.function):
        yield "has no self; a method's first parameter is the plugin"
    signature = inspect.signature(found.function)
    for name, parameter in signature.parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            yield f"declares the {parameter.kind.description} parameter {name!r}; name plain arguments of the hook"
        if name not in HOOKS[hook] and parameter.default is parameter.empty:
            yield f"declares the argument {name!r} in {signature}; the hook has ({', '.join(HOOKS[hook])})"


def _lacks_self(hook: str, function: Callable[..., Any]) -> bool:
    if not inspect.ismethod(function):
        return False
    first = next(iter(inspect.signature(function.__func__).parameters), None)
    return first is None or first in HOOKS[hook]


def _by_position(hook: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function as one of all arguments of the hook; parameters of its own keep their defaults."""
    parameters = inspect.signature(function).parameters
    if tuple(parameters) == HOOKS[hook]:
        return function
    own = {name: one.default for name, one in parameters.items() if name not in HOOKS[hook]}
    places = [[*HOOKS[hook], *own].index(name) for name in parameters]
    pick: Callable[[tuple[Any, ...]], tuple[Any, ...]]
    if len(places) > 1:
        pick = itemgetter(*places)
    else:  # of one place alone, itemgetter gives the bare item
        pick = itemgetter(slice(places[0], places[0] + 1) if places else slice(0))
    defaults = tuple(own.values())
    return lambda *given: function(*pick(given + defaults))
