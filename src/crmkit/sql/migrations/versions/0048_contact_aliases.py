"""Create the table contact_aliases."""

from sqlalchemy import Column

from crmkit.sql import Id, column, index
from crmkit.sql.migrations import create_table

revision = "crmkit_0048"
down_revision = "crmkit_0047"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "contact_aliases",
        Column("contact_id", Id(), primary_key=True),
        column("survivor_id", Id()),
        index("of", "survivor_id", "contact_id"),
    )
