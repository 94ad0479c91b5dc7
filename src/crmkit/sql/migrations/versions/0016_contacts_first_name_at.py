"""Add the column contacts.first_name_at."""

from crmkit.sql import Instant, column
from crmkit.sql.migrations import add_column

revision = "crmkit_0016"
down_revision = "crmkit_0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    add_column("contacts", column("first_name_at", Instant()))
