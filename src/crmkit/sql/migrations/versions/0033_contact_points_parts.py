"""Add the column contact_points.parts."""

from crmkit.sql import Json, column
from crmkit.sql.migrations import add_column

revision = "crmkit_0033"
down_revision = "crmkit_0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    add_column("contact_points", column("parts", Json(), null=True))
