"""Create the table seals."""

from sqlalchemy import Column

from crmkit.sql import Instant, Minor, Text, column, index
from crmkit.sql.migrations import create_table

revision = "crmkit_0057"
down_revision = "crmkit_0056"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "seals",
        Column("number", Minor(), primary_key=True),
        column("first", Minor()),
        column("last", Minor()),
        column("sealed_at", Instant()),
        column("leaves", Text()),
        column("root", Text(64)),
        column("previous", Text(64)),
        column("seal", Text(64)),
        index("first", "first"),
    )
