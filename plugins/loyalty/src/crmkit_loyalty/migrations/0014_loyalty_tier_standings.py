"""Create the table loyalty_tier_standings."""

from sqlalchemy import Column

from crmkit.sql import Id, Instant, Text, column, index
from crmkit.sql.migrations import create_table

revision = "loyalty_0014"
down_revision = "loyalty_0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "loyalty_tier_standings",
        Column("contact_id", Id(), primary_key=True),
        column("mark", Text(16)),
        column("told", Text(30)),
        column("due_at", Instant()),
        index("due", "due_at", "contact_id"),
    )
