"""Tables of segments: named expressions, and whom each held when it was last refreshed."""

from __future__ import annotations

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint

from crmkit.sql.tables import column, index, table
from crmkit.sql.types import Id, Instant, Minor, Text


def add(metadata: MetaData) -> None:
    """Add them to the metadata."""
    table(
        metadata,
        "segments",
        Column("name", Text(60), primary_key=True),
        column("expression", Text()),
        column("doc", Text(500)),
        column("watched", Minor()),
        column("author", Text(100)),
        column("defined_at", Instant()),
        column("refreshes", Minor()),
        column("refreshed_at", Instant()),  # the end of time until then
    )
    # follows from the expression: the refresh in which each came, and until the events are written that it left
    table(
        metadata,
        "segment_members",
        column("segment", Text(60)),
        column("contact_id", Id(), holds="subject"),
        column("since", Instant()),
        column("entered_in", Minor()),
        column("left_in", Minor()),
        PrimaryKeyConstraint("segment", "contact_id"),
        index("of", "contact_id", "segment"),
        index("entered", "segment", "entered_in", "contact_id"),
        index("gone", "segment", "left_in", "contact_id"),
        erase="delete",
    )
