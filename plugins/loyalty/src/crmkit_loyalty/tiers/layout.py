"""The tables of tiers: spans are only inserted, and the latest number of a contact counts."""

from __future__ import annotations

from sqlalchemy import MetaData, PrimaryKeyConstraint

from crmkit.sql import Id, Instant, Minor, Text, column, index, table

SPANS, STANDINGS = "loyalty_tier_spans", "loyalty_tier_standings"


def define_tables(metadata: MetaData) -> None:
    """Add the tables to the CRM's metadata."""
    table(
        metadata,
        SPANS,
        column("contact_id", Id(), holds="subject"),
        # of the evaluation
        column("number", Minor()),
        column("from_at", Instant()),
        column("until_at", Instant()),
        column("rank", Minor()),
        # empty for none
        column("tier", Text(30)),
        column("evaluated_at", Instant()),
        PrimaryKeyConstraint("contact_id", "number", "from_at"),
    )
    # what the next evaluation has to know: it can be emptied, and is filled again
    table(
        metadata,
        STANDINGS,
        column("contact_id", Id(), holds="subject"),
        # of the settings under which it was evaluated
        column("mark", Text(16)),
        # the tier that the log was told of last
        column("told", Text(30)),
        # when the tier changes next, if nothing more is earned
        column("due_at", Instant()),
        PrimaryKeyConstraint("contact_id"),
        index("due", "due_at", "contact_id"),
        merge="survivor",
    )
