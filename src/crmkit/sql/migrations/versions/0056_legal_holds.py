"""Create the table legal_holds."""

from sqlalchemy import Column

from crmkit.sql import Id, Instant, Json, Text, column, index
from crmkit.sql.migrations import create_table

revision = "crmkit_0056"
down_revision = "crmkit_0055"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "legal_holds",
        Column("id", Id(), primary_key=True),
        column("contact_id", Id()),
        column("reason", Text(200)),
        column("tables", Json()),
        column("placed_at", Instant()),
        column("until", Instant()),
        column("actor", Text(100)),
        index("of", "contact_id", "until"),
    )
