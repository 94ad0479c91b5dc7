"""Add the column contacts.business."""

from crmkit.sql import Minor, column
from crmkit.sql.migrations import add_column

revision = "crmkit_0021"
down_revision = "crmkit_0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    add_column("contacts", column("business", Minor()))
