"""Create the index owner of contacts."""

from crmkit.sql.migrations import create_index

revision = "crmkit_0027"
down_revision = "crmkit_0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_index("contacts", "owner", "owner", "id")
