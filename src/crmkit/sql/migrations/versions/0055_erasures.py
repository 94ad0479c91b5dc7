"""Create the table erasures."""

from sqlalchemy import Column

from crmkit.sql import Id, Instant, Json, Minor, Text, column, index
from crmkit.sql.migrations import create_table

revision = "crmkit_0055"
down_revision = "crmkit_0054"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "erasures",
        Column("contact_id", Id(), primary_key=True),
        column("erased_at", Instant()),
        column("actor", Text(100)),
        column("reason", Text(200)),
        column("sweeps", Minor()),
        column("due_at", Instant()),
        column("held", Json()),
        column("left", Json()),
        column("host", Json()),
        index("due", "due_at", "contact_id"),
    )
