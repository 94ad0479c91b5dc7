"""Create the table loyalty_usage."""

from sqlalchemy import Column

from crmkit.sql import Id, Instant, Minor, Text, column, index
from crmkit.sql.migrations import create_table

revision = "loyalty_0008"
down_revision = "loyalty_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "loyalty_usage",
        Column("id", Id(), primary_key=True),
        column("rule", Text(100)),
        column("contact_id", Id()),
        column("happening", Text(255)),
        column("unit", Text(30)),
        column("at", Instant()),
        column("units", Minor()),
        column("times", Minor()),
        column("currency", Text(3)),
        column("money", Minor()),
        index("all", "rule", "at"),
        index("happening", "happening"),
        index("member", "contact_id", "rule", "at"),
    )
