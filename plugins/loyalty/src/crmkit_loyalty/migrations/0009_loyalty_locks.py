"""Create the table loyalty_locks."""

from sqlalchemy import Column

from crmkit.sql import Minor, Text, column
from crmkit.sql.migrations import create_table

revision = "loyalty_0009"
down_revision = "loyalty_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "loyalty_locks",
        Column("name", Text(200), primary_key=True),
        column("revision", Minor()),
    )
