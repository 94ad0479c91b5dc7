"""Create the table event_personal."""

from sqlalchemy import Column

from crmkit.sql import Id, Json, column
from crmkit.sql.migrations import create_table

revision = "crmkit_0007"
down_revision = "crmkit_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "event_personal",
        Column("event_id", Id(), primary_key=True),
        column("data", Json()),
    )
