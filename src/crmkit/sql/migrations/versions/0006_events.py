"""Create the table events."""

from sqlalchemy import Column

from crmkit.sql import Id, Instant, Json, Minor, Text, column, index, unique
from crmkit.sql.migrations import create_table

revision = "crmkit_0006"
down_revision = "crmkit_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "events",
        Column("id", Id(), primary_key=True),
        column("type", Text(60)),
        column("version", Minor()),
        column("key", Text(255)),
        column("contact_id", Id(), null=True),
        column("subject_id", Id(), null=True),
        column("actor", Text(100)),
        column("cause_id", Id(), null=True),
        column("occurred_at", Instant()),
        column("recorded_at", Instant()),
        column("position", Minor(), null=True),
        column("data", Json()),
        unique("key"),
        index("position", "position", "id"),
        index("subject", "subject_id", "id"),
        index("timeline", "contact_id", "occurred_at", "id"),
    )
