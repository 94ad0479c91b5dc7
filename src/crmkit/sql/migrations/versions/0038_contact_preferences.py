"""Create the table contact_preferences."""

from sqlalchemy import PrimaryKeyConstraint

from crmkit.sql import Id, Instant, Minor, Text, column, index
from crmkit.sql.migrations import create_table

revision = "crmkit_0038"
down_revision = "crmkit_0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "contact_preferences",
        column("contact_id", Id()),
        column("kind", Text(20)),
        column("value", Text(200)),
        column("liking", Text(20)),
        column("confidence", Minor()),
        column("source", Text(100)),
        column("set_at", Instant()),
        PrimaryKeyConstraint("contact_id", "kind", "value"),
        index("value", "kind", "value", "contact_id"),
    )
