"""Known bugs, put into the code that runs, one at a time: does an attack find each?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from importlib.metadata import entry_points
from io import StringIO
from typing import Any

import attrs
import pytest

from crmkit.errors import ConfigError
from crmkit.settings import did_you_mean
from crmkit.testing.attacks import Attack, Tally, law_broken_in, limits
from crmkit.testing.timelines import program_of

#: Where a distribution names its mutants: `loyalty = "crmkit_loyalty.testing:MUTANTS"`.
GROUP = "crmkit_mutants"

#: For how many seconds a simpler example is looked for.
_SHRINKING = 8.0


@attrs.frozen
class Mutant:
    """A known bug that can be put into the code and taken out again.

    Args:
        name: unique, says what goes wrong.
        laws: the numbers of the laws of which one must find it.
        attack: what looks for it.
        inject: puts it in, by `patch.setattr` on the functions that run.
        origin: the public report of such a bug.
    """

    name: str
    laws: tuple[int, ...]
    attack: Attack
    inject: Callable[[pytest.MonkeyPatch], None]
    origin: str = ""

    @contextmanager
    def injected(self) -> Iterator[None]:
        """Run the block with the bug in the code."""
        with pytest.MonkeyPatch.context() as patch:
            self.inject(patch)
            yield


def mutant(
    *laws: int, attack: Attack, origin: str = ""
) -> Callable[[Callable[[pytest.MonkeyPatch], None]], Mutant]:
    """Return a decorator that makes a mutant, named after the function that injects it.

    Args:
        laws: the numbers of the laws of which one must find it.
        attack: what looks for it.
        origin: the public report of such a bug.
    """
    return lambda inject: Mutant(inject.__name__, laws, attack, inject, origin)


def original(path: str) -> Any:
    """Return what stands at a dotted path now, so that a mutant can call what it replaces.

    Args:
        path: a function or a method, such as "shop.ledger.Ledger.spend".
    """
    module, _, rest = path.partition(".")
    found: Any = import_module(module)
    for name in rest.split("."):
        module = f"{module}.{name}"
        try:
            found = getattr(found, name)
        except AttributeError:
            found = import_module(module)
    return found


@attrs.frozen(kw_only=True)
class Hunt:
    """What came of looking for one mutant with one seed.

    Args:
        mutant: its name.
        seed: of Hypothesis.
        laws: of which one must find it.
        law: the number of the law that broke, or None.
        examples: how many were tried, up to the one that failed.
        seconds: how long it took.
        program: what repeats the failure, as code.
        said: what was raised, or empty.
    """

    mutant: str
    seed: int
    laws: tuple[int, ...]
    law: int | None = None
    examples: int = 0
    seconds: float = 0.0
    program: str = ""
    said: str = ""

    @property
    def killed(self) -> bool:
        """Whether one of its laws found it."""
        return self.law in self.laws


def hunt(target: Mutant, seed: int = 0, *, examples: int = 2000, shrink: bool = False) -> Hunt:
    """Put a mutant into the code, attack it, and take it out again.

    Args:
        target: the mutant.
        seed: of Hypothesis.
        examples: at most how many are tried.
        shrink: whether to look for the simplest example that shows it; takes longer.
    """
    tally, begun = Tally(), time.perf_counter()
    found: BaseException | None = None
    # what Hypothesis prints is no part of the answer
    with target.injected(), _shrinking_for(_SHRINKING), redirect_stdout(StringIO()):
        try:
            target.attack.run(limits(examples, shrink=shrink), tally, seed)
        except Exception as error:
            found = error
    broken = None if found is None else law_broken_in(found)
    return Hunt(
        mutant=target.name,
        seed=seed,
        laws=target.laws,
        law=None if broken is None else broken.number,
        examples=tally.failed or tally.tried,
        seconds=round(time.perf_counter() - begun, 2),
        program=program_of(found) if found else "",
        said="" if found is None else f"{type(found).__name__}: {found}",
    )


@contextmanager
def _shrinking_for(seconds: float) -> Iterator[None]:
    """Let Hypothesis look for simpler examples no longer than this: it would take minutes, over a database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hypothesis.internal.conjecture.engine.MAX_SHRINKING_SECONDS", seconds, raising=False)
        yield


def installed_mutants(names: Sequence[str] = ()) -> tuple[Mutant, ...]:
    """Return the mutants of the installed distributions.

    Args:
        names: only these; all when none is named.

    Raises:
        ConfigError: if there is none by a name, or none at all.
    """
    found: dict[str, Mutant] = {
        one.name: one for entry in sorted(entry_points(group=GROUP)) for one in entry.load()
    }
    if not found:
        raise ConfigError(
            f"no mutants are installed; a distribution offers them as entry points of {GROUP!r}"
        )
    for name in names:
        if name not in found:
            raise ConfigError(f"there is no mutant {name!r}{did_you_mean(name, list(found))}")
    return tuple(found[name] for name in names) or tuple(found.values())
