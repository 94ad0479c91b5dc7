"""Create the table deliveries."""

from sqlalchemy import Column

from crmkit.sql import Id, Instant, Json, Minor, Text, column, index, unique
from crmkit.sql.migrations import create_table

revision = "crmkit_0009"
down_revision = "crmkit_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "deliveries",
        Column("id", Id(), primary_key=True),
        column("key", Text(200)),
        column("channel", Text(30)),
        column("recipient", Text(320)),
        column("address", Text(320)),
        column("contact_id", Id(), null=True),
        column("topic", Text(100)),
        column("repeat", Text(20)),
        column("state", Text(20)),
        column("due_at", Instant()),
        column("expires_at", Instant()),
        column("queued_at", Instant()),
        column("attempt", Minor()),
        column("claim", Id(), null=True),
        column("reason", Text()),
        column("provider_id", Text(300)),
        column("name", Text(300)),
        column("locale", Text(35)),
        column("content", Json()),
        unique("key", "channel", "recipient"),
        index("due", "due_at", "id"),
        index("state", "state", "queued_at", "id"),
    )
