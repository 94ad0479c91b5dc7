"""Add the column contact_points.label."""

from crmkit.sql import Text, column
from crmkit.sql.migrations import add_column

revision = "crmkit_0029"
down_revision = "crmkit_0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    add_column("contact_points", column("label", Text(60)))
