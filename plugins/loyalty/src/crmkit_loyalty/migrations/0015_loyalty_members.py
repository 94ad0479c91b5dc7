"""Create the table loyalty_members."""

from sqlalchemy import Column

from crmkit.sql import Id, Instant, Text, column, index, unique
from crmkit.sql.migrations import create_table

revision = "loyalty_0015"
down_revision = "loyalty_0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "loyalty_members",
        Column("id", Id(), primary_key=True),
        column("contact_id", Id()),
        column("number", Text(40)),
        column("joined_at", Instant()),
        column("left_at", Instant()),
        unique("contact_id", "left_at"),
        unique("number"),
        index("lasting", "left_at", "id"),
    )
