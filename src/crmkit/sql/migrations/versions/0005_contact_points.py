"""Create the table contact_points."""

from sqlalchemy import PrimaryKeyConstraint

from crmkit.sql import Id, Instant, Minor, Text, column, index
from crmkit.sql.migrations import create_table

revision = "crmkit_0005"
down_revision = "crmkit_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "contact_points",
        column("kind", Text(20)),
        column("scope", Text(64)),
        column("key", Text(255)),
        column("rank", Minor()),
        column("contact_id", Id()),
        column("ordinal", Minor()),
        column("value", Text()),
        column("added_at", Instant()),
        PrimaryKeyConstraint("kind", "scope", "key", "rank"),
        index("of", "contact_id", "ordinal"),
    )
