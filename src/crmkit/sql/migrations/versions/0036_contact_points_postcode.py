"""Add the column contact_points.postcode."""

from crmkit.sql import Text, column
from crmkit.sql.migrations import add_column

revision = "crmkit_0036"
down_revision = "crmkit_0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    add_column("contact_points", column("postcode", Text(300)))
