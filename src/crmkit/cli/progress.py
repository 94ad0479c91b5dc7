"""How far long work has come, where somebody looks on: a bar where rich is installed, else a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

_SECONDS = 5.0  # between two lines

Advance = Callable[[int, str], None]


@contextmanager
def counting(title: str) -> Iterator[Advance]:
    """Give a function that is told how many are done and what else is to be shown.

    Args:
        title: what is being done.
    """
    if not sys.stderr.isatty():
        yield _silent
        return
    shown = _bar(title)
    if shown is None:
        yield _lines(title)
        return
    with shown as advance:
        yield advance


def _silent(done: int, note: str = "") -> None:
    """Tell nobody: what is written to a pipe or a log is read when all is done."""


def _lines(title: str) -> Advance:
    last = time.monotonic()

    def advance(done: int, note: str = "") -> None:
        nonlocal last
        if time.monotonic() - last >= _SECONDS:
            last = time.monotonic()
            print(f"{title}: {done}{', ' + note if note else ''}", file=sys.stderr)

    return advance


def _bar(title: str) -> AbstractContextManager[Advance] | None:
    try:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    except ImportError:
        return None

    @contextmanager
    def shown() -> Iterator[Advance]:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description} {task.completed:,.0f} {task.fields[note]}"),
        )
        with Progress(
            *columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True
        ) as progress:
            task = progress.add_task(title, total=None, note="")

            def advance(done: int, note: str = "") -> None:
                progress.update(task, completed=done, note=note)

            yield advance

    return shown()
