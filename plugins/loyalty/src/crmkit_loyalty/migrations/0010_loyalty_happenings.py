"""Create the table loyalty_happenings."""

from sqlalchemy import PrimaryKeyConstraint

from crmkit.sql import Id, Instant, Text, column
from crmkit.sql.migrations import create_table

revision = "loyalty_0010"
down_revision = "loyalty_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "loyalty_happenings",
        column("contact_id", Id()),
        column("name", Text(40)),
        column("key", Text(100)),
        column("at", Instant()),
        PrimaryKeyConstraint("contact_id", "name", "key"),
    )
