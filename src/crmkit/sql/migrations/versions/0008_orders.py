"""Create the table orders."""

from sqlalchemy import Column

from crmkit.sql import Id, Instant, Minor, Text, column, index, unique
from crmkit.sql.migrations import create_table

revision = "crmkit_0008"
down_revision = "crmkit_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "orders",
        Column("id", Id(), primary_key=True),
        column("key", Text(100)),
        column("contact_id", Id(), null=True),
        column("state", Text(20)),
        column("currency", Text(3)),
        column("total", Minor()),
        column("refunded", Minor()),
        column("placed_at", Instant()),
        column("paid_at", Instant()),
        column("shipped_at", Instant()),
        column("cancelled_at", Instant()),
        column("lines_event_id", Id()),
        unique("key"),
        index("of", "contact_id", "placed_at", "id"),
    )
