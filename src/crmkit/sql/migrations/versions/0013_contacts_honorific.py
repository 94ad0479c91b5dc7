"""Add the column contacts.honorific."""

from crmkit.sql import Text, column
from crmkit.sql.migrations import add_column

revision = "crmkit_0013"
down_revision = "crmkit_0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    add_column("contacts", column("honorific", Text(100)))
