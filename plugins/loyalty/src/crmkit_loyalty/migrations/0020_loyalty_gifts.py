"""Create the table loyalty_gifts."""

from sqlalchemy import Column

from crmkit.sql import Id, Instant, Minor, Text, column, index, unique
from crmkit.sql.migrations import create_table

revision = "loyalty_0020"
down_revision = "loyalty_0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "loyalty_gifts",
        Column("id", Id(), primary_key=True),
        column("key", Text(255)),
        column("contact_id", Id()),
        column("what", Text(200)),
        column("why", Text(300)),
        column("cost", Minor()),
        column("currency", Text(3)),
        column("actor", Text(100)),
        column("given_at", Instant()),
        column("cause_id", Id(), null=True),
        unique("key"),
        index("of", "contact_id", "given_at", "id"),
    )
