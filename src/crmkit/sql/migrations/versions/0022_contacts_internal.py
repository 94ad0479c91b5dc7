"""Add the column contacts.internal."""

from crmkit.sql import Minor, column
from crmkit.sql.migrations import add_column

revision = "crmkit_0022"
down_revision = "crmkit_0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    add_column("contacts", column("internal", Minor()))
