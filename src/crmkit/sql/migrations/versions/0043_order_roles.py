"""Create the table order_roles."""

from sqlalchemy import PrimaryKeyConstraint

from crmkit.sql import Id, Instant, Text, column, index
from crmkit.sql.migrations import create_table

revision = "crmkit_0043"
down_revision = "crmkit_0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "order_roles",
        column("order_id", Id()),
        column("role", Text(20)),
        column("contact_id", Id()),
        column("since", Instant()),
        PrimaryKeyConstraint("order_id", "role", "contact_id"),
        index("of", "contact_id", "since", "order_id"),
    )
