"""Two ways of doing the same, measured side by side: turn by turn in one run, wall time and CPU of both ends."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter_ns, process_time_ns
from typing import NamedTuple


class Cost(NamedTuple):
    """What a piece of work cost that measured itself, in nanoseconds."""

    wall: int
    cpu: int


def no_server() -> int:
    """CPU of a database that lives in the client's own process."""
    return 0


@dataclass
class Side:
    """One way of doing the work.

    Args:
        name: what it is called in the table.
        run: does one piece of the work; it may answer its own `Cost`.
        prepare: done before each piece, outside the measurement.
        server: CPU nanoseconds that its server has used so far; None if nobody can know.
        units: how much one piece comes to, such as 10,000 messages.
    """

    name: str
    run: Callable[[], object]
    prepare: Callable[[], object] = lambda: None
    server: Callable[[], int | None] = no_server
    units: int = 1
    rounds: list[list[float]] = field(default_factory=list)
    client_cpu: int = 0
    server_cpu: int | None = 0

    def turn(self) -> None:
        """Do one piece of the work and note what it cost."""
        self.prepare()
        before = self.server()
        cpu, started = process_time_ns(), perf_counter_ns()
        answer = self.run()
        cost = Cost(perf_counter_ns() - started, process_time_ns() - cpu)
        cost = answer if isinstance(answer, Cost) else cost
        self.rounds[-1].append(cost.wall / self.units)
        self.client_cpu += cost.cpu
        after = self.server()
        known = self.server_cpu is not None and before is not None and after is not None
        self.server_cpu = self.server_cpu + after - before if known else None  # type: ignore[operator]

    @property
    def times(self) -> list[float]:
        """Nanoseconds of every measured unit."""
        return [time for times in self.rounds for time in times]

    @property
    def cpu(self) -> float | None:
        """Nanoseconds of CPU for one unit, client and server together."""
        if self.server_cpu is None:
            return None
        return (self.client_cpu + self.server_cpu) / (len(self.times) * self.units)


def alternate(*sides: Side, rounds: int, turns: int, warm_up: int = 3) -> None:
    """Let the sides take turns, the first one being another each time.

    Args:
        sides: what is compared.
        rounds: how often the whole is repeated.
        turns: how many turns each side has in a round.
        warm_up: turns beforehand that do not count.
    """
    for side in sides:
        side.rounds.append([])
        for _ in range(warm_up):
            side.turn()
        side.rounds, side.client_cpu, side.server_cpu = [], 0, 0
    for _ in range(rounds):
        for side in sides:
            side.rounds.append([])
        with _collected():
            for number in range(turns):
                for side in sides if number % 2 else reversed(sides):
                    side.turn()


@contextmanager
def _collected() -> Iterator[None]:
    """Start a round without the garbage of the one before."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def middle(times: Sequence[float]) -> float:
    """Return the median."""
    return median(times)


def late(times: Sequence[float]) -> float:
    """Return the 99th percentile, the nearest rank."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]


def ratio(base: Side, ours: Side) -> float:
    """Return how many times as long ours takes: the median over the rounds of each round's ratio of medians."""
    pairs = zip(base.rounds, ours.rounds, strict=True)
    return median(median(theirs) and median(mine) / median(theirs) for theirs, mine in pairs)
