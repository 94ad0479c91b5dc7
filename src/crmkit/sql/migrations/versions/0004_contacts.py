"""Create the table contacts."""

from sqlalchemy import Column

from crmkit.sql import Id, Instant, Text, column
from crmkit.sql.migrations import create_table

revision = "crmkit_0004"
down_revision = "crmkit_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "contacts",
        Column("id", Id(), primary_key=True),
        column("kind", Text(20)),
        column("name", Text(300)),
        column("given_name", Text(300)),
        column("family_name", Text(300)),
        column("locale", Text(35)),
        column("zone", Text(64)),
        column("created_at", Instant()),
        column("updated_at", Instant()),
    )
