"""One implementation of a hook, how it is called, and who watches."""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

import attrs

from crmkit.errors import PluginInvalid
from crmkit.plugins import HOOKS, Loaded, said, shown


@attrs.frozen(eq=False)
class HookCall:
    """One call of one implementation, as a tracer sees it.

    Args:
        hook: the hook's name.
        owner: the plugin's name.
        arguments: all arguments of the hook by name, also those the implementation leaves out.
        result: what it returned; a generator function's generator, not yet run.
        error: what it raised, or None.
        seconds: how long it took.
    """

    hook: str
    owner: str
    arguments: Mapping[str, Any] = attrs.field(repr=False)
    result: Any = attrs.field(repr=shown)
    error: BaseException | None = attrs.field(repr=shown)
    seconds: float

    def __str__(self) -> str:
        # types instead of values: arguments hold people's addresses, and this goes to logs
        kinds = ", ".join(f"{name}: {type(value).__name__}" for name, value in self.arguments.items())
        outcome = f"raised {said(self.error)}" if self.error else f"-> {shown(self.result)}"
        return f"{self.owner}: {self.hook}({kinds}) {outcome} [{self.seconds * 1000:.2f} ms]"


@attrs.frozen(eq=False)
class Implementation:
    """A plugin's implementation of a hook; its text names it in errors.

    Args:
        hook: the hook's name.
        owner: the plugin.
        function: takes all arguments of the hook by position.
    """

    hook: str
    owner: Loaded
    function: Callable[..., Any]

    def __str__(self) -> str:
        return f"{self.owner}: hook {self.hook}"

    def refusal(self, complaint: str) -> PluginInvalid:
        """Return the error that says what is wrong with it."""
        return PluginInvalid(f"{self} {complaint}", plugin=self.owner.name)

    def garbage(self, answer: object, wanted: str) -> PluginInvalid:
        """Return the error that says what is wrong with its answer."""
        if inspect.iscoroutine(answer):
            answer.close()  # it is never awaited; without this Python warns about it later
            wanted = f"{wanted}; hooks are not async"
        return self.refusal(f"answered {shown(answer)}; {wanted}")


@attrs.frozen(eq=False)
class Calls:
    """Calls implementations, and tells the tracers."""

    _tracers: dict[object, Callable[[HookCall], object]] = attrs.field(factory=dict, init=False)

    def trace(self, callback: Callable[[HookCall], object]) -> Callable[[], None]:
        """Call `callback` after each call; return a function that ends it."""
        token = object()
        self._tracers[token] = callback

        def undo() -> None:
            self._tracers.pop(token, None)

        return undo

    def call(self, one: Implementation, *arguments: object) -> Any:
        """Return the answer of an implementation; what it raises goes through."""
        if not self._tracers:
            return one.function(*arguments)
        started = time.perf_counter()
        result, failure = None, None
        try:
            result = one.function(*arguments)
            return result
        except BaseException as error:
            failure = error
            raise
        finally:
            seconds = time.perf_counter() - started
            named = MappingProxyType(dict(zip(HOOKS[one.hook], arguments, strict=True)))
            self._tell(HookCall(one.hook, one.owner.name, named, result, failure, seconds))

    def ask(self, one: Implementation, *arguments: object) -> Any:
        """Return the answer of an implementation.

        Raises:
            PluginInvalid: if it raises.
        """
        try:
            return self.call(one, *arguments)
        except (Exception, SystemExit) as error:
            raise one.refusal(f"raised {said(error)}") from error

    def tell(self, one: Implementation, argument: object) -> None:
        """Call an implementation that has nothing to answer.

        Raises:
            PluginInvalid: if it raises or answers.
        """
        answer = self.ask(one, argument)
        if answer is not None:
            raise one.garbage(answer, "it must answer None")

    def _tell(self, call: HookCall) -> None:
        for tracer in tuple(self._tracers.values()):
            with suppress(Exception, SystemExit):
                tracer(call)


def print_call(call: HookCall) -> None:
    """Print a call to standard error."""
    print(f"crmkit: {call}", file=sys.stderr)
