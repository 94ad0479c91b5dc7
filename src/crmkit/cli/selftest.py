"""`crmkit selftest`: does the kit still find every known bug? Each is put into the code, in memory, and attacked."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import groupby
from statistics import median
from textwrap import indent
from typing import TYPE_CHECKING, Any

from crmkit.errors import ConfigError

if TYPE_CHECKING:
    from argparse import Namespace

    from crmkit.testing.mutants import Hunt, Mutant

_HEADINGS = ("mutant", "killed by", "examples", "most", "seconds", "as reported")


def add(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "selftest", help="put known bugs into the code and see that the kit finds them"
    )
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="with how many seeds (default: 1)")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="a mutant; may be repeated"
    )
    parser.add_argument(
        "--examples", type=int, default=2000, metavar="N", help="at most how many for each (default: 2000)"
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default: one a core)"
    )
    parser.add_argument("--list", action="store_true", help="list the mutants and stop")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Hunt the mutants; return 1 if one survives."""
    for name in ("seeds", "examples", "jobs"):
        if getattr(args, name) < 1:
            raise ConfigError(f"--{name} {getattr(args, name)} must be 1 or more")
    mutants = _mutants(args.only)
    if args.list:
        print("\n".join(_aligned([_about(mutant) for mutant in mutants])))
        return 0
    found = sorted(
        _hunts(args, mutants), key=lambda one: ([m.name for m in mutants].index(one.mutant), one.seed)
    )
    print(_json(found) if args.json else "\n".join(_report(found, mutants)))
    return int(not all(one.killed for one in found))


def _mutants(only: Sequence[str]) -> tuple[Mutant, ...]:
    try:
        from crmkit.testing.mutants import installed_mutants  # imported when first used
    except ImportError as error:
        raise ConfigError(f"selftest needs {error.name}: pip install 'crmkit[testing]'") from error
    return installed_mutants(only)


def _hunts(args: Namespace, mutants: Sequence[Mutant]) -> Iterator[Hunt]:
    from crmkit.cli.progress import counting

    # the first seed is also asked for the simplest example; it takes longest, so it goes first
    tasks = [(one.name, seed, args.examples) for seed in range(args.seeds) for one in mutants]
    with counting(f"selftest of {len(tasks)}") as advance:
        for done, one in enumerate(_results(tasks, args.jobs), 1):
            advance(done, f"{one.mutant} {'killed' if one.killed else 'SURVIVED'}")
            yield one


def _results(tasks: Sequence[tuple[str, int, int]], jobs: int) -> Iterator[Hunt]:
    if jobs == 1:
        yield from map(_one, tasks)
        return
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from multiprocessing import get_context

    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(_one, task) for task in tasks]):
            yield future.result()


def _one(task: tuple[str, int, int]) -> Hunt:
    from crmkit.testing.mutants import hunt, installed_mutants

    name, seed, examples = task
    return hunt(installed_mutants([name])[0], seed, examples=examples, shrink=seed == 0)


def _json(found: Sequence[Hunt]) -> str:
    from json import dumps

    import attrs

    return dumps([attrs.asdict(one) | {"killed": one.killed} for one in found], indent=2, ensure_ascii=False)


def _report(found: Sequence[Hunt], mutants: Sequence[Mutant]) -> Iterator[str]:
    origins = {mutant.name: mutant.origin for mutant in mutants}
    rows: list[tuple[str, ...]] = [_HEADINGS]
    for name, group in groupby(found, key=lambda one: one.mutant):
        rows.append(_row(name, list(group), origins[name]))
    yield from _aligned(rows)
    for one in found:
        if one.seed == 0 and one.program:
            yield f"\n{one.mutant}, law {one.law}:\n{indent(one.program, '    ')}"
    yield from (
        f"\n{one.mutant} SURVIVED seed {one.seed}: {one.said or 'nothing was found'}" for one in _alive(found)
    )
    killed = len({one.mutant for one in found}) - len({one.mutant for one in _alive(found)})
    yield f"\n{killed} of {len(rows) - 1} mutants killed in each of {len({one.seed for one in found})} seeds"


def _alive(found: Sequence[Hunt]) -> list[Hunt]:
    return [one for one in found if not one.killed]


def _row(name: str, hunts: Sequence[Hunt], origin: str) -> tuple[str, ...]:
    alive = _alive(hunts)
    laws = ", ".join(str(law) for law in sorted({one.law for one in hunts if one.law is not None}))
    examples = [one.examples for one in hunts]
    killed = f"law {laws}" if not alive else f"SURVIVED {len(alive)} of {len(hunts)}"
    seconds = f"{sum(one.seconds for one in hunts):.1f}"
    return (name, killed, f"{median(examples):.0f}", str(max(examples)), seconds, origin)


def _about(mutant: Mutant) -> tuple[str, ...]:
    return (mutant.name, f"law {' or '.join(map(str, mutant.laws))}", mutant.attack.name, mutant.origin)


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
