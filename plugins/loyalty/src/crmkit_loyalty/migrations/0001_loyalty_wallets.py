"""Create the table loyalty_wallets."""

from sqlalchemy import PrimaryKeyConstraint

from crmkit.sql import Id, Instant, Minor, Text, column
from crmkit.sql.migrations import create_table

revision = "loyalty_0001"
down_revision = None
branch_labels = ("loyalty",)
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "loyalty_wallets",
        column("contact_id", Id()),
        column("unit", Text(30)),
        column("revision", Minor()),
        column("opened_at", Instant()),
        PrimaryKeyConstraint("contact_id", "unit"),
    )
