"""Tables of orders."""

from __future__ import annotations

from sqlalchemy import Column, MetaData

from crmkit.sql.tables import column, index, table, unique
from crmkit.sql.types import Id, Instant, Minor, Text


def add(metadata: MetaData) -> None:
    """Add them to the metadata."""
    table(
        metadata,
        "orders",
        Column("id", Id(), primary_key=True),
        column("key", Text(100)),
        column("contact_id", Id(), null=True, holds="subject"),
        column("state", Text(20)),
        column("currency", Text(3)),
        column("total", Minor()),
        column("refunded", Minor()),
        column("placed_at", Instant()),
        column("paid_at", Instant()),
        column("shipped_at", Instant()),
        column("cancelled_at", Instant()),
        # the event that holds the lines as they stand: OrderRecorded or the last OrderAmended
        column("lines_event_id", Id()),
        unique("key"),
        index("of", "contact_id", "placed_at", "id"),
    )
