"""Create the table loyalty_timers."""

from sqlalchemy import PrimaryKeyConstraint

from crmkit.sql import Id, Instant, Text, column, index
from crmkit.sql.migrations import create_table

revision = "loyalty_0006"
down_revision = "loyalty_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "loyalty_timers",
        column("id", Id()),
        column("kind", Text(20)),
        column("contact_id", Id()),
        column("unit", Text(30)),
        column("at", Instant()),
        PrimaryKeyConstraint("id", "kind"),
        index("due", "at", "id"),
        index("wallet", "contact_id", "unit"),
    )
