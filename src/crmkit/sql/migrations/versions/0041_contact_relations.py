"""Create the table contact_relations."""

from sqlalchemy import Column

from crmkit.sql import Id, Instant, Text, column, index
from crmkit.sql.migrations import create_table

revision = "crmkit_0041"
down_revision = "crmkit_0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "contact_relations",
        Column("id", Id(), primary_key=True),
        column("contact_id", Id()),
        column("kind", Text(60)),
        column("other_id", Id()),
        column("other_name", Text(300)),
        column("source", Text(100)),
        column("began_on", Text(10)),
        column("added_at", Instant()),
        column("ended_at", Instant()),
        index("of", "contact_id", "ended_at", "id"),
        index("other", "other_id", "ended_at", "id"),
    )
