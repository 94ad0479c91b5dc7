"""Add the column events.digest."""

from crmkit.sql import Text, column
from crmkit.sql.migrations import add_column

revision = "crmkit_0049"
down_revision = "crmkit_0048"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    add_column("events", column("digest", Text(64)))
