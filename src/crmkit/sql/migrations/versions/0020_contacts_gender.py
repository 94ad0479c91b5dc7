"""Add the column contacts.gender."""

from crmkit.sql import Text, column
from crmkit.sql.migrations import add_column

revision = "crmkit_0020"
down_revision = "crmkit_0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    add_column("contacts", column("gender", Text(100)))
