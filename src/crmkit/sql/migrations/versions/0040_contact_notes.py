"""Create the table contact_notes."""

from sqlalchemy import Column

from crmkit.sql import Id, Instant, Json, Minor, Text, column, index, unique
from crmkit.sql.migrations import create_table

revision = "crmkit_0040"
down_revision = "crmkit_0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "contact_notes",
        Column("id", Id(), primary_key=True),
        column("note_id", Id()),
        column("number", Minor()),
        column("contact_id", Id()),
        column("kind", Text(20)),
        column("text", Text()),
        column("details", Json()),
        column("about_id", Id(), null=True),
        column("author", Text(100)),
        column("noted_at", Instant()),
        column("written_at", Instant()),
        column("until", Instant()),
        unique("note_id", "number"),
        index("about", "about_id", "until", "id"),
        index("of", "contact_id", "until", "noted_at", "id"),
    )
