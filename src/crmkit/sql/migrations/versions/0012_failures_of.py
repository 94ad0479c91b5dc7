"""Create the index of of failures."""

from crmkit.sql.migrations import create_index

revision = "crmkit_0012"
down_revision = "crmkit_0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_index("failures", "of", "contact_id", "id")
