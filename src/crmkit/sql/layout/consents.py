"""Tables of consents and of the suppression list; both outlive an erasure, and neither holds an address."""

from __future__ import annotations

from sqlalchemy import Column, MetaData

from crmkit.sql.tables import column, index, table, unique
from crmkit.sql.types import Id, Instant, Minor, Text


def add(metadata: MetaData) -> None:
    """Add them to the metadata."""
    # a log: no row of it is ever changed
    table(
        metadata,
        "consents",
        Column("id", Id(), primary_key=True),
        column("key", Text(200)),
        column("contact_id", Id(), holds="subject"),
        column("purpose", Text(60)),  # empty for all of them
        column("channel", Text(30)),  # empty for all of them
        column("state", Text(20)),
        column("basis", Text(30)),
        column("source", Text(100)),
        column("text_version", Text(60)),
        column("actor", Text(100)),
        column("personally", Minor()),
        # of the address at which consent was asked for, or empty
        column("digest", Text(64), holds="digest"),
        column("at", Instant()),
        column("until", Instant()),
        column("recorded_at", Instant()),
        unique("key"),
        index("of", "contact_id", "at", "id"),
        erase="keep",  # that consent was given or refused is to be proven later as well
    )
    table(
        metadata,
        "suppressions",
        Column("id", Id(), primary_key=True),
        column("digest", Text(64), holds="digest"),
        column("reason", Text(20)),
        column("purpose", Text(60)),  # empty for all of them
        column("channel", Text(30)),  # empty for all of them
        column("source", Text(100)),
        column("actor", Text(100)),
        column("since", Instant()),
        column("again_at", Instant()),
        column("until", Instant()),  # the end of time while it holds
        column("lift", Text(36)),  # the lift's id, empty while it holds: at most one of a kind does
        column("lifted_by", Text(100)),
        column("lift_reason", Text(100)),
        unique("digest", "reason", "purpose", "channel", "lift"),
        index("holding", "lift", "since", "id"),
        index("kind", "lift", "reason", "since", "id"),
        erase="keep",
    )
