"""Create the index of of deliveries."""

from crmkit.sql.migrations import create_index

revision = "crmkit_0052"
down_revision = "crmkit_0051"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_index("deliveries", "of", "contact_id", "queued_at", "id")
