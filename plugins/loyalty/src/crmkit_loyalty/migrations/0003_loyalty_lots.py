"""Create the table loyalty_lots."""

from sqlalchemy import Column

from crmkit.sql import Id, Instant, Minor, Text, column, index
from crmkit.sql.migrations import create_table

revision = "loyalty_0003"
down_revision = "loyalty_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "loyalty_lots",
        Column("id", Id(), primary_key=True),
        column("contact_id", Id()),
        column("unit", Text(30)),
        column("quantity", Minor()),
        column("transaction_id", Id()),
        column("subject_id", Id(), null=True),
        column("active_from", Instant()),
        column("expires_at", Instant()),
        index("subject", "subject_id"),
    )
