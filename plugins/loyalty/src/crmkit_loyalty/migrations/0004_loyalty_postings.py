"""Create the table loyalty_postings."""

from sqlalchemy import PrimaryKeyConstraint

from crmkit.sql import Id, Minor, Text, column, index
from crmkit.sql.migrations import create_table

revision = "loyalty_0004"
down_revision = "loyalty_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "loyalty_postings",
        column("transaction_id", Id()),
        column("n", Minor()),
        column("contact_id", Id()),
        column("unit", Text(30)),
        column("account", Text(20)),
        column("lot_id", Id(), null=True),
        column("amount", Minor()),
        PrimaryKeyConstraint("transaction_id", "n"),
        index("wallet", "contact_id", "unit", "account", "lot_id", "amount"),
    )
