"""Tables of merges: a merge rewrites no row, an alias says who that contact is now."""

from __future__ import annotations

from sqlalchemy import Column, MetaData

from crmkit.sql.tables import column, index, table
from crmkit.sql.types import Id, Instant, Json, Text


def add(metadata: MetaData) -> None:
    """Add them to the metadata."""
    # every merge there was, and until when it held
    table(
        metadata,
        "contact_merges",
        Column("id", Id(), primary_key=True),
        column("from_id", Id(), holds="subject"),
        column("into_id", Id(), holds="subject"),
        column("merged_at", Instant()),
        column("until", Instant()),  # the end of time while it holds
        column("actor", Text(100)),
        column("reason", Text(200), holds="personal"),
        column("details", Json(), holds="personal"),
        index("from", "from_id", "until"),
        index("into", "into_id", "until"),
        index("at", "merged_at", "id"),
    )
    # follows from the merges that hold: one row for each contact that goes on as another, chains followed
    table(
        metadata,
        "contact_aliases",
        Column("contact_id", Id(), primary_key=True, info={"crmkit": "subject"}),
        column("survivor_id", Id(), holds="subject"),
        index("of", "survivor_id", "contact_id"),
    )
