"""Create the table contact_hosts."""

from sqlalchemy import Column

from crmkit.sql import Id, Text, column, unique
from crmkit.sql.migrations import create_table

revision = "crmkit_0045"
down_revision = "crmkit_0044"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "contact_hosts",
        Column("contact_id", Id(), primary_key=True),
        column("store", Text(60)),
        column("pk", Text(255)),
        unique("store", "pk"),
    )
