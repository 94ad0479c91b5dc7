"""Create the table loyalty_offer_uses."""

from sqlalchemy import Column

from crmkit.sql import Id, Instant, Minor, Text, column, index, unique
from crmkit.sql.migrations import create_table

revision = "loyalty_0019"
down_revision = "loyalty_0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "loyalty_offer_uses",
        Column("id", Id(), primary_key=True),
        column("key", Text(255)),
        column("kind", Text(20)),
        column("offer", Text(60)),
        column("version", Minor()),
        column("contact_id", Id()),
        column("times", Minor()),
        column("units", Minor()),
        column("cost", Minor()),
        column("order_key", Text(100)),
        column("at", Instant()),
        unique("key"),
        index("of", "contact_id", "id"),
        index("offer", "offer", "kind", "contact_id", "times", "units", "cost"),
        index("order", "order_key"),
    )
