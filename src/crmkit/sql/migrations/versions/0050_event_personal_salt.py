"""Add the column event_personal.salt."""

from crmkit.sql import Text, column
from crmkit.sql.migrations import add_column

revision = "crmkit_0050"
down_revision = "crmkit_0049"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    add_column("event_personal", column("salt", Text(32)))
