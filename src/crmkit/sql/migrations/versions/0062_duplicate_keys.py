"""Create the table duplicate_keys."""

from sqlalchemy import PrimaryKeyConstraint

from crmkit.sql import Id, Minor, column, index
from crmkit.sql.migrations import create_table

revision = "crmkit_0062"
down_revision = "crmkit_0061"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "duplicate_keys",
        column("contact_id", Id()),
        column("key", Minor()),
        PrimaryKeyConstraint("contact_id", "key"),
        index("key", "key", "contact_id"),
    )
