"""Tables that say where the database belongs, how far relays have come, and what failed."""

from __future__ import annotations

from sqlalchemy import Column, MetaData

from crmkit.sql.tables import column, index, table
from crmkit.sql.types import Id, Instant, Minor, Text


def add(metadata: MetaData) -> None:
    """Add them to the metadata."""
    table(
        metadata,
        "installation",
        Column("name", Text(50), primary_key=True),
        column("value", Text(500)),
    )
    table(
        metadata,
        "cursors",
        Column("name", Text(100), primary_key=True),
        column("position", Minor()),
        column("lease_until", Instant()),
        column("holder", Id(), null=True),
    )
    table(
        metadata,
        "failures",
        Column("id", Id(), primary_key=True),
        column("at", Instant()),
        column("owner", Text(100)),
        column("what", Text(200), holds="fact"),
        column("subject", Text(255), holds="fact"),
        # whom it was about, where that is known: an exception's words may hold anything
        column("contact_id", Id(), null=True, holds="subject"),
        column("error", Text(), holds="personal"),
        index("of", "contact_id", "id"),
    )
