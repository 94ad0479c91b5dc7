"""Create the table contact_facts."""

from sqlalchemy import Column

from crmkit.sql import Id, Instant, Text, column, index
from crmkit.sql.migrations import create_table

revision = "crmkit_0042"
down_revision = "crmkit_0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "contact_facts",
        Column("id", Id(), primary_key=True),
        column("contact_id", Id()),
        column("text", Text(500)),
        column("on_date", Text(10)),
        column("source", Text(100)),
        column("privacy", Text(20)),
        column("purpose", Text(60)),
        column("added_at", Instant()),
        index("date", "on_date", "id"),
        index("of", "contact_id", "on_date", "id"),
    )
