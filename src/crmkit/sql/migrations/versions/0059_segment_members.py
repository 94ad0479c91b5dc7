"""Create the table segment_members."""

from sqlalchemy import PrimaryKeyConstraint

from crmkit.sql import Id, Instant, Minor, Text, column, index
from crmkit.sql.migrations import create_table

revision = "crmkit_0059"
down_revision = "crmkit_0058"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    create_table(
        "segment_members",
        column("segment", Text(60)),
        column("contact_id", Id()),
        column("since", Instant()),
        column("entered_in", Minor()),
        column("left_in", Minor()),
        PrimaryKeyConstraint("segment", "contact_id"),
        index("entered", "segment", "entered_in", "contact_id"),
        index("gone", "segment", "left_in", "contact_id"),
        index("of", "contact_id", "segment"),
    )
