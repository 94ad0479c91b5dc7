"""Tables of the log."""

from __future__ import annotations

from sqlalchemy import Column, MetaData

from crmkit.sql.tables import OF, column, index, table, unique
from crmkit.sql.types import Id, Instant, Json, Minor, Text


def add(metadata: MetaData) -> None:
    """Add them to the metadata."""
    table(
        metadata,
        "events",
        Column("id", Id(), primary_key=True),
        column("type", Text(60)),
        column("version", Minor()),
        column("key", Text(255)),
        column("contact_id", Id(), null=True, holds="subject"),
        column("subject_id", Id(), null=True, of="deliveries"),
        column("actor", Text(100)),
        column("cause_id", Id(), null=True),
        column("occurred_at", Instant()),
        column("recorded_at", Instant()),
        # NULL until the numberer has seen the commit
        column("position", Minor(), null=True),
        column("data", Json(), holds="fact"),
        # commits to the personal values, if there are any, without telling them
        column("digest", Text(64)),
        unique("key"),
        index("position", "position", "id"),
        index("timeline", "contact_id", "occurred_at", "id"),
        index("subject", "subject_id", "id"),
    )
    table(
        metadata,
        "event_personal",
        Column("event_id", Id(), primary_key=True, info={OF: "events"}),
        column("data", Json(), holds="personal"),
        column("salt", Text(32), holds="digest"),
    )
