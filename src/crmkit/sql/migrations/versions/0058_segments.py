"""Create the table segments."""

from sqlalchemy import Column

from crmkit.sql import Instant, Minor, Text, column
from crmkit.sql.migrations import create_table

revision = "crmkit_0058"
down_revision = "crmkit_0057"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "segments",
        Column("name", Text(60), primary_key=True),
        column("expression", Text()),
        column("doc", Text(500)),
        column("watched", Minor()),
        column("author", Text(100)),
        column("defined_at", Instant()),
        column("refreshes", Minor()),
        column("refreshed_at", Instant()),
    )
