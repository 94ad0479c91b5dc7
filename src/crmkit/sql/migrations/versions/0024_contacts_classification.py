"""Add the column contacts.classification."""

from crmkit.sql import Text, column
from crmkit.sql.migrations import add_column

revision = "crmkit_0024"
down_revision = "crmkit_0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    add_column("contacts", column("classification", Text(100)))
