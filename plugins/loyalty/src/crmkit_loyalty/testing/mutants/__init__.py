"""Known bugs of other systems, put into this ledger's own code: each names the law that finds it.

They are injected by attribute, where the functions that run look each other up.
"""

from __future__ import annotations

from types import ModuleType

from crmkit.testing import Mutant
from crmkit_loyalty.testing.mutants import arithmetic, orders, spending, time


def _in(module: ModuleType) -> tuple[Mutant, ...]:
    return tuple(value for value in vars(module).values() if isinstance(value, Mutant))


#: All of them, in their order.
MUTANTS: tuple[Mutant, ...] = (*_in(arithmetic), *_in(spending), *_in(orders), *_in(time))
