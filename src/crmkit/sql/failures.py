"""What plugins' code failed at, as operators see it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import attrs
from sqlalchemy import select

from crmkit.sql.connection import Sql


@attrs.frozen(kw_only=True)
class FailureRow:
    """A failure that hurt nobody else.

    Args:
        id: its id.
        at: when.
        owner: the plugin.
        what: the reaction, rule, receiver or job.
        subject: the key of what it was about.
        contact_id: the contact that it was about, if that is known.
        error: the exception's last line, secrets removed; empty once that contact was erased.
    """

    id: UUID
    at: datetime
    owner: str
    what: str
    subject: str
    contact_id: UUID | None
    error: str


def read_failures(sql: Sql, limit: int) -> list[FailureRow]:
    """Return the latest failures first."""
    table = sql.tables["failures"]
    rows = sql.execute(select(table).order_by(table.c.id.desc()).limit(limit)).mappings()
    return [FailureRow(**row) for row in rows]
