"""Add the column contacts.owner."""

from crmkit.sql import Text, column
from crmkit.sql.migrations import add_column

revision = "crmkit_0026"
down_revision = "crmkit_0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    add_column("contacts", column("owner", Text(100)))
