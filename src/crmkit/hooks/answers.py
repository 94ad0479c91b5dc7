"""What implementations answer, checked: an object of the right kind, or as many as they like."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Set
from itertools import islice
from typing import Any, TypeGuard

from crmkit.events import Event
from crmkit.hooks.calls import Implementation
from crmkit.plugins import said, shown
from crmkit.rewards import Owned

#: The most objects that one implementation may return; more is taken for a generator without end.
LIMIT = 10_000

#: What is wrong with an object that a hook returned, or an empty text.
Fault = Callable[[Any], str]


def items(one: Implementation, answer: Any) -> list[Any]:
    """Return the objects of an answer.

    Raises:
        PluginInvalid: if it is no list or the like, or has no end.
    """
    if answer is None or isinstance(answer, (str, bytes, Mapping, Set, Awaitable)):
        raise one.garbage(answer, "it must answer a list, empty if there is nothing")
    if not isinstance(answer, Iterable):
        raise one.garbage(answer, "it must answer a list of such objects, not one")
    try:
        found = list(islice(answer, LIMIT + 1))
    except (Exception, SystemExit) as error:
        raise one.refusal(f"raised {said(error)} while it was iterated") from error
    if len(found) > LIMIT:
        raise one.refusal(f"gave more than {LIMIT} objects; it seems to have no end")
    return found


def owned(one: Implementation, item: Any, fault: Fault) -> Owned[Any]:
    """Return an object with its owner.

    Raises:
        PluginInvalid: if something is wrong with it.
    """
    try:
        wrong = fault(item)
    except (Exception, SystemExit) as error:
        raise one.refusal(f"answered {shown(item)}, looking at which raised {said(error)}") from error
    if wrong:
        raise one.garbage(item, wrong)
    return Owned(owner=one.owner.name, value=item)


def made_of(kind: type[Any]) -> Fault:
    """Return the check that an object is an instance of a class."""
    return lambda item: "" if isinstance(item, kind) else f"each must be a {kind.__name__}"


def like(what: str, *members: str) -> Fault:
    """Return the check that an object has the members of a protocol."""

    def fault(item: Any) -> str:
        if isinstance(item, type):
            return f"each must be a {what}, an instance and not a class"
        missing = [member for member in members if not hasattr(item, member)]
        return f"each must be a {what}, and this lacks {', '.join(missing)}" if missing else ""

    return fault


def event_class(item: Any) -> str:
    """Return what is wrong with an event class."""
    proper = isinstance(item, type) and issubclass(item, Event) and item is not Event
    return "" if proper else "each must be a subclass of Event"


def is_reason(answer: object) -> TypeGuard[str]:
    """Tell whether an answer says something; an empty text could mean either."""
    return isinstance(answer, str) and bool(answer.strip())
