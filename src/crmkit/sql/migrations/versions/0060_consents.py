"""Create the table consents."""

from sqlalchemy import Column

from crmkit.sql import Id, Instant, Minor, Text, column, index, unique
from crmkit.sql.migrations import create_table

revision = "crmkit_0060"
down_revision = "crmkit_0059"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "consents",
        Column("id", Id(), primary_key=True),
        column("key", Text(200)),
        column("contact_id", Id()),
        column("purpose", Text(60)),
        column("channel", Text(30)),
        column("state", Text(20)),
        column("basis", Text(30)),
        column("source", Text(100)),
        column("text_version", Text(60)),
        column("actor", Text(100)),
        column("personally", Minor()),
        column("digest", Text(64)),
        column("at", Instant()),
        column("until", Instant()),
        column("recorded_at", Instant()),
        unique("key"),
        index("of", "contact_id", "at", "id"),
    )
