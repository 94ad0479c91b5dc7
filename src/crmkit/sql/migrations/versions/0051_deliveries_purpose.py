"""Add the column deliveries.purpose."""

from crmkit.sql import Text, column
from crmkit.sql.migrations import add_column

revision = "crmkit_0051"
down_revision = "crmkit_0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    add_column("deliveries", column("purpose", Text(60)), value="service")
