"""Create the table suppressions."""

from sqlalchemy import Column

from crmkit.sql import Id, Instant, Text, column, index, unique
from crmkit.sql.migrations import create_table

revision = "crmkit_0061"
down_revision = "crmkit_0060"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "suppressions",
        Column("id", Id(), primary_key=True),
        column("digest", Text(64)),
        column("reason", Text(20)),
        column("purpose", Text(60)),
        column("channel", Text(30)),
        column("source", Text(100)),
        column("actor", Text(100)),
        column("since", Instant()),
        column("again_at", Instant()),
        column("until", Instant()),
        column("lift", Text(36)),
        column("lifted_by", Text(100)),
        column("lift_reason", Text(100)),
        unique("digest", "reason", "purpose", "channel", "lift"),
        index("holding", "lift", "since", "id"),
        index("kind", "lift", "reason", "since", "id"),
    )
