"""Tables of the outbox."""

from __future__ import annotations

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint

from crmkit.sql.tables import column, index, table, unique
from crmkit.sql.types import Id, Instant, Json, Minor, Text


def add(metadata: MetaData) -> None:
    """Add them to the metadata."""
    table(
        metadata,
        "deliveries",
        Column("id", Id(), primary_key=True),
        column("key", Text(200)),
        column("channel", Text(30)),
        # the contact's id, or the address where one was named: who hears of a key, whatever address is in use
        column("recipient", Text(320), holds="personal"),
        column("address", Text(320), holds="personal"),
        column("contact_id", Id(), null=True, holds="subject"),
        column("topic", Text(100)),
        column("repeat", Text(20)),
        column("state", Text(20)),
        # the next instant at which a worker may look at it; the end of time once settled or held
        column("due_at", Instant()),
        column("expires_at", Instant()),
        column("queued_at", Instant()),
        column("attempt", Minor()),
        column("claim", Id(), null=True),
        column("reason", Text()),
        column("provider_id", Text(300)),
        column("name", Text(300), holds="personal"),
        column("locale", Text(35)),
        column("content", Json(), holds="personal"),
        unique("key", "channel", "recipient"),
        index("due", "due_at", "id"),
        index("state", "state", "queued_at", "id"),
    )
    table(
        metadata,
        "pauses",
        column("channel", Text(30)),
        column("scope", Text(20)),
        column("value", Text(320)),
        column("until", Instant()),
        column("reason", Text()),
        PrimaryKeyConstraint("channel", "scope", "value"),
    )
