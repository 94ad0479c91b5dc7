"""Create the table loyalty_gift_card_moves."""

from sqlalchemy import Column

from crmkit.sql import Id, Instant, Minor, Text, column, index, unique
from crmkit.sql.migrations import create_table

revision = "loyalty_0012"
down_revision = "loyalty_0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "loyalty_gift_card_moves",
        Column("id", Id(), primary_key=True),
        column("key", Text(255)),
        column("kind", Text(20)),
        column("card_id", Id()),
        column("source", Text(20)),
        column("target", Text(20)),
        column("amount", Minor()),
        column("order_key", Text(100)),
        column("capture_id", Id(), null=True),
        column("at", Instant()),
        column("cause_id", Id(), null=True),
        unique("key"),
        index("card", "card_id", "id"),
        index("paid", "order_key", "id"),
    )
