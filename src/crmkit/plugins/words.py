"""How error messages speak of what plugins bring, even if it breaks when it is looked at."""

from __future__ import annotations

import inspect


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
