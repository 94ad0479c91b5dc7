"""Laws: numbered promises, what a suite must be given to test each, and the error when one is broken."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import indent
from typing import Any, TypeVar

import attrs

F = TypeVar("F", bound=Callable[..., Any])

_LAW, _LAWS, _UNWRITTEN = "crmkit_law", "crmkit_laws", "crmkit_unwritten"


class LawBroken(AssertionError):
    """A conformance suite found a law broken; the message has its number, and both sides.

    Args:
        number: the law's number in its suite.
        law: the law in one sentence.
        subject: what broke it.
        expected: what the law asks for.
        found: what was seen.
        hint: what to do about it, or where to look.
        code: what repeats it, to be pasted.
    """

    def __init__(
        self,
        number: int,
        law: str,
        *,
        subject: str,
        expected: str,
        found: str,
        hint: str = "",
        code: str = "",
    ) -> None:
        said = {"law": law, "expected": expected, "found": found, "hint": hint}
        lines = [f"  {name + ':':<9} {text}" for name, text in said.items() if text]
        paste = ["  to repeat it:", indent(code, "    ")] if code else []
        super().__init__("\n".join([f"law {number} is broken by {subject}", *lines, *paste]))
        self.number = number
        self.law = law
        self.expected = expected
        self.found = found


@attrs.frozen
class Law:
    """A law of a suite.

    Args:
        number: unique in its suite, and never given to another law.
        sentence: the law itself.
        needs: what the author must write to claim it; "a|b" means either.
    """

    number: int
    sentence: str
    needs: tuple[str, ...] = ()


def law(number: int, *needs: str) -> Callable[[F], F]:
    """Return a decorator that makes a test method a law; its docstring's first line is the sentence.

    Args:
        number: the law's number.
        needs: names of the suite's attributes and methods without which it is not claimed.
    """

    def mark(function: F) -> F:
        sentence = " ".join((function.__doc__ or "").split("\n\n")[0].split())
        setattr(function, _LAW, Law(number, sentence, needs))
        return function

    return mark


def unwritten(function: F) -> F:
    """Mark a method of a suite that its author may write, and claims something by writing."""
    setattr(function, _UNWRITTEN, True)
    return function


def law_of(function: object) -> Law | None:
    """Return the law that a test method tests, or None."""
    return getattr(function, _LAW, None)


def laws_in(cls: type) -> dict[str, Any]:
    """Return the law methods of a suite by name, also those that are switched off, by number."""
    found = {
        name: member for home in reversed(cls.__mro__) for name, member in vars(home).get(_LAWS, {}).items()
    }
    return dict(sorted(found.items(), key=lambda item: item[1].crmkit_law.number))


def missing(cls: type, needed: Law) -> tuple[str, ...]:
    """Return which needs of a law a suite does not meet."""
    return tuple(need for need in needed.needs if not any(is_written(cls, name) for name in need.split("|")))


def is_written(cls: type, name: str) -> bool:
    """Return whether the author of a suite has written a method, or set an attribute to something."""
    return _written(getattr(cls, name))


def _written(value: object) -> bool:
    return bool(value) and not getattr(value, _UNWRITTEN, False)


def settle(cls: type) -> None:
    """Note the laws that a class defines, and switch off those that a suite for collection does not claim.

    What is switched off is None: no runner can count it as passed.
    """
    setattr(cls, _LAWS, {name: member for name, member in vars(cls).items() if law_of(member) is not None})
    for name, function in laws_in(cls).items() if cls.__test__ else ():  # type: ignore[attr-defined]
        held = law_of(function)
        if held is None or (name in vars(cls) and vars(cls)[name] is not function):
            continue  # the author has put something else in its place
        if missing(cls, held):
            setattr(cls, name, None)
        elif getattr(cls, name) is None:
            setattr(cls, name, function)
