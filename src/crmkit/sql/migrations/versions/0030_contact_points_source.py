"""Add the column contact_points.source."""

from crmkit.sql import Text, column
from crmkit.sql.migrations import add_column

revision = "crmkit_0030"
down_revision = "crmkit_0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    add_column("contact_points", column("source", Text(100)))
