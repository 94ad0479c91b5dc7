"""Ways to look for broken laws with made-up cases: a property of drawn arguments, or a state machine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Protocol

import attrs
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from crmkit.testing.laws import LawBroken


@attrs.define
class Tally:
    """Counts the examples that are tried, and notes which was the first to fail."""

    tried: int = 0
    failed: int | None = None

    def fail(self) -> None:
        """Note that the latest example failed."""
        self.failed = self.failed or self.tried


class Attack(Protocol):
    """What tries examples until a law breaks."""

    @property
    def name(self) -> str:
        """How reports name it."""
        ...

    def run(self, limits: settings, tally: Tally, number: int | None = None) -> None:
        """Try examples.

        Args:
            limits: how many, and what else Hypothesis is to know.
            tally: is told of each example.
            number: Hypothesis's seed; None for what the limits say.

        Raises:
            LawBroken: if an example breaks a law.
        """
        ...


@attrs.frozen
class Property:
    """A law that holds for everything that strategies draw.

    Args:
        body: called with what is drawn; raises LawBroken.
        drawn: a strategy for each argument.
    """

    body: Callable[..., None]
    drawn: tuple[st.SearchStrategy[Any], ...]

    @property
    def name(self) -> str:
        """The function's name."""
        return self.body.__name__

    def __call__(self, *arguments: Any) -> None:
        """Check one example."""
        self.body(*arguments)

    def run(self, limits: settings, tally: Tally, number: int | None = None) -> None:
        """Try examples."""

        def one(example: _Example) -> None:
            tally.tried += 1
            try:
                self.body(*example.arguments)
            except Exception:
                tally.fail()
                raise

        one.__name__ = one.__qualname__ = self.name
        call = st.builds(_Example, st.just(self.name), st.tuples(*self.drawn))
        _run(limits(given(example=call)(one)), number)


@attrs.frozen
class _Example:
    """The arguments of one call, shown as the call."""

    name: str
    arguments: tuple[Any, ...]

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        from crmkit.testing.writing import as_code

        printer.text(f"{self.name}({', '.join(map(as_code, self.arguments))})")


def for_all(*drawn: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Property]:
    """Return a decorator that makes a `Property` of a function.

    Args:
        drawn: a strategy for each of its arguments.
    """
    return lambda body: Property(body, drawn)


@attrs.frozen
class Machine:
    """A state machine whose rules and invariants raise LawBroken.

    Args:
        factory: its class; `fresh()`, if it has one, is called before the first example.
    """

    factory: type[RuleBasedStateMachine]

    @property
    def name(self) -> str:
        """The class's name."""
        return self.factory.__name__

    def run(self, limits: settings, tally: Tally, number: int | None = None) -> None:
        """Try programs of the machine's rules."""
        counting: Any = _counting(self.factory, tally)
        if hasattr(counting, "fresh"):
            counting.fresh()
        if number is not None:
            seed(number)(counting)
        run_state_machine_as_test(counting, settings=limits)


def _counting(factory: Any, tally: Tally) -> type:
    """Return the machine so that it counts; in failing programs it has its own name."""

    class Counting(factory):  # type: ignore[misc]
        __module__ = factory.__module__

        def __init__(self) -> None:
            tally.tried += 1
            super().__init__()

        def teardown(self) -> None:
            if sys.exc_info()[1] is not None:  # it is called while the failure is on its way
                tally.fail()
            super().teardown()

    Counting.__name__ = Counting.__qualname__ = factory.__name__
    return Counting


def _run(test: Any, number: int | None) -> None:
    (seed(number)(test) if number is not None else test)()


def limits(examples: int, *, steps: int = 20, shrink: bool = False) -> settings:
    """Return settings for a hunt: nothing is kept, and what is found is shrunk only if asked for.

    Args:
        examples: at most how many.
        steps: at most how many of a state machine's rules in one example.
        shrink: whether to look for the simplest example.
    """
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=False,
        database=None,
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        report_multiple_bugs=False,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )


def law_broken_in(error: BaseException) -> LawBroken | None:
    """Return the broken law in what an attack raised: also where the example did not fail the second time."""
    inside = (error, *getattr(error, "exceptions", ())) if isinstance(error, Flaky) else (error,)
    return next((one for one in inside if isinstance(one, LawBroken)), None)
