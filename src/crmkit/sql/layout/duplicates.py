"""Tables of duplicates: the keys by which they are found at entry, and the pairs that somebody has to judge."""

from __future__ import annotations

from sqlalchemy import MetaData, PrimaryKeyConstraint

from crmkit.sql.tables import column, index, table
from crmkit.sql.types import Id, Instant, Json, Minor, Text


def add(metadata: MetaData) -> None:
    """Add them to the metadata."""
    keys = table(
        metadata,
        "duplicate_keys",
        column("contact_id", Id(), holds="subject"),
        column("key", Minor(), holds="digest"),
        # by contact first: a new contact's keys stand together at the end, and only one index grows at random
        PrimaryKeyConstraint("contact_id", "key"),
        index("key", "key", "contact_id"),
        erase="delete",
    )
    keys.dialect_options["sqlite"]["with_rowid"] = False
    table(
        metadata,
        "duplicate_pairs",
        column("first_id", Id(), holds="subject"),  # the lower id
        column("second_id", Id(), holds="subject"),
        column("state", Text(20)),  # open, merged or distinct
        column("weight", Minor()),  # thousandths of a bit
        column("explanation", Json(), holds="fact"),  # field, level and weight of each; no values
        column("found_at", Instant()),
        column("decided_at", Instant()),  # the end of time while it is open
        column("decided_by", Text(100), holds="fact"),
        PrimaryKeyConstraint("first_id", "second_id"),
        index("state", "state", "weight", "first_id", "second_id"),
        index("second", "second_id"),
        erase="delete",
    )
