"""Create the table imports."""

from sqlalchemy import Column

from crmkit.sql import Instant, Json, Minor, Text, column, index
from crmkit.sql.migrations import create_table

revision = "crmkit_0046"
down_revision = "crmkit_0045"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "imports",
        Column("key", Text(64), primary_key=True),
        column("what", Text(20)),
        column("file", Text(300)),
        column("started_at", Instant()),
        column("finished_at", Instant()),
        column("taken", Minor()),
        column("rejects_size", Minor()),
        column("report", Json()),
        index("started", "started_at", "key"),
    )
