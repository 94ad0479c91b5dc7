"""Add the column contact_points.is_primary."""

from crmkit.sql import Minor, column
from crmkit.sql.migrations import add_column

revision = "crmkit_0032"
down_revision = "crmkit_0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    add_column("contact_points", column("is_primary", Minor()))
