"""Add the column contacts.name_order."""

from crmkit.sql import Text, column
from crmkit.sql.migrations import add_column

revision = "crmkit_0015"
down_revision = "crmkit_0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    add_column("contacts", column("name_order", Text(20)))
