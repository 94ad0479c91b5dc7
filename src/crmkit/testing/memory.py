"""A whole CRM in memory, for a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crmkit.clock import Clock
from crmkit.crm import CRM
from crmkit.testing.clock import FakeClock


def memory_crm(
    *,
    plugins: Sequence[str | object] = (),
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    clock: Clock | None = None,
    strict: bool = True,
    **options: Any,
) -> CRM:
    """Return a CRM on a database in memory that is gone with it; its tables are there.

    Args:
        plugins: as for `CRM`.
        settings: as for `CRM`.
        clock: by default a new `FakeClock`, which stands still.
        strict: whether failures of plugins that a CRM in production isolates are raised.
        options: as for `CRM`.
    """
    crm = CRM(
        "sqlite://",
        plugins=plugins,
        settings=settings,
        clock=clock or FakeClock(),
        strict=strict,
        **options,
    )
    crm.create_tables()
    return crm
