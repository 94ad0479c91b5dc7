"""Create the table contact_values."""

from sqlalchemy import PrimaryKeyConstraint

from crmkit.sql import Id, Instant, Minor, Text, column, index
from crmkit.sql.migrations import create_table

revision = "crmkit_0039"
down_revision = "crmkit_0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "contact_values",
        column("contact_id", Id()),
        column("field", Text(100)),
        column("place", Minor()),
        column("text", Text(500)),
        column("number", Minor()),
        column("set_at", Instant()),
        PrimaryKeyConstraint("contact_id", "field", "place"),
        index("number", "field", "number", "contact_id"),
        index("text", "field", "text", "contact_id"),
    )
