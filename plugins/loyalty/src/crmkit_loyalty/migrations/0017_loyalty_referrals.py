"""Create the table loyalty_referrals."""

from sqlalchemy import Column

from crmkit.sql import Id, Instant, Text, column, index, unique
from crmkit.sql.migrations import create_table

revision = "loyalty_0017"
down_revision = "loyalty_0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "loyalty_referrals",
        Column("id", Id(), primary_key=True),
        column("key", Text(200)),
        column("contact_id", Id()),
        column("referrer_id", Id()),
        column("state", Text(20)),
        column("claimed_at", Instant()),
        column("until_at", Instant()),
        column("order_key", Text(100)),
        column("hold_until", Instant()),
        unique("contact_id"),
        unique("key"),
        index("by", "referrer_id", "id"),
        index("held", "state", "hold_until", "id"),
        index("order", "order_key"),
    )
