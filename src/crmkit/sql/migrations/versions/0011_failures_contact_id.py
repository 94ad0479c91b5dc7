"""Add the column failures.contact_id."""

from crmkit.sql import Id, column
from crmkit.sql.migrations import add_column

revision = "crmkit_0011"
down_revision = "crmkit_0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    add_column("failures", column("contact_id", Id(), null=True))
