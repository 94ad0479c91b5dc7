"""Tables of imports: how far each file has been taken over."""

from __future__ import annotations

from sqlalchemy import Column, MetaData

from crmkit.sql.tables import column, index, table
from crmkit.sql.types import Instant, Json, Minor, Text


def add(metadata: MetaData) -> None:
    """Add them to the metadata."""
    table(
        metadata,
        "imports",
        Column("key", Text(64), primary_key=True),  # digest of the file and of how it is read
        column("what", Text(20)),
        column("file", Text(300)),
        column("started_at", Instant()),
        column("finished_at", Instant()),  # the end of time while it has not
        column("taken", Minor()),  # rows, from the beginning of the file
        column("rejects_size", Minor()),  # bytes of the file of rejects that belong to them
        column("report", Json(), holds="fact"),  # counts alone
        index("started", "started_at", "key"),
    )
