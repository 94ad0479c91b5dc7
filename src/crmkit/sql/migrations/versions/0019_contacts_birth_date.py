"""Add the column contacts.birth_date."""

from crmkit.sql import Text, column
from crmkit.sql.migrations import add_column

revision = "crmkit_0019"
down_revision = "crmkit_0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    add_column("contacts", column("birth_date", Text(10)))
