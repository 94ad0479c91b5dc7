"""Tables of privacy: who was erased, what must be kept for how long, and the seals of the log."""

from __future__ import annotations

from sqlalchemy import Column, MetaData

from crmkit.sql.tables import column, index, table
from crmkit.sql.types import Id, Instant, Json, Minor, Text


def add(metadata: MetaData) -> None:
    """Add them to the metadata."""
    table(
        metadata,
        "erasures",
        Column("contact_id", Id(), primary_key=True, info={"crmkit": "subject"}),
        column("erased_at", Instant()),
        column("actor", Text(100)),
        column("reason", Text(200), holds="fact"),
        # how often it was cleared once more, for what transactions wrote that were open when it was erased
        column("sweeps", Minor()),
        column("due_at", Instant()),  # of the next; the end of time once nothing is open
        column("held", Json(), holds="fact"),  # tables that a legal hold keeps
        column("left", Json(), holds="fact"),  # what plugins said was left, by plugin
        column("host", Json(), holds="fact"),  # columns of the host's table that the host has to clear
        index("due", "due_at", "contact_id"),
        erase="keep",
    )
    table(
        metadata,
        "legal_holds",
        Column("id", Id(), primary_key=True),
        column("contact_id", Id(), holds="subject"),
        column("reason", Text(200), holds="fact"),
        column("tables", Json(), holds="fact"),  # an empty list is everything
        column("placed_at", Instant()),
        column("until", Instant()),
        column("actor", Text(100)),
        index("of", "contact_id", "until"),
        erase="keep",
    )
    table(
        metadata,
        "seals",
        Column("number", Minor(), primary_key=True, autoincrement=False),
        column("first", Minor()),
        column("last", Minor()),
        column("sealed_at", Instant()),
        column("leaves", Text()),  # of each event in turn, so that the one that was altered can be named
        column("root", Text(64)),
        column("previous", Text(64)),
        column("seal", Text(64)),
        index("first", "first"),
    )
