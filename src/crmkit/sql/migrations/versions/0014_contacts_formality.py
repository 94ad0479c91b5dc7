"""Add the column contacts.formality."""

from crmkit.sql import Text, column
from crmkit.sql.migrations import add_column

revision = "crmkit_0014"
down_revision = "crmkit_0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    add_column("contacts", column("formality", Text(20)))
