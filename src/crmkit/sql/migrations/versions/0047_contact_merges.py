"""Create the table contact_merges."""

from sqlalchemy import Column

from crmkit.sql import Id, Instant, Json, Text, column, index
from crmkit.sql.migrations import create_table

revision = "crmkit_0047"
down_revision = "crmkit_0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "contact_merges",
        Column("id", Id(), primary_key=True),
        column("from_id", Id()),
        column("into_id", Id()),
        column("merged_at", Instant()),
        column("until", Instant()),
        column("actor", Text(100)),
        column("reason", Text(200)),
        column("details", Json()),
        index("at", "merged_at", "id"),
        index("from", "from_id", "until"),
        index("into", "into_id", "until"),
    )
