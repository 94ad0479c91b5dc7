"""Add the column contacts.stage."""

from crmkit.sql import Text, column
from crmkit.sql.migrations import add_column

revision = "crmkit_0025"
down_revision = "crmkit_0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    add_column("contacts", column("stage", Text(20)))
