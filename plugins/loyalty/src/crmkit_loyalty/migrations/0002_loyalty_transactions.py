"""Create the table loyalty_transactions."""

from sqlalchemy import Column

from crmkit.sql import Id, Instant, Json, Text, column, index, unique
from crmkit.sql.migrations import create_table

revision = "loyalty_0002"
down_revision = "loyalty_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "loyalty_transactions",
        Column("id", Id(), primary_key=True),
        column("key", Text(255)),
        column("kind", Text(20)),
        column("contact_id", Id()),
        column("unit", Text(30)),
        column("effective_at", Instant()),
        column("recorded_at", Instant()),
        column("cause_id", Id(), null=True),
        column("subject_id", Id(), null=True),
        column("content", Json()),
        unique("key"),
        index("statement", "contact_id", "unit", "effective_at", "id"),
    )
