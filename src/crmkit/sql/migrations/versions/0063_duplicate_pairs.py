"""Create the table duplicate_pairs."""

from sqlalchemy import PrimaryKeyConstraint

from crmkit.sql import Id, Instant, Json, Minor, Text, column, index
from crmkit.sql.migrations import create_table

revision = "crmkit_0063"
down_revision = "crmkit_0062"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "duplicate_pairs",
        column("first_id", Id()),
        column("second_id", Id()),
        column("state", Text(20)),
        column("weight", Minor()),
        column("explanation", Json()),
        column("found_at", Instant()),
        column("decided_at", Instant()),
        column("decided_by", Text(100)),
        PrimaryKeyConstraint("first_id", "second_id"),
        index("second", "second_id"),
        index("state", "state", "weight", "first_id", "second_id"),
    )
