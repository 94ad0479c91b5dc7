"""Create the index of of pauses."""

from crmkit.sql.migrations import create_index

revision = "crmkit_0054"
down_revision = "crmkit_0053"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_index("pauses", "of", "value")
