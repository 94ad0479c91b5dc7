"""What importing costs, each time in a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

from measure import Cost, Side, alternate
from report import Options, Row

TITLE = "importing, in fresh interpreters by turns"
_CLOCKS = "from time import perf_counter_ns as wall, process_time_ns as cpu"
THREE = "import pluggy, attrs, blinker"
NAMES = "from crmkit import Accepted, ChannelSpec, Message, Order, hookimpl"
ORM = "import sqlalchemy.orm"


def measure_alone(options: Options) -> Iterator[Row]:
    """Yield the rows of the table."""
    base, ours, names, orm, whole = (
        Side(statement, lambda statement=statement: imported(statement))  # type: ignore[misc]
        for statement in (THREE, "import crmkit", NAMES, ORM, "from crmkit import CRM")
    )
    alternate(base, ours, names, orm, whole, rounds=options.rounds, turns=options.turns(6), warm_up=1)
    yield Row.of("imports", "", "import crmkit", base, ours, at_most=1.5)
    yield Row.of("imports", "", "the names that a plugin needs", base, names)
    yield Row.of("imports", "", "from crmkit import CRM", orm, whole)


def imported(statement: str) -> Cost:
    """Return what a statement costs in an interpreter that has just started."""
    code = f"{_CLOCKS}; c, w = cpu(), wall(); {statement}; print([wall() - w, cpu() - c])"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    return Cost(*json.loads(done.stdout))
