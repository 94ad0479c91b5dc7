"""Create the table installation."""

from sqlalchemy import Column

from crmkit.sql import Text, column
from crmkit.sql.migrations import create_table

revision = "crmkit_0001"
down_revision = None
branch_labels = ("crmkit",)
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "installation",
        Column("name", Text(50), primary_key=True),
        column("value", Text(500)),
    )
