"""What is wrong with an object that a plugin registers: a text that says what would be right, or an empty one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import attrs

from crmkit.channels import ChannelSpec, Dedup
from crmkit.events import Event
from crmkit.plugins import oddity, shown
from crmkit.rewards import COUNTERS, HISTORIES, Limit
from crmkit.settings import did_you_mean
from crmkit.stores import StoreCapabilities


def function(value: Any) -> str:
    """Tell what is wrong with a function that the core is to call."""
    if not callable(value):
        return f"its function is {shown(value)}; it must be callable"
    odd = oddity(value)
    return f"its function is {odd}, so nobody would run it; write a plain def" if odd else ""


def store(value: Any) -> str:
    """Tell what is wrong with a store of contacts."""
    found = value.capabilities
    proper = isinstance(found, StoreCapabilities)
    return "" if proper else f"its capabilities are {shown(found)}; they must be StoreCapabilities"


def channel(value: Any) -> str:
    """Tell what is wrong with a channel."""
    if not isinstance(value.spec, ChannelSpec):
        return f"its spec is {shown(value.spec)}; it must be a ChannelSpec"
    members = {
        name: getattr(value, name) for name in ("send", "open", "lookup", "poll") if hasattr(value, name)
    }
    if not members.keys() & {"send", "open"}:
        return "it must have send(delivery, ctx), or open(ctx) that gives a sender"
    if value.spec.dedup is Dedup.LOOKUP and "lookup" not in members:
        return "its dedup class is LOOKUP, so it must have lookup(delivery, ctx)"
    return next(filter(None, map(function, members.values())), "")


def rule(value: Any) -> str:
    """Tell what is wrong with a reward rule."""
    name, cap = value.name, getattr(value, "cap", None)
    if not isinstance(name, str) or not name.strip() or "@" in name or len(name) > 100:
        return f"its name is {shown(name)}; it must be a text of 1 to 100 characters without '@'"
    if cap is not None and (type(cap) is not int or cap < 0):
        return f"its cap is {shown(cap)}; it must be a whole number from 0 on, or None"
    if not callable(value.evaluate) or oddity(value.evaluate) == "async":
        return "its evaluate must be a function that is not async"
    return (
        _version(value.version)
        or _texts("triggers", getattr(value, "triggers", ("order.paid",)))
        or _texts("reads", reads := getattr(value, "reads", ()))
        or _counters(reads)
        or _texts("fields", getattr(value, "fields", ()))
        or _stacking(value)
        or _limits(getattr(value, "limits", ()))
    )


def unremembered(value: Any) -> str:
    """Tell what is wrong with a rule where no plugin remembers what was granted."""
    kept = [limit for limit in getattr(value, "limits", ()) if limit.needs_memory]
    if not kept:
        return ""
    return (
        f"rule {value.name!r} has the limit {str(kept[0])!r}, and no enabled plugin remembers what was granted "
        "(crmkit_reward_ledger); enable one, such as 'loyalty'"
    )


def unread(value: Any, known: Mapping[str, Any]) -> str:
    """Tell which field a rule reads that the CRM does not have.

    Args:
        value: the rule.
        known: the CRM's fields by name.
    """
    for name in getattr(value, "fields", ()):
        if name not in known and not name.startswith("segment."):
            meant = did_you_mean(name, list(known))
            return f"rule {value.name!r} reads the field {name!r}, which no enabled plugin has{meant}"
        stated = value.vocabulary[name] if hasattr(value, "vocabulary") and name in known else None
        if stated is not None and stated.kind.type is not known[name].kind.type:
            return f"rule {value.name!r} reads the field {name!r} as {stated.kind}; it is {known[name].kind}"
    return ""


def _stacking(value: Any) -> str:
    for name in ("lane", "group", "best_of", "programme"):
        text = getattr(value, name, "")
        if not isinstance(text, str) or len(text) > 100:
            return f"its {name} is {shown(text)}; it must be a text of at most 100 characters"
    priority = getattr(value, "priority", 0)
    return "" if type(priority) is int else f"its priority is {shown(priority)}; it must be a whole number"


def _limits(value: object) -> str:
    proper = isinstance(value, (tuple, list)) and all(isinstance(one, Limit) for one in value)
    return "" if proper else f"its limits are {shown(value)}; they must be a tuple of Limit"


def event_type(value: Any) -> str:
    """Tell what is wrong with an event class."""
    if "__attrs_attrs__" not in vars(value) or value.__setattr__ is not Event.__setattr__:
        return "decorate the class with @attrs.frozen(kw_only=True)"
    for field in attrs.fields(value):
        if field.metadata.get("personal") and field.default is attrs.NOTHING:
            return f"its field {field.name!r} is personal and needs a default: it is what reads after erasure"
    return _version(value.version)


def field(value: Any) -> str:
    """Tell what is wrong with a field."""
    return "" if len(value.name) <= 100 else "its name has more than 100 characters"


def named_function(value: Any) -> str:
    """Tell what is wrong with a command or a health check."""
    return _name(value.name) or function(value.function)


def job(value: Any) -> str:
    """Tell what is wrong with a job."""
    proper = isinstance(value.every, timedelta) and value.every > timedelta(0)
    wrong = "" if proper else f"its every is {shown(value.every)}; it must be a positive timedelta"
    return wrong or named_function(value)


def page(value: Any) -> str:
    """Tell what is wrong with a page."""
    return _name(value.name) or function(value.render)


def _name(name: object) -> str:
    proper = isinstance(name, str) and name.strip()
    return "" if proper else "its name must be a text that is not empty"


def _version(version: object) -> str:
    proper = type(version) is int and version > 0
    return "" if proper else f"its version is {shown(version)}; it must be a whole number from 1 on"


def _texts(what: str, value: object) -> str:
    proper = isinstance(value, (tuple, list, frozenset)) and all(isinstance(one, str) for one in value)
    return "" if proper else f"its {what} are {shown(value)}; they must be a tuple of texts"


def _counters(reads: Iterable[str]) -> str:
    known = [*COUNTERS, *HISTORIES]
    unknown = [name for name in reads if name not in known]
    return f"there is no counter {unknown[0]!r}{did_you_mean(unknown[0], known)}" if unknown else ""
