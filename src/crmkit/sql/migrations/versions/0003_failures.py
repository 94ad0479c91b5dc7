"""Create the table failures."""

from sqlalchemy import Column

from crmkit.sql import Id, Instant, Text, column
from crmkit.sql.migrations import create_table

revision = "crmkit_0003"
down_revision = "crmkit_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "failures",
        Column("id", Id(), primary_key=True),
        column("at", Instant()),
        column("owner", Text(100)),
        column("what", Text(200)),
        column("subject", Text(255)),
        column("error", Text()),
    )
