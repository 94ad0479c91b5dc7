"""Add the column contacts.first_name_how."""

from crmkit.sql import Text, column
from crmkit.sql.migrations import add_column

revision = "crmkit_0018"
down_revision = "crmkit_0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    add_column("contacts", column("first_name_how", Text(200)))
