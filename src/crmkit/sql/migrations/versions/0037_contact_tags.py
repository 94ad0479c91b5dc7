"""Create the table contact_tags."""

from sqlalchemy import PrimaryKeyConstraint

from crmkit.sql import Id, Instant, Text, column, index
from crmkit.sql.migrations import create_table

revision = "crmkit_0037"
down_revision = "crmkit_0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "contact_tags",
        column("contact_id", Id()),
        column("tag", Text(100)),
        column("added_at", Instant()),
        PrimaryKeyConstraint("contact_id", "tag"),
        index("tag", "tag", "contact_id"),
    )
