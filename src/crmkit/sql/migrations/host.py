"""For hosts that run Alembic themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def hidden(prefix: str = "crm_") -> Any:
    """Return an `include_name` for a host's own Alembic that leaves crmkit's tables alone.

    Give it to `context.configure(include_name=...)` in `env.py` where the tables are kept by
    `crm.create_tables()` or `crmkit migrate`, so that autogenerate does not propose to drop them.

    Args:
        prefix: what the tables' names begin with.
    """

    def include_name(name: str | None, type_: str, parents: Mapping[str, str | None]) -> bool:
        return not (type_ == "table" and name is not None and name.startswith(prefix))

    return include_name
