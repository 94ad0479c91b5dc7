"""Create the table loyalty_offers."""

from sqlalchemy import PrimaryKeyConstraint

from crmkit.sql import Instant, Json, Minor, Text, column
from crmkit.sql.migrations import create_table

revision = "loyalty_0018"
down_revision = "loyalty_0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "loyalty_offers",
        column("name", Text(60)),
        column("version", Minor()),
        column("content", Json()),
        column("defined_at", Instant()),
        PrimaryKeyConstraint("name", "version"),
    )
