"""Add the column loyalty_lots.qualifying."""

from crmkit.sql import Minor, column
from crmkit.sql.migrations import add_column

revision = "loyalty_0005"
down_revision = "loyalty_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    add_column("loyalty_lots", column("qualifying", Minor()), value=1)
