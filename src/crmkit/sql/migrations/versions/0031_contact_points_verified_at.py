"""Add the column contact_points.verified_at."""

from crmkit.sql import Instant, column
from crmkit.sql.migrations import add_column

revision = "crmkit_0031"
down_revision = "crmkit_0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    add_column("contact_points", column("verified_at", Instant()))
