"""Create the table pauses."""

from sqlalchemy import PrimaryKeyConstraint

from crmkit.sql import Instant, Text, column
from crmkit.sql.migrations import create_table

revision = "crmkit_0010"
down_revision = "crmkit_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "pauses",
        column("channel", Text(30)),
        column("scope", Text(20)),
        column("value", Text(320)),
        column("until", Instant()),
        column("reason", Text()),
        PrimaryKeyConstraint("channel", "scope", "value"),
    )
