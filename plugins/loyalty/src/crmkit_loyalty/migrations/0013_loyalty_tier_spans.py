"""Create the table loyalty_tier_spans."""

from sqlalchemy import PrimaryKeyConstraint

from crmkit.sql import Id, Instant, Minor, Text, column
from crmkit.sql.migrations import create_table

revision = "loyalty_0013"
down_revision = "loyalty_0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "loyalty_tier_spans",
        column("contact_id", Id()),
        column("number", Minor()),
        column("from_at", Instant()),
        column("until_at", Instant()),
        column("rank", Minor()),
        column("tier", Text(30)),
        column("evaluated_at", Instant()),
        PrimaryKeyConstraint("contact_id", "number", "from_at"),
    )
