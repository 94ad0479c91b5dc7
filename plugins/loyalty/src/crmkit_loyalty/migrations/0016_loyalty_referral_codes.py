"""Create the table loyalty_referral_codes."""

from sqlalchemy import Column

from crmkit.sql import Id, Instant, Text, column, unique
from crmkit.sql.migrations import create_table

revision = "loyalty_0016"
down_revision = "loyalty_0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "loyalty_referral_codes",
        Column("code", Text(20), primary_key=True),
        column("contact_id", Id()),
        column("made_at", Instant()),
        unique("contact_id"),
    )
