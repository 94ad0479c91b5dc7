"""Create the table contact_stages."""

from sqlalchemy import Column

from crmkit.sql import Id, Instant, column, index
from crmkit.sql.migrations import create_table

revision = "crmkit_0044"
down_revision = "crmkit_0043"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "contact_stages",
        Column("contact_id", Id(), primary_key=True),
        column("kept_at", Instant()),
        column("due_at", Instant()),
        index("due", "due_at", "contact_id"),
    )
