"""Create the index to of deliveries."""

from crmkit.sql.migrations import create_index

revision = "crmkit_0053"
down_revision = "crmkit_0052"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_index("deliveries", "to", "recipient")
