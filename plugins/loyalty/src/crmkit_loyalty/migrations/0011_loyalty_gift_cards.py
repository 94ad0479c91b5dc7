"""Create the table loyalty_gift_cards."""

from sqlalchemy import Column

from crmkit.sql import Id, Instant, Minor, Text, column, index, unique
from crmkit.sql.migrations import create_table

revision = "loyalty_0011"
down_revision = "loyalty_0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "loyalty_gift_cards",
        Column("id", Id(), primary_key=True),
        column("key", Text(200)),
        column("digest", Text(64)),
        column("hint", Text(4)),
        column("contact_id", Id(), null=True),
        column("order_key", Text(100)),
        column("line_id", Text(50)),
        column("currency", Text(3)),
        column("face", Minor()),
        column("issued_at", Instant()),
        column("expires_at", Instant()),
        unique("digest"),
        unique("key"),
        index("bought", "order_key", "id"),
        index("expiry", "expires_at", "id"),
        index("of", "contact_id", "id"),
    )
