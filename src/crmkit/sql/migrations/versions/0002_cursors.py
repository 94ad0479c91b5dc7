"""Create the table cursors."""

from sqlalchemy import Column

from crmkit.sql import Id, Instant, Minor, Text, column
from crmkit.sql.migrations import create_table

revision = "crmkit_0002"
down_revision = "crmkit_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "cursors",
        Column("name", Text(100), primary_key=True),
        column("position", Minor()),
        column("lease_until", Instant()),
        column("holder", Id(), null=True),
    )
